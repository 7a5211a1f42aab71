"""`vo publish`: tables that are in Oracle already."""

from __future__ import annotations

import argparse
from pathlib import Path

from vo.commands.telling import say
from vo.config import Config
from vo.load import publish


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which tables."""
    parser.add_argument("source", type=Path, metavar="DIR", help="directory with release.yaml")
    parser.add_argument("--owner", help="schema of Oracle with the tables (default: the account's own)")


def run(options: argparse.Namespace, config: Config) -> None:
    """Publish them, and say what they are."""
    say(f"{publish(options.source, config, owner=options.owner)}\n")
