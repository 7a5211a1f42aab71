"""Searches on the sky among 20 million rows, beside PostgreSQL with q3c and with pgSphere on the same rows.

    python bench/sky.py [DIRECTORY] [ROWS]

DIRECTORY keeps the release and the cluster for the next run (3 GB each); without it, both are made anew and
thrown away. Needed: PostgreSQL 15 with both extensions (on Debian: postgresql-15 postgresql-15-q3c
postgresql-15-pgsphere) and psycopg. Every search is one of a different centre, seen by all engines one after
another, so that a busy machine slows all of them; of each the least of some times counts, and of the centres
the median. Everything is in memory by then. The engines must find the same rows, but for those within a
billionth of a radian of the border, which pgSphere counts in.
"""

from __future__ import annotations

import http.client
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import postgres
import psycopg
from service import PORT, fetch, serving
from sky_table import DEEP, MAIN, NEARBY, RELEASE, WIDE, Field, build

from vo.adql import translate
from vo.context import open_database
from vo.db.base import Database
from vo.result import Statement
from vo.tap.schema import describe

ROWS = 20_000_000
NEARBY_ROWS = 100_000
CENTRES = 18
PASSES = 2
TURN = 3
REST_S = 0.004  # who has rested is interrupted less on a busy machine
BUDGET_S = 0.5
MAXREC = 1_000_000
RADII = {"1 arcmin": 1 / 60, "10 arcmin": 1 / 6, "1 degree": 1.0}
ARCSEC_2 = 0.000555555556
FUZZ = 1.2e-7  # degrees: twice what pgSphere takes for equal

Search = Callable[[], int]
"""Runs one search, fetches its rows and counts them."""


@dataclass(frozen=True)
class Task:
    """One search by all engines; `count` runs it with a wider or narrower radius."""

    engines: Mapping[str, Search]
    count: Callable[[float], int]

    def judge(self, counts: Mapping[str, int]) -> None:
        """End the run where the engines disagree by more than the border."""
        if len(set(counts.values())) > 1:
            low, high = self.count(-FUZZ), self.count(FUZZ)
            if not all(low <= count <= high for count in counts.values()):
                sys.exit(f"The engines count differently: {counts}")


CONE = f"""SELECT id, ra, dec, mag_i FROM {MAIN}
WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE({{}}, {{}}, {{}}))"""
MATCH = f"""SELECT n.id AS here, o.id AS there FROM {NEARBY} AS n
JOIN {MAIN} AS o ON DISTANCE(n.ra, n.dec, o.ra, o.dec) <= {{}}"""

PEER_CONES = {
    "q3c": "q3c_radial_query(ra, dec, {}::float8, {}::float8, {}::float8)",
    "pgSphere": "pos <@ scircle(spoint(radians({}), radians({})), radians({}))",
}
PEER_MATCHES = {
    "q3c": f"q3c_join(n.ra, n.dec, o.ra, o.dec, {ARCSEC_2})",
    "pgSphere": f"o.pos <@ scircle(n.pos, radians({ARCSEC_2}))",
}
PEER_NAMES = ("rows", "prepared", "COPY")
"""How a peer's rows are fetched: as Python's, those of a prepared statement, or as undecoded bytes."""


class Peers:
    """PostgreSQL, asked in every way that could be the fastest."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._cursor = connection.cursor(binary=True)

    def rows(self, sql: str) -> int:
        """Rows as Python tuples from the binary protocol, planned for these constants."""
        return len(self._cursor.execute(sql, prepare=False).fetchall())

    def prepared(self, sql: str, values: tuple[float, ...]) -> int:
        """The same from a statement that was parsed before."""
        return len(self._cursor.execute(sql, values, prepare=True).fetchall())

    def copied(self, sql: str) -> int:
        """The bytes of COPY, which nobody decodes."""
        cursor = self._connection.cursor()
        with cursor.copy(f"COPY ({sql}) TO STDOUT (FORMAT binary)") as copy:
            for _ in copy:
                pass
        return cursor.rowcount

    def cone(self, engine: str, centre: tuple[float, float, float]) -> dict[str, Search]:
        """The ways to run one cone."""
        head = "SELECT id, ra, dec, mag_i FROM objects WHERE "
        sql = head + PEER_CONES[engine].format(*centre)
        template = head + PEER_CONES[engine].format(*["%s::float8"] * 3)
        ways = (lambda: self.rows(sql), lambda: self.prepared(template, centre), lambda: self.copied(sql))
        return {f"{engine}, {name}": way for name, way in zip(PEER_NAMES, ways, strict=True)}

    def match(self, engine: str) -> dict[str, Search]:
        """The ways to run the crossmatch."""
        sql = f"SELECT n.id, o.id FROM nearby AS n JOIN objects AS o ON {PEER_MATCHES[engine]}"
        return {f"{engine}, rows": lambda: self.rows(sql), f"{engine}, COPY": lambda: self.copied(sql)}


def ours(database: Database, query: str) -> dict[str, Search]:
    """Our ways: the whole, and the database's share of it."""
    statement = translate(query, database.catalog(), maxrec=MAXREC)

    def compiled() -> int:
        return _fetched(database, translate(query, database.catalog(), maxrec=MAXREC))

    return {"vo": compiled, "vo, compiled before": lambda: _fetched(database, statement)}


def _fetched(database: Database, statement: Statement) -> int:
    with database.stream(statement, maxrec=MAXREC) as result:
        return sum(batch.num_rows for batch in result)


def least(engines: Mapping[str, Search]) -> dict[str, float]:
    """The least milliseconds of each search; they take turns for some time.

    A turn is a few runs, as the first finds the caches of the processor full of what the others read.
    """
    found = dict.fromkeys(engines, math.inf)
    passes, until = 0, time.perf_counter() + BUDGET_S
    while passes < PASSES or time.perf_counter() < until:
        passes += 1
        for name, search in engines.items():
            for _ in range(TURN):
                time.sleep(REST_S)
                started = time.perf_counter()
                search()
                found[name] = min(found[name], 1e3 * (time.perf_counter() - started))
    return found


def medians(times: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each engine the median over several searches."""
    return {name: statistics.median(each[name] for each in times) for name in times[0]}


def measured(tasks: Iterator[Task]) -> tuple[dict[str, float], float]:
    """Milliseconds of each engine, and rows on average."""
    times, rows = [], []
    for task in tasks:
        counts = {name: search() for name, search in task.engines.items()}
        task.judge(counts)
        rows.append(counts["vo"])
        times.append(least(task.engines))
    return medians(times), statistics.mean(rows)


def cones(database: Database, peers: Peers, field: Field, radius: float) -> Iterator[Task]:
    """One cone after another."""
    random = np.random.default_rng(7)
    for ra, dec in field.positions(CENTRES if radius < 1 else CENTRES // 3, random, margin=1.2):
        centre = (float(ra), float(dec), radius)
        found = ours(database, CONE.format(*centre))
        for engine in PEER_CONES:
            found |= peers.cone(engine, centre)
        yield Task(found, partial(_count, database, CONE.format(*centre[:2], "{}"), radius))


def matches(database: Database, peers: Peers) -> Iterator[Task]:
    """The crossmatch."""
    found = ours(database, MATCH.format(ARCSEC_2))
    for engine in PEER_MATCHES:
        found |= peers.match(engine)
    yield Task(found, partial(_count, database, MATCH, ARCSEC_2))


def _count(database: Database, pattern: str, radius: float, more: float) -> int:
    query = pattern.format(f"{radius + more:.12f}")
    return _fetched(database, translate(query, database.catalog(), maxrec=MAXREC))


def report(what: str, times: Mapping[str, float], rows: float) -> None:
    """A line for each engine: its fastest way, and how many times our time that is."""
    base = times["vo"]
    print(f"{what}, {rows:,.0f} rows: vo {base:.2f} ms, of which database {times['vo, compiled before']:.2f}")
    for engine in PEER_CONES:
        way, best = min(
            ((name, each) for name, each in times.items() if name.startswith(engine)),
            key=lambda pair: pair[1],
        )
        others = ", ".join(
            f"{name.partition(', ')[2]} {each:.2f}"
            for name, each in times.items()
            if name.startswith(engine) and name != way
        )
        print(f"    {way:20} {best:9.2f} ms  {best / base:6.2f} x   ({others})")


def report_service(database: Database) -> None:
    """A line for the small cone through sync TAP: the whole, and the shares of compiler and database."""
    client = http.client.HTTPConnection("127.0.0.1", PORT)
    random = np.random.default_rng(8)
    times = []
    for ra, dec in DEEP.positions(CENTRES, random, margin=1.2):
        query = CONE.format(float(ra), float(dec), RADII["1 arcmin"])
        times.append(least(ours(database, query) | {"served": partial(_served, client, query)}))
    middle = medians(times)
    print(
        f"deep, 1 arcmin, through HTTP: {middle['served']:.2f} ms, of which compiler and database "
        f"{middle['vo']:.2f}, database {middle['vo, compiled before']:.2f}"
    )


def _served(client: http.client.HTTPConnection, query: str) -> int:
    """Bytes of the answer."""
    return fetch(client, query)[2]


@contextmanager
def _directory() -> Iterator[Path]:
    if len(sys.argv) > 1:
        yield Path(sys.argv[1]).resolve()
    else:
        with tempfile.TemporaryDirectory() as scratch:
            Path(scratch).chmod(0o755)  # the server runs as another user
            yield Path(scratch)


def main() -> None:
    """Build what is missing, then measure and print."""
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else ROWS
    with _directory() as directory:
        config = build(directory / "data", rows, NEARBY_ROWS)
        with open_database(config, describe) as database:
            with postgres.server(directory / "pg") as connection:
                postgres.fill(connection, config.releases_dir / f"{RELEASE}.duckdb", RELEASE)
                peers = Peers(connection)
                for field in (WIDE, DEEP):
                    for name, radius in RADII.items():
                        report(f"{field.name}, {name}", *measured(cones(database, peers, field, radius)))
                report("crossmatch, 2 arcsec", *measured(matches(database, peers)))
            with serving(config.data_dir, VO_LOG_LEVEL="warning"):
                report_service(database)


if __name__ == "__main__":
    main()
