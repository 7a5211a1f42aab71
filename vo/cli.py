"""The command line `vo`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vo import __version__, log
from vo.anomaly.models import model_of, read_model
from vo.app import run_web
from vo.catalog import IMAGE_RELEASE, TILE_RELEASE, Catalog
from vo.check import check, start
from vo.config import Config
from vo.context import open_context
from vo.errors import LoadError, UsageError, VOError
from vo.jobs import LANES
from vo.load import (
    LoadedImages,
    OracleOptions,
    ProgressLine,
    load_images,
    load_into_oracle,
    load_release,
    load_tiles,
    publish,
)
from vo.load import describe as describe_file
from vo.sample import write_images, write_sample, write_tile_list
from vo.serve import make_directory, serve, state_url_of
from vo.sweep import sweep, sweep_every
from vo.tap.schema import describe
from vo.watch import command as watching
from vo.worker import run_worker

EPILOG = """\
The shortest way to a running service:

  vo serve --sample      build a synthetic release in ./data, if it is not there, and serve it

Your own tables:

  vo load my_release/    read my_release/release.yaml and the data files beside it
  vo load images DIR     publish the FITS images below DIR, which stay where they are
  vo load tiles FILE     publish the tiles of the survey, listed in FILE
  vo serve               serve every release loaded so far

Every setting is a VO_* variable; the README lists them all.
"""

LOAD_IMAGES, LOAD_TILES, WATCH = "load images", "load tiles", "anomaly watch"
"""The commands of two words."""

SAMPLE = "sim1"
"""The release that --sample builds."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status is 0, or 1 after an error, which is told on stderr."""
    options = parsed(sys.argv[1:] if arguments is None else arguments)
    try:
        config = Config.from_env(
            data_dir=options.data,
            host=getattr(options, "host", None),
            port=getattr(options, "port", None),
        )
        log.configure(config.log_level, config.log_format)
        run: Callable[[argparse.Namespace, Config], None] = options.run
        run(options, config)
    except VOError as error:
        sys.stderr.write(f"vo: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The command and its options; SystemExit: there are none such."""
    return _parser().parse_args(_joined(arguments))


def _joined(arguments: Sequence[str]) -> list[str]:
    """The arguments with two words that make one command in one; a directory so called is `./images`."""
    words = list(arguments)
    command = " ".join(words[:2])
    return [command, *words[2:]] if command in (LOAD_IMAGES, LOAD_TILES, WATCH) else words


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vo",
        description="A data release of an astronomical survey on the standards of the IVOA.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"vo {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace, Config], None], text: str) -> _Command:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument("--data", type=Path, metavar="DIR", help="data directory (default: ./data)")
        added.set_defaults(run=run)
        return added

    _add_servers(command)
    _add_table_loader(command)
    _add_other_loaders(command)
    publisher = command("publish", _publish, "Publish tables that are in Oracle already.")
    publisher.add_argument("source", type=Path, metavar="DIR", help="directory with release.yaml")
    publisher.add_argument("--owner", help="schema of Oracle with the tables (default: the account's own)")
    _add_watch(command)
    command("check", _check, "Say whether settings, servers and releases are in order.")
    return parser


_Command = argparse.ArgumentParser


def _add_table_loader(command: Callable[..., _Command]) -> None:
    loader = command("load", _load, "Build a release from a directory and swap it in.")
    loader.add_argument(
        "source", type=Path, metavar="DIR", nargs="?", help="directory with release.yaml and data files"
    )
    loader.add_argument("--sample", action="store_true", help="build the synthetic release, if absent")
    loader.add_argument(
        "--describe", action="store_true", help="print a first release.yaml for the data file DIR instead"
    )
    loader.add_argument("--name", help="name of the release (default: that of its first schema)")
    loader.add_argument(
        "--database",
        choices=("duckdb", "oracle"),
        default="duckdb",
        help="where to: a release file that is swapped in, or tables of their own in Oracle (VO_ORACLE_*)",
    )
    loader.add_argument(
        "--reader",
        action="append",
        default=[],
        metavar="ACCOUNT",
        help="Oracle: account that may read; repeated",
    )
    loader.add_argument(
        "--partitions",
        type=int,
        default=1,
        metavar="N",
        help="Oracle: ranges of the sky a table (default: 1)",
    )
    loader.add_argument(
        "--direct-path", action="store_true", help="Oracle: write blocks directly; not yet tried on a server"
    )


def _add_other_loaders(command: Callable[..., _Command]) -> None:
    pictured = command(LOAD_IMAGES, _load_images, "Publish the FITS images below a directory.")
    pictured.add_argument("source", type=Path, metavar="DIR", help="directory below VO_IMAGES_DIR")
    pictured.add_argument("--release", help="release that they belong to (default: the only one)")
    pictured.add_argument("--collection", help="obs_collection of ObsCore (default: the release's name)")
    pictured.add_argument(
        "--no-checksums", action="store_true", help="read headers alone, not all bytes of every file"
    )
    tiled = command(LOAD_TILES, _load_tiles, "Publish the tiles of a survey.")
    tiled.add_argument("source", type=Path, metavar="FILE", help="CSV file in the form of a tile list of DES")
    tiled.add_argument("--release", help="release that they belong to (default: the only one)")


def _add_servers(command: Callable[..., _Command]) -> None:
    server = command("serve", _serve, "Run the whole service on this machine.")
    server.add_argument("--sample", action="store_true", help="build the synthetic release first, if absent")
    for listening in (server, command("web", _web, "Run the web server alone.")):
        listening.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
        listening.add_argument("--port", type=int, help="port to listen on (default: 8000)")
    worker = command("worker", _worker, "Run the jobs of a lane.")
    worker.add_argument("--lane", choices=LANES, required=True, help="the lane to work on")
    sweeper = command("sweep", _sweep, "Mend lost jobs, destroy expired ones, remove orphaned files.")
    sweeper.add_argument("--every", type=int, metavar="S", help="repeat every S seconds (default: once)")


def _add_watch(command: Callable[..., _Command]) -> None:
    watcher = command(WATCH, _watch, "Score new rows as they come, and tell of the strange ones.")
    watcher.add_argument("model", type=Path, metavar="MODEL", help="file of a model, as a run left it")
    watching.add_options(watcher)


def _serve(options: argparse.Namespace, config: Config) -> None:
    if options.sample:
        _add_sample(config)
    serve(config, on_ready=lambda catalog: _say(_greeting(config, catalog)))


def _add_sample(config: Config) -> None:
    """Build what there is not yet of the synthetic release."""
    make_directory(config.data_dir)
    if not (config.releases_dir / f"{SAMPLE}.duckdb").exists():
        _build_sample(config)
    if not (config.releases_dir / f"{TILE_RELEASE}.duckdb").exists():
        _build_sample_tiles(config)
    if not (config.releases_dir / f"{IMAGE_RELEASE}.duckdb").exists():
        _build_sample_images(config)


def _build_sample(config: Config) -> None:
    progress = ProgressLine(sys.stderr)
    sys.stderr.write("Building the sample release (synthetic; once, in about half a minute)\n")
    with tempfile.TemporaryDirectory(dir=config.data_dir, prefix="sample-") as directory:
        write_sample(Path(directory))
        try:
            loaded = load_release(Path(directory), config, name=SAMPLE, report=progress)
        finally:
            progress.end()
    sys.stderr.write(f"{loaded}\n")


def _build_sample_tiles(config: Config) -> None:
    with tempfile.TemporaryDirectory(dir=config.data_dir, prefix="sample-") as directory:
        source = Path(directory) / "tiles.csv"
        write_tile_list(source)
        _tell(str(load_tiles(source, config, release=SAMPLE)))


def _build_sample_images(config: Config) -> None:
    sys.stderr.write("Painting its images (once, in about a quarter of a minute)\n")
    directory = config.images_root / SAMPLE
    processes = min(2, os.cpu_count() or 1)
    write_images(
        directory,
        processes=processes,
        progress=lambda what, part: _tell(f"{what}  {part * 100:.0f} %"),
    )
    _tell(str(_images_loaded(config, directory, release=SAMPLE)))


def _tell(line: str) -> None:
    """Tell how far the work is."""
    sys.stderr.write(f"{line}\n")


def _web(_options: argparse.Namespace, config: Config) -> None:
    start(config, "web")
    run_web(config)


def _worker(options: argparse.Namespace, config: Config) -> None:
    start(config, "worker")
    run_worker(config, options.lane)


def _sweep(options: argparse.Namespace, config: Config) -> None:
    start(config, "sweep")
    if options.every is not None:
        sweep_every(config, options.every)
    with open_context(config, describe) as context:
        _say(f"{sweep(context)}\n")


def _say(text: str) -> None:
    """Tell it at once, also to a file or a pipe."""
    sys.stdout.write(text)
    sys.stdout.flush()


def _load(options: argparse.Namespace, config: Config) -> None:
    if options.sample == (options.source is not None):
        raise UsageError("`vo load` takes either DIR or --sample.")
    if options.sample:
        _add_sample(config)
        return
    if options.describe:
        _say(describe_file(options.source))
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
    _say(f"{loaded}\n")


def _load_images(options: argparse.Namespace, config: Config) -> None:
    loaded = _images_loaded(
        config,
        options.source,
        release=options.release,
        collection=options.collection,
        checksums=not options.no_checksums,
    )
    _say(f"{loaded}\n")
    if loaded.faults:
        raise LoadError(f"{len(loaded.faults):,} files or images were left out.")


def _load_tiles(options: argparse.Namespace, config: Config) -> None:
    _say(f"{load_tiles(options.source, config, release=options.release)}\n")


def _images_loaded(config: Config, source: Path, **options: Any) -> LoadedImages:
    progress = ProgressLine(sys.stderr)
    try:
        return load_images(source, config, report=progress, **options)
    finally:
        progress.end()


def _publish(options: argparse.Namespace, config: Config) -> None:
    _say(f"{publish(options.source, config, owner=options.owner)}\n")


def _watch(options: argparse.Namespace, config: Config) -> None:
    try:
        detector = model_of(read_model(options.model.read_bytes()))
    except OSError as error:
        raise UsageError(f"{options.model} cannot be read: {error.strerror}.") from error
    watched = replace(config, state_url=config.state_url or state_url_of(config.data_dir))
    start(watched, "watch")
    watching.run(options, watched, detector)


def _check(_options: argparse.Namespace, config: Config) -> None:
    for line in check(config):
        _say(f"{line}\n")


def _greeting(config: Config, catalog: Catalog) -> str:
    """What a person may do next."""
    base = config.public_url
    url = f"{base}/tap"
    published = [table for table in catalog.tables() if table.schema != "TAP_SCHEMA"]
    largest = max(published, key=lambda table: table.nrows or 0, default=None)
    name = largest.qualified if largest else "TAP_SCHEMA.tables"
    rows = sum(table.nrows or 0 for table in published)
    query = f"SELECT TOP 5 * FROM {name}"  # noqa: S608  shown, not run
    return f"""\
Serving {len(published)} tables with {rows:,} rows at {base}/  (Ctrl-C stops)

  browser  {url}
  curl     curl '{url}/sync?LANG=ADQL&FORMAT=csv&QUERY={query.replace(" ", "+")}'
  pyvo     python -c "import pyvo; print(pyvo.dal.TAPService('{url}').search('{query}'))"
  TOPCAT   VO > Table Access Protocol, TAP URL: {url}
"""


if __name__ == "__main__":
    sys.exit(main())
