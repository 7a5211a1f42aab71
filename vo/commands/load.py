"""`vo load`: a release from a directory."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vo.commands.sample import add_sample
from vo.commands.telling import say
from vo.config import Config
from vo.errors import UsageError
from vo.load import OracleOptions, ProgressLine, describe, load_into_oracle, load_release


def add_options(parser: argparse.ArgumentParser) -> None:
    """What to load, and where to."""
    parser.add_argument(
        "source", type=Path, metavar="DIR", nargs="?", help="directory with release.yaml and data files"
    )
    parser.add_argument("--sample", action="store_true", help="build the synthetic release, if absent")
    parser.add_argument(
        "--describe", action="store_true", help="print a first release.yaml for the data file DIR instead"
    )
    parser.add_argument("--name", help="name of the release (default: that of its first schema)")
    parser.add_argument(
        "--database",
        choices=("duckdb", "oracle"),
        default="duckdb",
        help="where to: a release file that is swapped in, or tables of their own in Oracle (VO_ORACLE_*)",
    )
    parser.add_argument(
        "--reader",
        action="append",
        default=[],
        metavar="ACCOUNT",
        help="Oracle: account that may read; repeated",
    )
    parser.add_argument(
        "--partitions",
        type=int,
        default=1,
        metavar="N",
        help="Oracle: ranges of the sky a table (default: 1)",
    )
    parser.add_argument(
        "--direct-path", action="store_true", help="Oracle: write blocks directly; not yet tried on a server"
    )


def run(options: argparse.Namespace, config: Config) -> None:
    """Build the release and swap it in, or print a first description of a file."""
    if options.sample == (options.source is not None):
        raise UsageError("`vo load` takes either DIR or --sample.")
    if options.sample:
        add_sample(config)
        return
    if options.describe:
        say(describe(options.source))
        return
    progress = ProgressLine(sys.stderr)
    try:
        if options.database == "oracle":
            how = OracleOptions(
                tuple(reader.upper() for reader in options.reader), options.partitions, options.direct_path
            )
            loaded = load_into_oracle(options.source, config, how, name=options.name, report=progress)
        else:
            loaded = load_release(options.source, config, name=options.name, report=progress)
    finally:
        progress.end()
    say(f"{loaded}\n")
