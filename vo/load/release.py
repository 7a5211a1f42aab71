"""Loading a release: its directory read and judged, its file built, and put where it is served."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import duckdb

from vo.catalog import SHARED_RELEASES, Catalog, Schema, is_regular, quoted
from vo.config import Config
from vo.errors import LoadError
from vo.load.build import build
from vo.load.datafile import find_files
from vo.load.description import Description
from vo.load.felis import read_description
from vo.load.progress import Progress, Report
from vo.load.rows import TableRows, open_rows
from vo.load.swap import replacing

DESCRIPTION = "release.yaml"
"""The file of a release's directory that describes it."""

EXAMPLE = """\
name: my_survey
description: What the survey is.
tables:
  - name: objects
    description: One row an object.
    primaryKey: object_id
    columns:
      - {name: object_id, datatype: long, ivoa:ucd: meta.id;meta.main, description: Identifier.}
      - {name: ra, datatype: double, ivoa:unit: deg, ivoa:ucd: pos.eq.ra;meta.main}
      - {name: dec, datatype: double, ivoa:unit: deg, ivoa:ucd: pos.eq.dec;meta.main}
"""
"""The least that describes a release, told where a directory has no description."""

_REFUSED_RELEASES = (
    *("main", "memory", "system", "temp", "tap_schema", "tap_upload", "vo_meta", "ivoa"),
    *SHARED_RELEASES,
)
"""Names that the database or the service uses for something else."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load left behind; `tables` are names as in ADQL with their rows."""

    release: str
    tables: tuple[tuple[str, int], ...]
    seconds: float
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """The summary, line by line."""
        rows = sum(count for _, count in self.tables)
        lines = [f"release {self.release}: {len(self.tables)} tables, {rows:,} rows, {self.seconds:.1f} s"]
        lines += [f"  {name}: {count:,} rows" for name, count in self.tables]
        return "\n".join(lines + [f"note: {note}" for note in self.notes])


def load_release(
    source: Path, config: Config, *, name: str | None = None, report: Report | None = None
) -> Loaded:
    """Build the release that the directory `source` describes and serve it in place of its predecessor.

    `name` is that of the release (default: of its first schema). Whatever is wrong is a LoadError, and
    then what was served before is served still.
    """
    started = time.monotonic()
    description = described(source)
    release = release_name(name or description.schemas[0].name)
    check = partial(refuse_taken, description.schemas, release, config.releases_dir)
    check()
    rows = opened_rows(description)
    with replacing(config.releases_dir, release, check=check) as target:
        catalog = build(
            target,
            description.schemas,
            rows,
            release=f"{release}@{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}",
            config=config,
            report=report or silent,
        )
    tables = tuple((table.qualified, table.nrows or 0) for table in catalog.tables())
    notes = (*description.notes, *unread(rows))
    return Loaded(release, tables, time.monotonic() - started, notes)


def silent(_progress: Progress) -> None:
    """Report nothing."""


def described(source: Path) -> Description:
    """The description in the directory `source`; LoadError: there is none, or it is wrong."""
    path = source / DESCRIPTION
    if not path.is_file():
        what = f"{source} has no {DESCRIPTION}" if source.is_dir() else f"{source} is not a directory"
        raise LoadError(
            f"{what}: it must describe the tables whose data files lie beside it.",
            hint=f"The least it may say, beside a file objects.parquet:\n\n{EXAMPLE}",
        )
    return read_description(path)


def release_name(name: str) -> str:
    """`name`; LoadError: a release cannot be called so."""
    if not is_regular(name) or name.lower() in _REFUSED_RELEASES:
        raise LoadError(
            f"A release cannot be called {name!r}.",
            hint="Give it a name of letters, digits and underscores that begins with a letter.",
        )
    return name


def opened_rows(description: Description) -> list[TableRows]:
    """The rows of every table; the troubles of all tables are told at once."""
    rows, troubles = [], []
    for described, paths in zip(description.tables, find_files(description), strict=True):
        try:
            rows.append(open_rows(described, paths))
        except LoadError as error:
            troubles.append(str(error))
    if troubles:
        raise LoadError(troubles[0], hint="\n".join(troubles[1:]) or None)
    return rows


def unread(rows: Sequence[TableRows]) -> Iterator[str]:
    """A note on each table whose files have columns that are not described."""
    for table in rows:
        if table.extra:
            names = ", ".join(table.extra)
            yield f"{table.described.table.qualified}: left out, as not described: {names}."


def refuse_taken(schemas: Sequence[Schema], release: str, releases_dir: Path) -> None:
    """Refuse a schema that another release publishes: of two, a query would find either.

    Files that hold something of all releases share schemas with them, but no tables.
    """
    ours = {schema.name.lower(): schema for schema in schemas}
    for path in sorted(releases_dir.glob("*.duckdb")):
        if path.stem.lower() == release.lower() and path.stem != release:
            raise LoadError(f"There is a release {path.stem}, which differs from {release} in case only.")
        if path.stem == release:
            continue
        for schema in served(path).schemas:
            mine = ours.get(schema.name.lower())
            if mine is None:
                continue
            if not {release, path.stem}.isdisjoint(SHARED_RELEASES):
                _refuse_table(mine, schema, path)
                continue
            raise LoadError(
                f"The schema {mine.name} is served by the release {path.stem} already.",
                hint=f"Rename the schema, load it as the release {path.stem}, or remove {path}.",
            )


def _refuse_table(mine: Schema, theirs: Schema, path: Path) -> None:
    names = {table.name.lower() for table in theirs.tables}
    for table in mine.tables:
        if table.name.lower() in names:
            raise LoadError(
                f"The table {table.qualified} is served from {path.name} already.",
                hint="Rename the table, or remove that file.",
            )


def only_release(config: Config, what: str) -> str:
    """The one release that is served; a LoadError asks which of several `what` belongs to."""
    names = [
        path.stem for path in sorted(config.releases_dir.glob("*.duckdb")) if path.stem not in SHARED_RELEASES
    ]
    if len(names) == 1:
        return names[0]
    raise LoadError(
        f"Which release do the {what} belong to? There are {len(names)}.", hint="Name it by --release."
    )


def served(path: Path) -> Catalog:
    """The catalogue within a release file."""
    escaped = str(path).replace("'", "''")
    with duckdb.connect() as connection:
        try:
            connection.execute(f"ATTACH '{escaped}' AS {quoted(path.stem)} (READ_ONLY)")
            row = connection.execute(f"SELECT json FROM {quoted(path.stem)}.vo_meta.catalog").fetchone()
        except duckdb.Error as error:
            raise LoadError(f"{path} is not a release.", hint="Remove it or load it anew.") from error
    return Catalog.from_json(row[0]) if row else Catalog()
