"""`vo load --database oracle`: a release brought into tables of its own in Oracle, then published at once.

Its rows are first checked and put into the order of the sky in a release file on this machine, as for DuckDB.
The tables are new ones, whose names end with a mark of what is loaded; so a load that was cut off goes on
where it stopped, and those who read the release before are not disturbed. Its tables stay until the longest
query can have ended, and the next load removes them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from vo.catalog import Schema, SpatialKey, Table
from vo.config import Config
from vo.db.oracle_access import Connection, OracleAccess, quoted_path, writing
from vo.errors import LoadError
from vo.load.build import build
from vo.load.datafile import find_files
from vo.load.description import DescribedTable, Description
from vo.load.oracle_ddl import (
    INDEX,
    StoredTable,
    creation,
    finishing,
    refuse_unstorable,
    stored_column,
    stored_name,
)
from vo.load.oracle_retired import remove_retired, tell
from vo.load.oracle_rows import StagedFile, copy_rows, there
from vo.load.progress import Progress, Report
from vo.load.publication import catalog_table, current_schema, prepare, publish_schemas
from vo.load.release import Loaded, described, opened_rows, release_name, served, silent, unread
from vo.load.rows import TableRows
from vo.load.swap import locked, replacing


@dataclass(frozen=True, slots=True)
class OracleOptions:
    """Accounts that may read, partitions of a table, and whether blocks are written directly."""

    readers: tuple[str, ...] = ()
    partitions: int = 1
    direct: bool = False


def load_into_oracle(
    source: Path,
    config: Config,
    options: OracleOptions,
    *,
    name: str | None = None,
    report: Report | None = None,
) -> Loaded:
    """Bring the release that the directory `source` describes into Oracle and publish it there.

    Begun again after whatever ended it, it goes on. LoadError tells what is wrong with the description or the
    values, or cannot be stored in Oracle; what was published before is published still.
    """
    started = time.monotonic()
    description = described(source)
    release = release_name(name or description.schemas[0].name)
    refuse_unstorable([each.table for each in description.tables])
    rows, access = opened_rows(description), OracleAccess.from_config(config)
    directory = config.staging_dir
    directory.mkdir(parents=True, exist_ok=True)
    mark = _mark(description)
    with locked(directory / f".{release}.load", release), writing(access) as connection:
        staged = directory / f"{release}_{mark}.duckdb"
        if is_new := not staged.exists():
            _stage(staged, description, rows, config, report or silent)
        work = _Work(connection, access, mark, options, report or silent, is_new)
        schemas, notes = work.load(description, staged, config)
        for leftover in directory.glob(f"{release}_*.duckdb"):
            leftover.unlink()
    tables = tuple((table.qualified, table.nrows or 0) for schema in schemas for table in schema.tables)
    return Loaded(release, tables, time.monotonic() - started, (*description.notes, *unread(rows), *notes))


def _mark(description: Description) -> str:
    """Eight letters that are others when a file of the release has another size or time.

    In capitals, so that nobody has to quote the name of a table; no date, with which a DBA's may end.
    """
    files = [description.path, *(path for paths in find_files(description) for path in paths)]
    states = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return "L" + hashlib.sha256(repr(states).encode()).hexdigest()[:7].upper()


def _stage(
    staged: Path, description: Description, rows: Sequence[TableRows], config: Config, report: Report
) -> None:
    """Write the release file from which the rows are copied."""
    with replacing(staged.parent, staged.stem, check=lambda: None) as target:
        build(target, description.schemas, rows, release=staged.stem, config=config, report=report)


@dataclass(frozen=True, slots=True)
class _Work:
    """One load on one connection."""

    connection: Connection
    access: OracleAccess
    mark: str
    options: OracleOptions
    report: Report
    is_new: bool
    """Whether the release file is not the one that an earlier load copied from: rows at one place of the sky
    may lie in another order there."""

    def load(
        self, description: Description, file: Path, config: Config
    ) -> tuple[tuple[Schema, ...], tuple[str, ...]]:
        """Make, fill and publish the tables; what is published, and what is worth a note."""
        own = current_schema(self.connection)
        path = catalog_table(self.access, own)
        beside = prepare(path, self.connection)
        names = {each.table.qualified: stored_name(each.table, self.mark) for each in description.tables}
        notes = remove_retired(self.connection, path, list(names.values()), longest_s=self.access.statement_s)
        with closing(StagedFile(file, config)) as staged:
            counted = served(file)
            tables = {
                each.table.qualified: self._store(
                    each, (own, names[each.table.qualified]), counted.schemas, staged
                )
                for each in description.tables
            }
        for reader in self.options.readers:
            for name in beside:
                tell(self.connection, f"GRANT SELECT ON {name} TO {quoted_path(reader)}")
        schemas = tuple(
            replace(schema, tables=tuple(tables[table.qualified] for table in schema.tables))
            for schema in description.schemas
        )
        replaced = {schema.name.lower() for schema in schemas}
        publish_schemas(
            lambda old: (*(s for s in old if s.name.lower() not in replaced), *schemas), path, self.connection
        )
        return schemas, notes

    def _store(
        self, item: DescribedTable, place: tuple[str, str], staged: Sequence[Schema], file: StagedFile
    ) -> Table:
        """One table with all its rows, keys and comments; it may have been begun before."""
        source = next(t for schema in staged for t in schema.tables if t.qualified == item.table.qualified)
        stored = StoredTable(
            _placed(source, place),
            item.required,
            item.constraints.primary,
            item.constraints.unique,
            file.borders(source, self.options.partitions),
        )
        tell(self.connection, creation(stored))
        if self.is_new and 0 < there(stored, self.connection) < (source.nrows or 0):
            tell(self.connection, f"TRUNCATE TABLE {stored.path}")
        copy_rows(file, source, stored, self.connection, self.report, direct=self.options.direct)
        found = there(stored, self.connection)
        if found != source.nrows:
            raise LoadError(
                f"{stored.path} has {found:,} rows, but {source.qualified} has {source.nrows:,}.",
                hint=f"Remove it (DROP TABLE {stored.path} PURGE) and load again.",
            )
        self.report(Progress("index", source.qualified, found))
        for statement in finishing(stored, self.options.readers):
            tell(self.connection, statement)
        return stored.table


def _placed(table: Table, place: tuple[str, str]) -> Table:
    """The table as it is called in Oracle."""
    return replace(
        table,
        columns=tuple(replace(column, db_name=stored_column(column.name)) for column in table.columns),
        spatial=None if table.spatial is None else SpatialKey(table.spatial.lon, table.spatial.lat, INDEX),
        db_name=place,
    )
