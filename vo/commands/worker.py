"""`vo worker`: the jobs of a lane."""

from __future__ import annotations

import argparse

from vo.check import start
from vo.config import Config
from vo.jobs import LANES
from vo.worker import run_worker


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which lane."""
    parser.add_argument("--lane", choices=LANES, required=True, help="the lane to work on")


def run(options: argparse.Namespace, config: Config) -> None:
    """Work until it is told to stop."""
    start(config, "worker")
    run_worker(config, options.lane)
