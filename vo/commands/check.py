"""`vo check`: whether the service could start."""

from __future__ import annotations

import argparse

from vo.check import check
from vo.commands.telling import say
from vo.config import Config


def add_options(_parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(_options: argparse.Namespace, config: Config) -> None:
    """One line for each thing; a ConfigError if one is not in order."""
    for line in check(config):
        say(f"{line}\n")
