"""`vo load images`: the images below a directory become `<release>.images` and rows of `ivoa.obscore`.

The files stay where they are. The tables of all releases are in one release file of their own, so that
neither a catalogue nor its images have to be loaded again for the sake of the other.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa

from vo.catalog import IMAGE_RELEASE, Catalog, is_regular
from vo.config import Config
from vo.errors import LoadError
from vo.images.inventory import Fault, FileStamp, ImageRecord, find_files, scan
from vo.images.tables import IMAGES, Held, as_batch, images_table, obscore_sql, obscore_table, schemas
from vo.load.new_file import NEW_FILE, escaped, new_file, quoted, write_catalog
from vo.load.progress import Progress, Report
from vo.load.release import only_release, refuse_taken, release_name
from vo.load.sky import FIELDS, sky_index
from vo.load.swap import replacing

_OLD_FILE = "old_images"
_FRESH = "memory.main.fresh"
_BATCH_FILES = 500
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class LoadedImages:
    """What a load of images left behind: `images` of the release in all, `files_read` anew for it."""

    release: str
    images: int
    files_read: int
    files_unchanged: int
    seconds: float
    faults: tuple[Fault, ...]

    def __str__(self) -> str:
        """The summary, line by line."""
        head = (
            f"{self.release}.{IMAGES}: {self.images:,} images; {self.files_read:,} files read, "
            f"{self.files_unchanged:,} unchanged, {len(self.faults):,} left out, {self.seconds:.1f} s"
        )
        return "\n".join([head, *(f"left out: {fault}" for fault in self.faults)])


@dataclass(frozen=True, slots=True)
class _Order:
    """What is asked for; `identify` is what the identifiers of its images begin with."""

    directory: Path
    root: Path
    release: str
    identify: str
    checksums: bool

    @property
    def below(self) -> str:
        """What the paths of all files in the directory begin with."""
        path = self.directory.resolve().relative_to(self.root.resolve()).as_posix()
        return "" if path == "." else f"{path}/"


@dataclass
class _Reading:
    """The files of an order: which are known already, which are to be read, and what went wrong."""

    table: str
    unchanged: frozenset[str]
    files: list[Path]
    report: Report
    faults: list[Fault] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def tell(self, done: int) -> None:
        """Report that so many files were read."""
        rate = done / max(1e-9, time.monotonic() - self.started)
        left_s = (len(self.files) - done) / rate if rate else None
        self.report(Progress("read", self.table, done, len(self.files), rate, left_s, "files"))


def load_images(
    directory: Path,
    config: Config,
    *,
    release: str | None = None,
    collection: str | None = None,
    checksums: bool = True,
    report: Report | None = None,
) -> LoadedImages:
    """Publish the images below `directory`, in place of those published from there before.

    Files that did not change since are not read again. `release` may be left out if only one is served;
    `collection` is the obs_collection (default: the release's name). LoadError: nothing was changed.
    """
    started = time.monotonic()
    name = release_name(release or only_release(config, "images"))
    order = _Order(directory, config.images_root, name, _identify(config, collection or name), checksums)
    files = find_files(directory, order.root)
    check = partial(refuse_taken, schemas({name: Held(0, 0.0)}), IMAGE_RELEASE, config.releases_dir)
    check()
    old = config.releases_dir / f"{IMAGE_RELEASE}.duckdb"
    with (
        replacing(config.releases_dir, IMAGE_RELEASE, check=check) as target,
        new_file(target, config) as new,
    ):
        with _old_file(new, old) as releases:
            reading = _sorted_out(new, order, files, known=name in releases, report=report or _silent)
            _read(new, order, reading)
            held = {other: _copied(new, other) for other in releases if other != name}
            held[name] = _merged(new, order, reading, known=name in releases)
        if not held[name].images:
            raise LoadError(_nothing(directory, reading.faults))
        _publish(new, dict(sorted(held.items())))
    return LoadedImages(
        name,
        held[name].images,
        len(reading.files),
        len(files) - len(reading.files),
        time.monotonic() - started,
        tuple(reading.faults),
    )


def _silent(_progress: Progress) -> None:
    """Report nothing."""


def _nothing(directory: Path, faults: Sequence[Fault]) -> str:
    return "\n".join([f"There is no image below {directory} that can be used.", *map(str, faults)])


def _identify(config: Config, collection: str) -> str:
    if not is_regular(collection.replace("-", "_")):
        raise LoadError(
            f"A collection cannot be called {collection!r}.",
            hint="It becomes a part of identifiers: use letters, digits, underscores and hyphens.",
        )
    return f"ivo://{config.authority}/{collection}"


@contextmanager
def _old_file(connection: duckdb.DuckDBPyConnection, path: Path) -> Iterator[tuple[str, ...]]:
    """The releases with images so far, from the file that is being replaced, attached meanwhile."""
    if not path.exists():
        yield ()
        return
    connection.execute(f"ATTACH '{escaped(path)}' AS {_OLD_FILE} (READ_ONLY)")
    ((text,),) = connection.execute(f"SELECT json FROM {_OLD_FILE}.vo_meta.catalog").fetchall()
    tables = [table for table in Catalog.from_json(text).tables() if table.name == IMAGES]
    if any(table.columns != images_table(table.schema).columns for table in tables):
        raise LoadError(
            f"{path} was written by another version of this program.",
            hint="Remove it, and load the images of all releases anew.",
        )
    yield tuple(table.schema for table in tables)
    connection.execute(f"DETACH {_OLD_FILE}")


def _sorted_out(
    connection: duckdb.DuckDBPyConnection, order: _Order, files: list[Path], *, known: bool, report: Report
) -> _Reading:
    """Tell the files that are published as they are from those that must be read."""
    stamps: dict[str, FileStamp] = {}
    if known:
        rows = connection.execute(
            f"SELECT DISTINCT path, file_size, file_date FROM {quoted(_OLD_FILE, order.release, IMAGES)} "
            "WHERE starts_with(path, ?) AND starts_with(obs_publisher_did, ?) "
            "AND (checksum IS NOT NULL OR NOT ?)",
            [order.below, f"{order.identify}?", order.checksums],
        ).fetchall()
        stamps = {path: FileStamp(size, date.replace(tzinfo=UTC)) for path, size, date in rows}
    top = order.root.resolve()
    paths = {path.relative_to(top).as_posix(): path for path in files}
    unchanged = frozenset(
        shown for shown, path in paths.items() if shown in stamps and FileStamp.of(path) == stamps[shown]
    )
    table = images_table(order.release).qualified
    return _Reading(
        table, unchanged, [path for shown, path in paths.items() if shown not in unchanged], report
    )


def _read(connection: duckdb.DuckDBPyConnection, order: _Order, reading: _Reading) -> None:
    """Bring the images of new and changed files into the table `fresh` in memory."""
    schema = pa.schema([*as_batch([], order.release, order.identify).schema, *FIELDS])
    _insert(connection, schema.empty_table(), f"CREATE TABLE {_FRESH} AS FROM incoming")
    done = 0
    for some in _batched(reading.files, _BATCH_FILES):
        records: list[ImageRecord] = []
        for path in some:
            records += scan(
                order.directory,
                order.root,
                files=[path],
                checksums=order.checksums,
                on_fault=reading.faults.append,
            )
            done += 1
            reading.tell(done)
        batch = as_batch(records, order.release, order.identify)
        index = sky_index(batch.column("ra"), batch.column("dec"))
        rows = pa.Table.from_arrays([*batch.columns, *index], schema=schema)
        _insert(connection, rows, f"INSERT INTO {_FRESH} FROM incoming")


def _batched(files: Sequence[Path], size: int) -> Iterator[tuple[Path, ...]]:
    waiting = iter(files)
    while some := tuple(itertools.islice(waiting, size)):
        yield some


def _insert(connection: duckdb.DuckDBPyConnection, rows: pa.Table, sql: str) -> None:
    connection.register("incoming", rows)
    try:
        connection.execute(sql)
    finally:
        connection.unregister("incoming")


def _copied(connection: duckdb.DuckDBPyConnection, release: str) -> Held:
    """The images of another release, as they were."""
    return _create(connection, release, f"SELECT * FROM {quoted(_OLD_FILE, release, IMAGES)}")


def _merged(connection: duckdb.DuckDBPyConnection, order: _Order, reading: _Reading, *, known: bool) -> Held:
    """The images of the release: those outside the directory, of unchanged files, and fresh ones."""
    kept = ""
    if known:
        unchanged = pa.table({"path": pa.array(sorted(reading.unchanged), pa.string())})
        connection.register("unchanged", unchanged)
        below = order.below.replace("'", "''")
        kept = (
            f"SELECT * FROM {quoted(_OLD_FILE, order.release, IMAGES)} "
            f"WHERE NOT starts_with(path, '{below}') OR path IN (SELECT path FROM unchanged) UNION ALL "
        )
    return _create(connection, order.release, f"{kept}SELECT * FROM {_FRESH}")


def _create(connection: duckdb.DuckDBPyConnection, release: str, rows: str) -> Held:
    connection.execute(f"CREATE SCHEMA {quoted(NEW_FILE, release)}")
    table = quoted(NEW_FILE, release, IMAGES)
    connection.execute(f"CREATE TABLE {table} AS {rows} ORDER BY hpx29, image_id")
    ((count, fov),) = connection.execute(f"SELECT count(*), max(fov) FROM {table}").fetchall()
    return Held(count, (fov or 0.0) / 2 * (1 + _ROUNDING))


def _publish(connection: duckdb.DuckDBPyConnection, held: dict[str, Held]) -> None:
    """Make obscore of the images of all releases, and write what the file publishes."""
    selects = " UNION ALL ".join(obscore_sql(release, quoted(NEW_FILE, release, IMAGES)) for release in held)
    obscore = obscore_table()
    target = quoted(NEW_FILE, obscore.schema, obscore.name)
    connection.execute(f"CREATE SCHEMA {quoted(NEW_FILE, obscore.schema)}")
    connection.execute(f"CREATE TABLE {target} AS {selects} ORDER BY hpx29, obs_publisher_did")
    _refuse_namesakes(connection, target)
    write_catalog(connection, Catalog(schemas(held), f"images@{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"))


def _refuse_namesakes(connection: duckdb.DuckDBPyConnection, target: str) -> None:
    """Refuse images whose identifiers differ in case alone, or not at all (Identifiers 2.0, 2.1.2)."""
    found = connection.execute(
        f"SELECT list(obs_publisher_did) FROM {target} GROUP BY lower(obs_publisher_did) "
        "HAVING count(*) > 1 LIMIT 1"
    ).fetchall()
    for (names,) in found:
        raise LoadError(
            f"Two images would have the same identifier: {' and '.join(names[:2])}.",
            hint="Rename one of the files, or give one of the releases another --collection.",
        )
