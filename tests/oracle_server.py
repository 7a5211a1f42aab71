"""A server of Oracle with tables for tests that go through the door: the double before H2, or a real one.

A real one is named by VO_TEST_ORACLE_DSN=user/password@host:port/service; its account may create tables.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from adql.oracle_release import missing
from astropy import units
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import lonlat_to_healpix

TESTS = Path(__file__).parent

DESCRIPTION = """\
name: sky
description: Tables that are in Oracle.
tables:
  - name: VO_test_stars
    description: Stars all over the sky.
    primaryKey: id
    columns:
      - {name: id, datatype: long, ivoa:ucd: meta.id;meta.main, description: Number of the star.}
      - {name: ra, datatype: double, ivoa:unit: deg, ivoa:ucd: pos.eq.ra;meta.main}
      - {name: dec, datatype: double, ivoa:unit: deg, ivoa:ucd: pos.eq.dec;meta.main}
      - {name: mag, datatype: float, ivoa:unit: mag}
      - {name: size, datatype: int, data: EXTENT, description: A reserved word.}
  - name: vo_test_oddities
    description: Values that are easily lost.
    columns:
      - {name: id, datatype: long}
      - {name: x, datatype: double}
      - {name: label, datatype: unicode, length: 4000}
      - {name: note, datatype: unicode, length: 1000000}
      - {name: seen, datatype: timestamp}
"""
"""What is published of the tables."""

TABLES = {
    "VO_TEST_STARS": 'ID NUMBER(19), RA BINARY_DOUBLE, "Dec" BINARY_DOUBLE, MAG BINARY_FLOAT, '
    "EXTENT NUMBER(10), HPX29 NUMBER(19)",
    "VO_TEST_ODDITIES": "ID NUMBER(19), X BINARY_DOUBLE, LABEL VARCHAR2(4000), NOTE CLOB, SEEN TIMESTAMP",
}

STARS = 3_000

NOON = datetime(2016, 1, 1, 12, 30, 15, 123456)  # noqa: DTZ001  timestamps of VOTables have no zone
ODDITIES: list[tuple[Any, ...]] = [
    (9_223_372_036_854_775_807, math.nan, "β Cen ☃", "long " * 5_000, NOON),
    (-9_223_372_036_854_775_808, math.inf, "'; DROP", "β" * 9_000, NOON.replace(year=1600)),
    (9_007_199_254_740_993, -math.inf, "x" * 3_000, None, NOON.replace(microsecond=0)),
    (0, -0.5, None, None, None),
    (None, None, " ", "n", NOON.replace(year=9999)),
]


def star_columns() -> dict[str, Any]:
    """The stars as columns of NumPy: both poles, the seam of RA, and anywhere."""
    rng = np.random.default_rng(11)
    ra, dec = rng.uniform(0, 360, STARS), np.degrees(np.arcsin(rng.uniform(-1, 1, STARS)))
    ra[:500], dec[:500] = rng.normal(0, 0.5, 500) % 360, rng.normal(5, 0.5, 500)
    dec[500:600] = 90 - rng.exponential(0.5, 100)
    cells = lonlat_to_healpix(Longitude(ra, units.deg), Latitude(dec, units.deg), 29)
    mag = rng.normal(20, 2, STARS).astype(np.float32)
    ids = np.arange(STARS)
    return {"id": ids, "ra": ra, "dec": dec, "mag": mag, "size": ids % 50, "hpx29": cells.astype(np.int64)}


@dataclass
class OracleServer:
    """A server, and the process of the double; None: a real one, which cannot be told to fail."""

    dsn: str
    user: str
    password: str
    process: subprocess.Popen[str] | None = None

    @property
    def settings(self) -> dict[str, str]:
        """The settings of the service for it."""
        return {
            "VO_ORACLE_DSN": self.dsn,
            "VO_ORACLE_USER": self.user,
            "VO_ORACLE_PASSWORD": self.password,
            "VO_ORACLE_CATALOG": "VO_TEST_CATALOG",
        }

    def tell(self, command: str) -> None:
        """Have the double do something, and wait until it has."""
        assert self.process is not None
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


def real_server() -> OracleServer | None:
    """The server that VO_TEST_ORACLE_DSN names."""
    text = os.environ.get("VO_TEST_ORACLE_DSN", "")
    if not text:
        return None
    login, _, dsn = text.rpartition("@")
    user, _, password = login.partition("/")
    return OracleServer(dsn, user, password)


@contextmanager
def double_server(*arguments: str) -> Iterator[OracleServer]:
    """The double in a process of its own; see `oracle_wire.process` for the arguments."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS.parent), str(TESTS)])}
    command = [sys.executable, "-m", "oracle_wire.process", *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            yield OracleServer(**json.loads(process.stdout.readline()), process=process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(20)


@contextmanager
def filled_server(kind: str) -> Iterator[OracleServer]:
    """A server with the tables: the double as 19c or 23ai, or the `live` one; the test is skipped without."""
    if kind == "live":
        real = real_server()
        if real is None:
            pytest.skip("VO_TEST_ORACLE_DSN names no server")
        fill(real)
        yield real
        return
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with double_server(kind) as double:
        fill(double)
        yield double


def connected(server: OracleServer) -> Any:  # noqa: ANN401  `oracledb.Connection`, which is optional
    """A connection of the driver, as a DBA has it."""
    import oracledb  # noqa: PLC0415  an optional driver

    return oracledb.connect(user=server.user, password=server.password, dsn=server.dsn)


def fill(server: OracleServer) -> None:
    """Make the tables and write their rows, through the driver as a DBA's script would."""
    import oracledb  # noqa: PLC0415  an optional driver

    double, single = oracledb.DB_TYPE_BINARY_DOUBLE, oracledb.DB_TYPE_BINARY_FLOAT
    columns = star_columns()
    stars = list(zip(*(column.tolist() for column in columns.values()), strict=True))
    types: dict[str, Sequence[Any]] = {
        "VO_TEST_STARS": (None, double, double, single, None, None),
        "VO_TEST_ODDITIES": (None, double, None, oracledb.DB_TYPE_LONG, oracledb.DB_TYPE_TIMESTAMP),
    }
    with connected(server) as connection:
        for name, rows in {"VO_TEST_STARS": stars, "VO_TEST_ODDITIES": ODDITIES}.items():
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT COUNT(*) FROM ALL_TABLES WHERE OWNER = USER AND TABLE_NAME = :1", [name]
                )
                if cursor.fetchone()[0]:
                    cursor.execute(f"DROP TABLE {name}")
                cursor.execute(f"CREATE TABLE {name} ({TABLES[name]})")
            with connection.cursor() as cursor:
                cursor.setinputsizes(*types[name])
                marks = ", ".join(f":{place}" for place in range(1, len(rows[0]) + 1))
                cursor.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
        connection.commit()


def vo(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the command `vo` with these settings alone."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VO_")}
    return subprocess.run(
        [sys.executable, "-m", "vo.cli", *arguments],
        env={**inherited, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
