"""How long a query takes to compile, beside sqlglot parsing the result and queryparser reading the query.

    python bench/adql.py

queryparser (pip install queryparser-python3) is left out where it is not installed. No database takes part.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle, islice

import sqlglot
from sqlglot.errors import SqlglotError

from vo.adql import translate
from vo.catalog import Catalog, SpatialKey, Table
from vo.sample.columns import schema

try:
    from queryparser.adql import ADQLQueryTranslator
except ImportError:
    ADQLQueryTranslator = None

REPEATS = 300
DISTINCT = 300
"""Queries that differ in their numbers, so that no cache answers for the compiler."""

CONE = """\
SELECT coadd_object_id, ra, dec, mag_auto_i FROM sim1.main
WHERE 1 = CONTAINS(POINT('ICRS', ra, dec), CIRCLE('ICRS', {ra:.6f}, {dec:.6f}, 0.016667))"""

JOIN = """\
WITH bright AS (
  SELECT coadd_object_id, ra, dec, tilename, mag_auto_g, mag_auto_i,
    mag_auto_g - mag_auto_i AS colour
  FROM sim1.main
  WHERE mag_auto_i BETWEEN 16 AND 22.5
    AND magerr_auto_i < 0.05
    AND 1 = CONTAINS(POINT(ra, dec), CIRCLE({ra:.6f}, {dec:.6f}, 1.5))
),
tiles AS (
  SELECT tilename, COUNT(*) AS objects, AVG(mag_auto_i) AS depth
  FROM sim1.main
  GROUP BY tilename
  HAVING COUNT(*) > 100
)
SELECT TOP 500
  b.coadd_object_id, s.coadd_object_id AS neighbour,
  b.ra, b.dec,
  DISTANCE(b.ra, b.dec, s.ra, s.dec) * 3600 AS separation,
  b.mag_auto_i - s.mag_auto_i AS difference,
  ROUND(b.colour, 3) AS colour,
  CASE WHEN b.colour > 1.2 THEN 'red' ELSE 'blue' END AS kind,
  COALESCE(t.objects, 0) AS objects,
  t.depth,
  u.redshift
FROM bright AS b
JOIN sim1.main_sample AS s
  ON DISTANCE(b.ra, b.dec, s.ra, s.dec) < 0.0014
LEFT JOIN tiles AS t ON t.tilename = b.tilename
LEFT JOIN sim1.truth AS u ON u.coadd_object_id = b.coadd_object_id
WHERE b.coadd_object_id <> s.coadd_object_id
  AND b.tilename IN (
    SELECT tilename FROM tiles
    WHERE depth < 24
  )
  AND EXISTS (
    SELECT 1 FROM sim1.tile_info AS i
    WHERE i.tilename = b.tilename AND i.ra_cent > 0
  )
  AND (s.mag_auto_i < 21 OR UPPER(s.tilename) LIKE 'DES%')
ORDER BY separation, b.mag_auto_i DESC"""

WIDE = "SELECT * FROM sim1.main WHERE mag_auto_i < {dec:.6f}"

QUERIES = {"cone": CONE, f"join of {len(JOIN.splitlines())} lines": JOIN, "SELECT * of 117": WIDE}


def catalogue() -> Catalog:
    """The sample release as if it had been loaded: with its index and the size of a large survey."""
    sample = schema()
    return Catalog((replace(sample, tables=tuple(map(_loaded, sample.tables))),), sample.name)


def _loaded(table: Table) -> Table:
    has_position = table.column("ra") is not None and table.column("dec") is not None
    return replace(table, nrows=20_000_000, spatial=SpatialKey("ra", "dec") if has_position else None)


def timed(work: Callable[[str], object], texts: list[str], repeats: int) -> tuple[float, float]:
    """Median and least time of `work` on one text, in milliseconds."""
    seconds = []
    for text in islice(cycle(texts), repeats):
        started = time.perf_counter()
        work(text)
        seconds.append(time.perf_counter() - started)
    return 1e3 * statistics.median(seconds), 1e3 * min(seconds)


def line(who: str, times: tuple[float, float] | None, base: float) -> None:
    """One line of the report; `base` is the median of our own compiler."""
    told = f"{times[0]:8.2f} ms (least {times[1]:.2f}) {times[0] / base:7.1f} x" if times else "   refuses it"
    print(f"    {who:34} {told}")


def measure(pattern: str, catalog: Catalog) -> None:
    """Every compiler on one query, a line each."""
    random.seed(3)
    texts = [
        pattern.format(ra=random.uniform(0, 360), dec=random.uniform(-60, 5)) for _ in range(DISTINCT + 20)
    ]
    warm, texts = texts[:20], texts[20:]
    own = {}
    for dialect in ("duckdb", "oracle"):
        for text in warm:
            translate(text, catalog, dialect=dialect, maxrec=100_000)
        own[dialect] = timed(
            lambda text, to=dialect: translate(text, catalog, dialect=to, maxrec=100_000), texts, REPEATS
        )
    base = own["duckdb"][0]
    for dialect, times in own.items():
        line(f"vo, to {dialect}", times, base)
    for dialect in own:
        printed = [translate(text, catalog, dialect=dialect, maxrec=100_000).sql for text in texts]
        line(f"sqlglot, parsing our SQL of {dialect}", _attempted(dialect, printed), base)
    if ADQLQueryTranslator is not None:
        line("queryparser, to PostgreSQL", _queryparser(texts), base)


def _attempted(dialect: str, printed: list[str]) -> tuple[float, float] | None:
    try:
        return timed(lambda sql: sqlglot.parse_one(sql, dialect=dialect), printed, REPEATS)
    except SqlglotError:
        return None


def _queryparser(texts: list[str]) -> tuple[float, float] | None:
    try:
        return timed(lambda text: ADQLQueryTranslator(text).to_postgresql(), texts, 20)
    except Exception:  # noqa: BLE001  whatever it says, it has not read the query
        return None


def main() -> None:
    """Measure and print every query."""
    catalog = catalogue()
    for name, pattern in QUERIES.items():
        print(name)
        measure(pattern, catalog)


if __name__ == "__main__":
    main()
