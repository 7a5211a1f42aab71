"""The same release in H2 that speaks Oracle: every query runs on both databases, and the rows must agree."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from adql.small_release import Release

from vo.adql import translate
from vo.adql.oracle_functions import sql_type
from vo.catalog import Catalog, Column, SpatialKey, Table
from vo.errors import QueryError
from vo.result import Statement

Java = Any
"""An object of Java, whose methods Python does not know."""

H2 = Path("/usr/share/java/h2.jar")
# H2 takes a backslash for an escape in LIKE, and sorts NULL first, unless it is told what Oracle does.
_URL = "jdbc:h2:mem:{};MODE=Oracle;DEFAULT_NULL_ORDERING=HIGH;DEFAULT_ESCAPE="


def missing() -> str | None:
    """Why H2 cannot run here; None if it can."""
    if not H2.exists():
        return "needs H2: apt-get install libh2-java"
    try:
        import jpype  # noqa: F401, PLC0415  a tool of these tests alone
    except ImportError:
        return "needs a bridge to Java: pip install jpype1"
    return None


def connect(name: str, user: str = "") -> Java:
    """A connection to a database of H2 in this process, which is empty if it is the first."""
    import jpype  # noqa: PLC0415
    import jpype.imports  # noqa: PLC0415

    if not jpype.isJVMStarted():
        jpype.startJVM(
            jpype.getDefaultJVMPath(), "-Xmx512m", "-Xrs", classpath=[str(H2)], convertStrings=True
        )
    login = jpype.JClass("java.util.Properties")()
    login.setProperty("user", user)
    return jpype.JClass("org.h2.Driver")().connect(_URL.format(name), login)


def oracle_catalog(catalog: Catalog) -> Catalog:
    """The catalogue as Oracle would give it: names in capitals, two of them to a table."""
    schemas = (
        replace(schema, tables=tuple(_oracle_table(table) for table in schema.tables))
        for schema in catalog.schemas
    )
    return Catalog(tuple(schemas), catalog.release)


def _oracle_table(table: Table) -> Table:
    columns = tuple(
        replace(column, db_name=(column.db_name or column.name).upper()) for column in table.columns
    )
    spatial = table.spatial and SpatialKey(table.spatial.lon, table.spatial.lat, "HPX29")
    path = tuple(name.upper() for name in table.database_path[-2:])
    return replace(table, columns=columns, spatial=spatial, db_name=path)


def is_scalar(column: Column) -> bool:
    """Whether Oracle has a type for the column."""
    return column.is_string or column.arraysize in (None, "1")


@dataclass
class BothReleases(Release):
    """A release of which every query is asked twice; rows are those of DuckDB, once H2 agrees.

    `excluded` says why a query that holds a certain text is asked of DuckDB alone.
    """

    h2: Java = None
    excluded: Mapping[str, str] = field(default_factory=dict)
    judge: Callable[[str], list[str]] = list
    asked: int = 0
    refused: list[str] = field(default_factory=list)

    def oracle(self, query: str, maxrec: int | None = None) -> Statement:
        """The statement of a query in Oracle."""
        return translate(query, oracle_catalog(self.catalog), dialect="oracle", maxrec=maxrec)

    def rows(self, query: str, maxrec: int | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query from DuckDB, which must be those of H2."""
        rows = super().rows(query, maxrec)
        if any(text in query for text in self.excluded):
            return rows
        try:
            statement = self.oracle(query, maxrec)
        except QueryError as error:
            if "not offered on this database" not in str(error):
                raise
            self.refused.append(query)
            return rows
        assert statement.columns == self.translate(query, maxrec).columns
        found = self.fetch(statement)
        self.asked += 1
        is_cut = "TOP" in query or maxrec is not None
        if "ORDER BY" not in query and is_cut:
            assert len(found) == len(rows), (query, statement.sql)
        else:
            ours = rows if "ORDER BY" in query else sorted(rows, key=_key)
            theirs = found if "ORDER BY" in query else sorted(found, key=_key)
            assert len(ours) == len(theirs), (query, statement.sql)
            assert all(map(_agree, ours, theirs)), (query, statement.sql, ours[:5], theirs[:5])
        return rows

    def fetch(self, statement: Statement) -> list[tuple[Any, ...]]:
        """The rows of a statement from H2, as Python's values of the declared types."""
        assert self.judge(statement.sql) == [], statement.sql
        prepared = self.h2.prepareStatement(_for_h2(statement.sql))
        try:
            result = prepared.executeQuery()
            widths = statement.widths or [1] * len(statement.columns)
            readers = [
                _reader(column) if width == 1 else "getDouble"
                for column, width in zip(statement.columns, widths, strict=True)
                for _ in range(width)
            ]
            return [_joined(row, widths) for row in _read(result, readers)]
        finally:
            prepared.close()


_TYPES: Mapping[str, type] = {"getLong": int, "getDouble": float, "getBoolean": bool, "getString": str}


def _for_h2(sql: str) -> str:
    """The statement, but for BITAND, which H2 has for BIGINT alone."""
    return sql.replace("NUMBER(19)", "BIGINT") if "BITAND" in sql else sql


def _reader(column: Column) -> str:
    if column.xtype == "timestamp":
        return "getTimestamp"
    if column.is_string:
        return "getString"
    names = {"float": "getDouble", "double": "getDouble", "boolean": "getBoolean"}
    return names.get(column.datatype, "getLong")


def _read(result: Java, readers: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    getters = [getattr(result, reader) for reader in readers]
    while result.next():
        yield tuple(_value(result, getter, i) for i, getter in enumerate(getters, 1))


def _value(result: Java, getter: Java, position: int) -> object:
    value = getter(position)
    if value is None or result.wasNull():
        return None
    if hasattr(value, "toLocalDateTime"):
        return datetime.fromisoformat(str(value))
    return _TYPES[getter.__name__](value)


def _joined(row: tuple[Any, ...], widths: Sequence[int]) -> tuple[Any, ...]:
    """The row with the numbers of each shape together."""
    values = iter(row)
    return tuple(
        next(values) if width == 1 else tuple(next(values) for _ in range(width)) for width in widths
    )


def _key(row: tuple[Any, ...]) -> list[tuple[bool, Any]]:
    return [
        (value is None, 0 if value is None else round(value, 6) if isinstance(value, float) else value)
        for item in row
        for value in (item if isinstance(item, tuple | list) else (item,))
    ]


def _agree(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> bool:
    return len(ours) == len(theirs) and all(map(_same, ours, theirs))


def _same(ours: object, theirs: object) -> bool:
    if isinstance(ours, float) and isinstance(theirs, float):
        return ours == theirs or math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(theirs, tuple):
        given = (None,) * len(theirs) if ours is None else ours
        return (
            isinstance(given, tuple | list) and len(given) == len(theirs) and all(map(_same, given, theirs))
        )
    return type(ours) is type(theirs) and ours == theirs


def fill(h2: Java, release: Release) -> None:
    """Write the tables of a release to H2, under the types that Oracle would have."""
    statement = h2.createStatement()
    for schema in release.catalog.schemas:
        statement.execute(f'CREATE SCHEMA "{schema.name.upper()}"')
        for table in schema.tables:
            _fill_table(h2, release, table)
    statement.close()


def _fill_table(h2: Java, release: Release, table: Table) -> None:
    columns = [column for column in table.columns if is_scalar(column)]
    names = [column.db_name or column.name for column in columns]
    types = [sql_type(column) for column in columns]
    if table.spatial is not None:
        names.append("hpx29")
        types.append("NUMBER(19)")
    path = ".".join(f'"{name.upper()}"' for name in table.database_path[-2:])
    declared = ", ".join(f'"{name.upper()}" {kind}' for name, kind in zip(names, types, strict=True))
    statement = h2.createStatement()
    statement.execute(f"CREATE TABLE {path} ({declared})")
    statement.close()
    wanted = ", ".join(f'"{name}"' for name in names)
    source = ".".join(f'"{name}"' for name in table.database_path)
    rows = release.connection.cursor().execute(f"SELECT {wanted} FROM {source}").fetchall()
    insert = h2.prepareStatement(f"INSERT INTO {path} VALUES ({', '.join('?' * len(names))})")
    for row in rows:
        for position, value in enumerate(row, 1):
            insert.setObject(position, str(value) if isinstance(value, datetime) else value)
        insert.addBatch()
    insert.executeBatch()
    insert.close()


def both_releases(
    release: Release, excluded: Mapping[str, str], judge: Callable[[str], list[str]]
) -> BothReleases:
    """The release on both databases; `judge` complains about SQL before it runs."""
    h2 = connect(f"r{id(release)}")
    fill(h2, release)
    return BothReleases(
        release.catalog, release.connection, release.stars, h2=h2, excluded=excluded, judge=judge
    )
