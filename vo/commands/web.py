"""`vo web`: the web server alone."""

from __future__ import annotations

import argparse

from vo.app import run_web
from vo.check import start
from vo.config import Config


def add_options(parser: argparse.ArgumentParser) -> None:
    """Where to listen."""
    parser.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default: 8000)")


def run(_options: argparse.Namespace, config: Config) -> None:
    """Serve until it is told to stop."""
    start(config, "web")
    run_web(config)
