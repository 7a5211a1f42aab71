"""`vo publish`: tables that are in Oracle already, described in a directory, become what is served.

Rows are nobody's business here: a DBA loaded them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from vo.config import Config
from vo.db.oracle_access import OracleAccess, writing
from vo.load.oracle_names import as_stored
from vo.load.publication import catalog_table, current_schema, publish_schemas
from vo.load.release import described


@dataclass(frozen=True, slots=True)
class Published:
    """What `vo publish` left behind; `table` holds the catalogue."""

    release: str
    table: str
    tables: tuple[str, ...]
    notes: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        """The summary, line by line."""
        head = f"release {self.release} in {self.table}: {len(self.tables)} tables, {self.seconds:.1f} s"
        return "\n".join([head, *(f"  {name}" for name in self.tables), *(f"note: {n}" for n in self.notes)])


def publish(source: Path, config: Config, *, owner: str | None = None) -> Published:
    """Publish the tables that `source` describes in place of whatever was published.

    They are looked for in Oracle's schema `owner` (default: the account's own). LoadError tells every table
    and column that is not there.
    """
    started = time.monotonic()
    description = described(source)
    access = OracleAccess.from_config(config)
    with writing(access) as connection:
        own = current_schema(connection)
        schemas, notes = as_stored(description, owner or own, connection)
        path = catalog_table(access, own)
        release = publish_schemas(lambda _: schemas, path, connection)
    names = tuple(table.qualified for schema in schemas for table in schema.tables)
    return Published(release, ".".join(path), names, notes, time.monotonic() - started)
