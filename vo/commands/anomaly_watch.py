"""`vo anomaly watch`: new rows scored as they come."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from vo.anomaly.models import model_of, read_model
from vo.check import start
from vo.config import Config
from vo.data_dir import state_url_of
from vo.errors import UsageError
from vo.watch import command


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which model, and how to watch."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="file of a model, as a run left it")
    command.add_options(parser)


def run(options: argparse.Namespace, config: Config) -> None:
    """Watch until it is told to stop."""
    try:
        detector = model_of(read_model(options.model.read_bytes()))
    except OSError as error:
        raise UsageError(f"{options.model} cannot be read: {error.strerror}.") from error
    watched = replace(config, state_url=config.state_url or state_url_of(config.data_dir))
    start(watched, "watch")
    command.run(options, watched, detector)
