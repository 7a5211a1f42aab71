"""A query in parts: together they are the whole, and what needs all rows at once is not taken apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from vo.adql import translate
from vo.config import Config
from vo.context import open_database
from vo.db.base import Database
from vo.result import Statement
from vo.tap.schema import describe

PARTED = (
    "SELECT coadd_object_id FROM sim1.main",
    "SELECT coadd_object_id FROM sim1.main WHERE dec > -30 OR dec < -60",
    "SELECT q.id FROM (SELECT coadd_object_id AS id, dec FROM sim1.main) AS q WHERE dec < -50 ORDER BY id",
    "SELECT coadd_object_id FROM sim1.main WHERE DISTANCE(ra, dec, 20, -50) < 30",
    "SELECT m.coadd_object_id FROM sim1.main AS m JOIN sim1.truth AS t USING (coadd_object_id)",
    "SELECT coadd_object_id FROM sim1.main AS m LEFT JOIN sim1.tile_info AS t ON m.tilename = t.tilename",
    "SELECT coadd_object_id FROM sim1.main WHERE tilename IN (SELECT tilename FROM sim1.tile_info)",
)
WHOLE = (
    "SELECT COUNT(*) FROM sim1.main",
    "SELECT TOP 5 ra FROM sim1.main",
    "SELECT DISTINCT tilename FROM sim1.main",
    "SELECT tilename, COUNT(*) FROM sim1.main GROUP BY tilename",
    "SELECT q.ra FROM (SELECT ra FROM sim1.main OFFSET 3) AS q",
    "SELECT ra FROM sim1.main UNION ALL SELECT ra FROM sim1.coverage",
    "SELECT m.ra FROM sim1.main AS m RIGHT JOIN sim1.truth AS t USING (coadd_object_id)",
    "WITH q AS (SELECT ra FROM sim1.main) SELECT ra FROM q",
    "SELECT m.ra FROM sim1.main AS m JOIN sim1.coverage AS c ON DISTANCE(m.ra, m.dec, c.ra, c.dec) < 0.01",
)


@pytest.fixture(scope="module")
def database(sample_data: Path) -> Iterator[Database]:
    """The small sample release."""
    with open_database(Config(data_dir=sample_data), describe) as opened:
        yield opened


@pytest.mark.parametrize("query", PARTED)
def test_parts_are_the_whole(query: str, database: Database) -> None:
    """Every row is in one part and no other."""
    catalog = database.catalog()
    whole = translate(query, catalog)
    assert whole.parted is not None
    assert whole.parted.nrows is not None
    parts: Counter[int] = Counter()
    for first in range(0, whole.parted.nrows, 6_000):
        parts.update(_rows(database, translate(query, catalog, rows=(first, first + 6_000))))
    assert parts == Counter(_rows(database, whole))
    assert sum(parts.values()) > 0


@pytest.mark.parametrize("query", WHOLE)
def test_what_needs_all_rows_stays_whole(query: str, database: Database) -> None:
    """Groups, limits, sets of rows and outer joins from the right have no parts."""
    catalog = database.catalog()
    assert translate(query, catalog).parted is None
    with pytest.raises(ValueError, match="parts"):
        translate(query, catalog, rows=(0, 1))


def test_oracle_counts_no_rows(database: Database) -> None:
    """Where rows have no numbers, every query is answered as a whole."""
    assert translate(PARTED[0], database.catalog(), dialect="oracle").parted is None


def _rows(database: Database, statement: Statement) -> list[int]:
    with database.stream(statement) as result:
        return [value for batch in result for value in batch.column(0).to_pylist()]
