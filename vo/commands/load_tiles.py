"""`vo load tiles`: the tiles of a survey."""

from __future__ import annotations

import argparse
from pathlib import Path

from vo.commands.telling import say
from vo.config import Config
from vo.load import load_tiles


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which list, and whose."""
    parser.add_argument(
        "source", type=Path, metavar="FILE", help="CSV file in the form of a tile list of DES"
    )
    parser.add_argument("--release", help="release that they belong to (default: the only one)")


def run(options: argparse.Namespace, config: Config) -> None:
    """Publish them, and say what was found of their geometry."""
    say(f"{load_tiles(options.source, config, release=options.release)}\n")
