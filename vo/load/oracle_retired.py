"""Tables of loads that are over: removed when nobody can read them any more."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from vo.db.oracle_access import Connection, installed_driver, quoted_path
from vo.db.oracle_faults import codes_of
from vo.load.publication import published

_ALREADY = frozenset({"ORA-00955", "ORA-01408", "ORA-02260", "ORA-02261", "ORA-02264"})
"""What was to be made is there already: of a load that was begun before."""

_MARKED = re.compile(r"(?P<table>.+_)L[0-9A-F]{7}\Z")
_PUBLISHED = re.compile(r".*@(\d{8}T\d{6})")


def tell(connection: Connection, statement: str) -> None:
    """Run a statement that makes something; it is no error that it is there already."""
    driver = installed_driver()
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    except driver.Error as error:
        if not _ALREADY & set(codes_of(error)):
            raise


def remove_retired(
    connection: Connection, path: tuple[str, ...], names: Sequence[str], *, longest_s: int
) -> tuple[str, ...]:
    """Remove the tables of other loads of the tables `names`, but for those that are published; notes.

    The tables that were published before may be read by queries that began before the change: nothing is
    removed while that is less than `longest_s` seconds ago.
    """
    catalog = published(path, connection)
    kept = {table.database_path[-1] for schema in catalog.schemas for table in schema.tables} | set(names)
    bases = {name[: -len("L0BADCAF")] for name in names}
    with connection.cursor() as cursor:
        cursor.execute("SELECT TABLE_NAME FROM ALL_TABLES WHERE OWNER = USER ORDER BY 1")
        marked = [match for (name,) in cursor.fetchall() if (match := _MARKED.match(name))]
    retired = [match.string for match in marked if match["table"] in bases and match.string not in kept]
    if retired and _age(catalog.release) < timedelta(seconds=longest_s):
        return (f"{len(retired)} tables of earlier loads stay: queries may read them still.",)
    for name in retired:
        tell(connection, f"DROP TABLE {quoted_path(name)} PURGE")
    return tuple(f"{name}, of an earlier load, was removed." for name in retired)


def _age(release: str) -> timedelta:
    """How long ago it was published; what says no time was published long ago."""
    match = _PUBLISHED.match(release)
    if match is None:
        return timedelta.max
    return datetime.now(UTC) - datetime.strptime(match[1], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
