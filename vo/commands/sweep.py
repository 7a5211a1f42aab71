"""`vo sweep`: mend what was lost, remove what is due."""

from __future__ import annotations

import argparse

from vo.check import start
from vo.commands.telling import say
from vo.config import Config
from vo.context import open_context
from vo.sweep import sweep, sweep_every
from vo.tap.schema import describe


def add_options(parser: argparse.ArgumentParser) -> None:
    """How often."""
    parser.add_argument("--every", type=int, metavar="S", help="repeat every S seconds (default: once)")


def run(options: argparse.Namespace, config: Config) -> None:
    """Sweep once and say what was found, or again and again."""
    start(config, "sweep")
    if options.every is not None:
        sweep_every(config, options.every)
    with open_context(config, describe) as context:
        say(f"{sweep(context)}\n")
