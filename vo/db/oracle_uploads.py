"""Tables that a query brings along, as private temporary tables of the session that runs it.

Such a table is known to its session alone, together with its definition, and ends with it. Making one ends no
transaction, but a read-only one takes no rows (ORA-01456): so the tables are filled and committed first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from vo.catalog import Table
from vo.db.base import Incoming
from vo.db.oracle_access import quoted_path
from vo.db.oracle_run import BATCH_ROWS, OracleRun
from vo.errors import ConfigError, UsageError, VOError

_PREFIX = "ORA$PTT_"
"""How the names of private temporary tables begin, unless PRIVATE_TEMP_TABLE_PREFIX says otherwise."""

_MOST_COLUMNS = 1_000
"""Columns of a table before 23ai, and after it too unless MAX_COLUMNS is EXTENDED (ORA-01792)."""

_LONGEST_TEXT = 4_000  # bytes of a VARCHAR2, where MAX_STRING_SIZE is STANDARD
_TIMES = tuple(
    pa.scalar(text).cast(pa.timestamp("us")) for text in ("0001-01-01", "9999-12-31T23:59:59.999999")
)
"""The first and the last moment that the driver binds."""

_TYPES: Mapping[pa.DataType, str] = {
    pa.bool_(): "NUMBER(1)",
    **dict.fromkeys((pa.uint8(), pa.int16(), pa.int32(), pa.int64()), "NUMBER(19)"),
    pa.float32(): "BINARY_FLOAT",
    pa.float64(): "BINARY_DOUBLE",
    pa.string(): f"VARCHAR2({_LONGEST_TEXT})",
    pa.timestamp("us"): "TIMESTAMP",
}
"""What columns are stored as. Text is no CLOB, which could be neither compared nor grouped."""

_REFUSED: Mapping[str, str] = {
    "ORA-01031": "Grant CREATE TABLE to VO_ORACLE_USER, or set VO_ORACLE_UPLOADS=0.",
    "ORA-00903": f"Set PRIVATE_TEMP_TABLE_PREFIX of the database to {_PREFIX}, or VO_ORACLE_UPLOADS=0.",
    "ORA-14451": "Let VO_ORACLE_USER be no account of the system, or set VO_ORACLE_UPLOADS=0.",
}
"""Errors that say that the account or the server makes no such tables, and how to mend that."""


def stored(run: OracleRun, incoming: Sequence[Incoming]) -> tuple[Table, ...]:
    """The tables with their rows in the session of `run`, committed; none of them outlives it.

    UsageError: a column or a value that these tables cannot hold.
    """
    tables = tuple(_stored(run, f"{_PREFIX}{place}", each) for place, each in enumerate(incoming, 1))
    run.commit()
    return tables


def _stored(run: OracleRun, name: str, incoming: Incoming) -> Table:
    table = incoming.table
    _make(run, name, table)
    columns = table.columns
    marks = ", ".join(f":{place}" for place in range(1, len(columns) + 1))
    rows = 0
    for batch in _pieces(incoming.batches):
        arrays = [
            bindable(array, f"{table.qualified}: The column {column.name!r}")
            for column, array in zip(columns, batch.columns, strict=True)
        ]
        bound = pa.RecordBatch.from_arrays(arrays, names=[f"c{i}" for i in range(len(arrays))])
        run.execute(f"INSERT INTO {quoted_path(name)} VALUES ({marks})", bound)
        rows += batch.num_rows
    return replace(table, db_name=(name,), nrows=rows)


def _make(run: OracleRun, name: str, table: Table) -> None:
    if len(table.columns) > _MOST_COLUMNS:
        raise UsageError(
            f"{table.qualified} has {len(table.columns):,} columns, and Oracle takes {_MOST_COLUMNS:,}."
        )
    columns = []
    for column in table.columns:
        kind = _TYPES.get(column.arrow_type())
        if kind is None:
            raise UsageError(
                f"{table.qualified}: The column {column.name!r} holds arrays, which have no type in Oracle.",
                hint="Leave it out, or give each of its numbers a column.",
            )
        columns.append(f"{quoted_path(column.db_name or column.name)} {kind}")
    definition = f"{quoted_path(name)} ({', '.join(columns)}) ON COMMIT PRESERVE DEFINITION"
    try:
        run.execute(f"CREATE PRIVATE TEMPORARY TABLE {definition}")
    except VOError as error:
        for code, mend in _REFUSED.items():
            if code in error.message:
                raise ConfigError(
                    f"The database takes no tables from the account of this service ({code}).", hint=mend
                ) from error
        raise


def _pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Batches of a round trip each, none of them empty."""
    for batch in batches:
        for start in range(0, batch.num_rows, BATCH_ROWS):
            yield batch.slice(start, BATCH_ROWS)


def bindable(array: pa.Array, what: str) -> pa.Array:
    """A column as the driver binds it; UsageError names the column that holds what Oracle cannot."""
    bind = _BINDS.get(array.type)
    return array if bind is None else bind(array, what)


def _number(array: pa.Array, _what: str) -> pa.Array:
    """Booleans as 0 and 1, as the driver's own have no type before 23ai."""
    return array.cast(pa.int8())


def _text(array: pa.Array, what: str) -> pa.Array:
    if (pc.max(pc.binary_length(array)).as_py() or 0) > _LONGEST_TEXT:
        raise UsageError(
            f"{what} holds a text of more than {_LONGEST_TEXT:,} bytes, which Oracle cannot compare.",
            hint="Shorten it, or leave the column out.",
        )
    return array


def _time(array: pa.Array, what: str) -> pa.Array:
    first, last = _TIMES
    fits = pc.and_(pc.greater_equal(array, first), pc.less_equal(array, last))
    if pc.all(fits).as_py() is False:
        raise UsageError(f"{what} holds a time that is not in the years 1 to 9999.")
    return array


_BINDS: Mapping[pa.DataType, Callable[[pa.Array, str], pa.Array]] = {
    pa.bool_(): _number,
    pa.string(): _text,
    pa.timestamp("us"): _time,
}
