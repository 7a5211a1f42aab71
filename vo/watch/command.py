"""`vo anomaly watch`: its options, and a watcher that works until it is told to stop."""

from __future__ import annotations

import argparse
import signal
import threading
from pathlib import Path

from redis import Redis

from vo.config import Config
from vo.forest.detector import Detector
from vo.watch.streams import Keys
from vo.watch.watcher import Watcher, WatchOptions


def add_options(parser: argparse.ArgumentParser) -> None:
    """What a watch may be told."""
    usual = WatchOptions()
    parser.add_argument("--name", required=True, help="name of the watch, part of the names of its streams")
    for name, value, text in (
        ("threshold", usual.threshold, "score of an anomaly"),
        ("window", usual.window, "rows that trees grow from"),
        ("every", usual.every, "rows between renewals"),
        ("trees", usual.trees, "trees renewed at a time; 0: none"),
        ("batch", usual.batch, "entries taken at a time"),
        ("claim_s", usual.claim_s, "seconds after which the rows of a silent watcher are taken over"),
    ):
        flag = f"--{name.removesuffix('_s')}"
        shown = f"{text} (default: %(default)s)"
        parser.add_argument(flag, type=type(value), default=value, dest=name, metavar="N", help=shown)


def run(options: argparse.Namespace, config: Config, detector: Detector) -> None:
    """Watch until SIGTERM or SIGINT."""
    names = WatchOptions.__dataclass_fields__
    how = WatchOptions(**{name: getattr(options, name) for name in names})
    alive = Path(config.alive_file) if config.alive_file else None
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    with Redis.from_url(config.state_url) as state:
        Watcher(state, Keys(options.name), detector, how, config.watch_dir).run(stop, alive)
