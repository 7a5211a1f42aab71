"""The embedded database: every release file attached read-only to one DuckDB instance in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
import pyarrow as pa

from vo.catalog import SHARED_RELEASES, Catalog, Column, Schema, Table
from vo.db.base import Database, Incoming
from vo.db.duckdb_plan import Zones, account, quoted, rows_read, zones
from vo.db.duckdb_regions import add_region_functions
from vo.errors import CancelledError, ConfigError, UsageError, VOError
from vo.result import Plan, Result, Statement

BATCH_ROWS = 8_192
"""Rows of an Arrow batch: four of DuckDB's vectors, so that the first one is there in milliseconds."""

Describe = Callable[[Catalog], tuple[Schema, Mapping[str, pa.Table]]]
"""Makes the schema that describes a catalogue (TAP_SCHEMA), and the rows of its tables by table name."""

OnStart = Callable[[Callable[[], None]], None]
"""Is handed what stops a statement, see `Database.stream`."""

_SHARED = tuple(f"{release}.duckdb" for release in SHARED_RELEASES)

_QUERY_FAULTS = (
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
    duckdb.InvalidInputException,
    duckdb.DataError,
)
"""Errors that the values met by a valid query cause: a cast that does not fit, a logarithm of zero."""


@dataclass
class _Generation:
    """One DuckDB instance over the release files as they were at one moment."""

    fingerprint: tuple[tuple[str, int, int], ...]
    connection: duckdb.DuckDBPyConnection
    catalog: Catalog
    users: int = 0
    zones: dict[tuple[str, ...], Zones] = field(default_factory=dict)
    """Of each table that a plan asked for: a release does not change."""


class DuckDBDatabase:
    """Releases in `releases_dir`; a release that `vo load` swaps in is seen by the next statement.

    Running statements finish on the files they started with. The instance cannot touch files, load
    extensions or change its settings, whatever SQL reaches it.
    """

    dialect = "duckdb"
    takes_tables = True

    def __init__(
        self,
        releases_dir: Path,
        *,
        describe: Describe,
        memory: str,
        threads: int,
        temp_dir: Path,
        public_url: str = "",
    ) -> None:
        self._releases_dir = releases_dir
        self._describe = describe
        self._public_url = public_url
        self._settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": memory,
            "threads": threads,
            "temp_directory": str(temp_dir),
            "python_enable_replacements": False,
        }
        self._lock = threading.Lock()
        self._generation: _Generation | None = None

    def catalog(self) -> Catalog:
        """What the release files publish now, TAP_SCHEMA included."""
        with self._lock:
            return self._current().catalog

    def stream(
        self,
        statement: Statement,
        *,
        maxrec: int | None = None,
        on_start: OnStart | None = None,
    ) -> Result:
        """Run `statement`; see `Database.stream`."""
        generation, cursor = self._begin()

        def close() -> None:
            cursor.close()
            self._release(generation)

        _announce(cursor, on_start)
        return Result(statement.columns, _batches(cursor, statement.sql), maxrec=maxrec, on_close=close)

    def plan(self, statement: Statement) -> Plan:
        """The text of EXPLAIN, and the rows counted by `rows_read`."""
        with self._planning() as (generation, cursor):
            return Plan(account(cursor, statement.sql), _rows_read(generation, cursor, statement))

    def rows_read(self, statement: Statement) -> int:
        """The rows of `plan` alone."""
        with self._planning() as (generation, cursor):
            return _rows_read(generation, cursor, statement)

    @contextmanager
    def holding(
        self,
        schema: str,
        incoming: Sequence[Incoming],
        *,
        on_start: OnStart | None = None,
    ) -> Iterator[Database]:
        """The releases and, in temporary tables of one connection, what comes in; see `Database.holding`."""
        with self._planning() as (generation, cursor):
            _announce(cursor, on_start)
            held = Schema(schema, tuple(_filled(cursor, each) for each in incoming))
            catalog = generation.catalog.merged(Catalog((held,)))
            yield _Holding(self, generation, cursor, catalog)

    def close(self) -> None:
        """Close the instance; statements still running end with an error."""
        with self._lock:
            generation, self._generation = self._generation, None
            if generation is not None:
                generation.connection.close()

    def _begin(self) -> tuple[_Generation, duckdb.DuckDBPyConnection]:
        """A cursor on the current files, which stay open until `_release`."""
        with self._lock:
            generation = self._current()
            generation.users += 1
        return generation, generation.connection.cursor()

    @contextmanager
    def _planning(self) -> Iterator[tuple[_Generation, duckdb.DuckDBPyConnection]]:
        generation, cursor = self._begin()
        try:
            yield generation, cursor
        except duckdb.Error as error:
            raise _as_vo_error(error) from error
        finally:
            cursor.close()
            self._release(generation)

    def _current(self) -> _Generation:
        fingerprint = _fingerprint(self._releases_dir)
        old = self._generation
        if old is not None and old.fingerprint == fingerprint:
            return old
        self._generation = self._opened(fingerprint)
        if old is not None and old.users == 0:
            old.connection.close()
        return self._generation

    def _release(self, generation: _Generation) -> None:
        with self._lock:
            generation.users -= 1
            if generation.users == 0 and generation is not self._generation:
                generation.connection.close()

    def _opened(self, fingerprint: tuple[tuple[str, int, int], ...]) -> _Generation:
        connection = duckdb.connect(config=self._settings)
        try:
            catalog = Catalog()
            for name in sorted((name for name, *_ in fingerprint), key=_SHARED.__contains__):
                attached = _attached(connection, self._releases_dir / name)
                catalog = catalog.merged(_with_urls(attached, self._public_url))
            schema, tables = self._describe(catalog)
            _register(connection, schema, tables)
            add_region_functions(connection)
            # Defence in depth: the allow-list of vo.adql lets no file function through in the first place.
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
        except BaseException:
            connection.close()
            raise
        return _Generation(fingerprint, connection, _in_memory(schema, catalog))


class _Holding:
    """The database as the one connection sees it that has the tables of a job."""

    dialect = DuckDBDatabase.dialect
    takes_tables = False

    def __init__(
        self,
        database: DuckDBDatabase,
        generation: _Generation,
        cursor: duckdb.DuckDBPyConnection,
        catalog: Catalog,
    ) -> None:
        self._database = database
        self._generation = generation
        self._cursor = cursor
        self._catalog = catalog
        self.holding = database.holding
        self.close = database.close

    def catalog(self) -> Catalog:
        """What is published, and what is held."""
        return self._catalog

    def stream(
        self, statement: Statement, *, maxrec: int | None = None, on_start: OnStart | None = None
    ) -> Result:
        """Run `statement`; see `Database.stream`. The connection stays open."""
        _announce(self._cursor, on_start)
        return Result(statement.columns, _batches(self._cursor, statement.sql), maxrec=maxrec)

    def plan(self, statement: Statement) -> Plan:
        """See `DuckDBDatabase.plan`."""
        return Plan(account(self._cursor, statement.sql), self.rows_read(statement))

    def rows_read(self, statement: Statement) -> int:
        """See `DuckDBDatabase.rows_read`."""
        return _rows_read(self._generation, self._cursor, statement)


def _announce(cursor: duckdb.DuckDBPyConnection, on_start: OnStart | None) -> None:
    """Hand out what stops the cursor's statement from any thread."""

    def cancel() -> None:
        with suppress(duckdb.ConnectionException):  # it has ended by itself
            cursor.interrupt()

    if on_start is not None:
        on_start(cancel)


def _filled(cursor: duckdb.DuckDBPyConnection, incoming: Incoming) -> Table:
    """The table as a temporary one of the connection, its rows inserted batch by batch."""
    table = incoming.table
    path = ("temp", "main", table.name)
    target = ".".join(map(quoted, path))
    schema = pa.schema(
        [pa.field(column.db_name or column.name, _storable(column.arrow_type())) for column in table.columns]
    )
    _inserted(cursor, schema.empty_table(), f"CREATE TEMP TABLE {target} AS FROM incoming")
    rows = 0
    for batch in incoming.batches:
        named = batch.rename_columns(schema.names).cast(schema)
        _inserted(cursor, pa.Table.from_batches([named]), f"INSERT INTO {target} FROM incoming")
        rows += batch.num_rows
    return replace(table, db_name=path, nrows=rows)


def _inserted(cursor: duckdb.DuckDBPyConnection, rows: pa.Table, sql: str) -> None:
    cursor.register("incoming", rows)
    try:
        cursor.execute(sql)
    finally:
        cursor.unregister("incoming")


def _storable(kind: pa.DataType) -> pa.DataType:
    """Arrays of one length as arrays of any: DuckDB loses the former on the far side of an outer join."""
    return pa.list_(kind.value_type) if pa.types.is_fixed_size_list(kind) else kind


def _fingerprint(releases_dir: Path) -> tuple[tuple[str, int, int], ...]:
    found = []
    for path in sorted(releases_dir.glob("*.duckdb")):
        with suppress(FileNotFoundError):
            status = path.stat()
            found.append((path.name, status.st_ino, status.st_mtime_ns))
    return tuple(found)


def _attached(connection: duckdb.DuckDBPyConnection, path: Path) -> Catalog:
    """Attach a release file under its stem; its catalogue, with the path of each table filled in."""
    release = path.stem
    try:
        connection.execute(f"ATTACH '{_escaped(path)}' AS {quoted(release)} (READ_ONLY)")
        rows = connection.execute(f"SELECT json FROM {quoted(release)}.vo_meta.catalog").fetchall()
    except duckdb.Error as error:
        raise ConfigError(
            f"{path} is not a release: {_first_line(error)}", hint="Build it anew with `vo load`."
        ) from error
    if not rows:
        raise ConfigError(f"{path} describes no tables.", hint="Build it anew with `vo load`.")
    try:
        catalog = Catalog.from_json(rows[0][0])
    except ValueError as error:
        raise ConfigError(
            f"The catalogue in {path} is {error}.", hint="Build it anew with `vo load`."
        ) from error
    schemas = tuple(
        replace(
            schema,
            tables=tuple(replace(t, db_name=(release, schema.name, t.name)) for t in schema.tables),
        )
        for schema in catalog.schemas
    )
    return Catalog(schemas, catalog.release)


def _with_urls(catalog: Catalog, public_url: str) -> Catalog:
    """The catalogue with the service's URL in front of what is kept relative to it."""
    schemas = tuple(
        replace(
            schema,
            tables=tuple(
                replace(table, columns=tuple(_with_url(column, public_url) for column in table.columns))
                for table in schema.tables
            ),
        )
        for schema in catalog.schemas
    )
    return Catalog(schemas, catalog.release)


def _with_url(column: Column, public_url: str) -> Column:
    return column if column.prefix is None else replace(column, prefix=public_url + column.prefix)


def _register(connection: duckdb.DuckDBPyConnection, schema: Schema, tables: Mapping[str, pa.Table]) -> None:
    connection.execute(f"CREATE SCHEMA {quoted(schema.name)}")
    for name, table in tables.items():
        connection.register("incoming", table)
        connection.execute(f"CREATE TABLE {quoted(schema.name)}.{quoted(name)} AS FROM incoming")
        connection.unregister("incoming")


def _in_memory(schema: Schema, catalog: Catalog) -> Catalog:
    tables = tuple(replace(table, db_name=("memory", schema.name, table.name)) for table in schema.tables)
    return Catalog((replace(schema, tables=tables),)).merged(catalog)


def _rows_read(generation: _Generation, cursor: duckdb.DuckDBPyConnection, statement: Statement) -> int:
    def zones_of(table: Table) -> Zones:
        path = table.database_path
        if path not in generation.zones:
            generation.zones[path] = zones(cursor, table)
        return generation.zones[path]

    return rows_read(cursor, statement, zones_of)


def _batches(cursor: duckdb.DuckDBPyConnection, sql: str) -> Iterator[pa.RecordBatch]:
    # `execute` would gather the whole result first. A relation streams, by this very call, but binds the
    # statement once more beforehand: a quarter of the time of a short query.
    try:
        yield from cursor._submit(sql, None, "stream", BATCH_ROWS).arrow_reader()  # noqa: SLF001  see above
    except (duckdb.Error, OSError) as error:  # pyarrow turns errors of a running stream into OSError
        raise _as_vo_error(error) from error


def _as_vo_error(error: Exception) -> VOError:
    text = _first_line(error)
    if isinstance(error, duckdb.InterruptException) or "INTERRUPT" in text:
        return CancelledError("The query was stopped.")
    if isinstance(error, _QUERY_FAULTS) or text.startswith(("Conversion Error", "Out of Range Error")):
        return UsageError(f"The query met a value that it cannot process: {text}")
    if isinstance(error, duckdb.OutOfMemoryException) or text.startswith("Out of Memory"):
        return UsageError(
            "The query needs more memory than one query may use.",
            hint="Select fewer columns, narrow the WHERE clause, or drop ORDER BY.",
        )
    return VOError(f"The database failed: {text}")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")
