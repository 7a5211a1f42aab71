"""TAP_UPLOAD (TAP 1.1, 2.7.6) with Oracle as the database, through the door of a whole service.

What `test_oracle_service` says of the servers holds here too.
"""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from oracle_server import DESCRIPTION, OracleServer, filled_server, star_columns, vo
from service import Service, serving
from votable_tables import EVERYTHING, record_batch, same, written

from vo.adql import translate
from vo.catalog import Column, Table
from vo.db.base import Incoming
from vo.db.duckdb import DuckDBDatabase
from vo.tap.schema import describe

pytest.importorskip("oracledb", reason="python-oracledb is not installed")

SLOW = (
    "SELECT COUNT(*) FROM vo_test_stars AS a, vo_test_stars AS b, vo_test_stars AS c, TAP_UPLOAD.mine AS m "
    "WHERE a.mag + b.mag * c.mag = m.number + 0.5"
)
"""A query of a minute or more, wherever it runs."""


@pytest.fixture(scope="module", params=["19c", "23ai", "live"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OracleServer]:
    """A server with tables that are published."""
    source = tmp_path_factory.mktemp("described")
    (source / "release.yaml").write_text(DESCRIPTION)
    with filled_server(request.param) as filled:
        done = vo("publish", str(source), **filled.settings)
        assert done.returncode == 0, done.stderr
        yield filled


@pytest.fixture(scope="module")
def oracle(server: OracleServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The whole service on it, which takes uploads."""
    data = tmp_path_factory.mktemp("data")
    lanes = {"VO_SYNC_WORKERS": "2", "VO_QUERY_WORKERS": "1"}
    with serving(data, VO_ORACLE_UPLOADS="1", **lanes, **server.settings) as running:
        yield running


def post(service: Service, query: str, upload: bytes, **more: Any) -> httpx.Response:
    """A query with one table, TAP_UPLOAD.mine; `path` may lead elsewhere than to /tap/sync."""
    path = more.pop("path", "/tap/sync")
    data = {"QUERY": query, "LANG": "ADQL", "RESPONSEFORMAT": "csv", "UPLOAD": "mine,param:f", **more}
    return httpx.post(f"{service.url}{path}", data=data, files={"f": ("f", upload)}, timeout=60)


def rows(answer: httpx.Response) -> list[list[str]]:
    """The rows of an answer in CSV."""
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.text)))[1:]


def numbers(*values: int) -> bytes:
    """A table with one column of integers."""
    return "\n".join(["number", *map(str, values)]).encode()


SCALARS = tuple(
    column
    for column in EVERYTHING
    if not pa.types.is_nested(column.arrow_type()) and (column.name, column.datatype) != ("name", "int")
)
"""Every type that Oracle has, and no name twice."""


def test_all_types_come_back_exactly(oracle: Service) -> None:
    """Every scalar type with its extremes and NULL (TAP 1.1, 2.7.6); Oracle has one zero."""
    values = [EVERYTHING[column] for column in SCALARS]
    batch = record_batch(SCALARS, values)
    document = written("votable/b2", batch, SCALARS)
    answer = post(oracle, "SELECT * FROM TAP_UPLOAD.mine", document, RESPONSEFORMAT="arrow")
    assert answer.status_code == 200, answer.text
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table.column_names == [column.name for column in SCALARS]
    for column, sent, got in zip(SCALARS, batch.columns, table.columns, strict=True):
        real = pa.types.is_floating(sent.type)
        wanted = [0.0 if real and value == 0 else value for value in sent.to_pylist()]
        assert same(got.to_pylist(), wanted), column


def test_values_are_compared(oracle: Service) -> None:
    """Integers of 19 digits stay exact, and an empty string is NULL as everywhere in Oracle."""
    upload = b"id,label\n9223372036854775807,a\n9007199254740993,\n-9223372036854775808,b\n"
    query = "SELECT m.id, m.label FROM TAP_UPLOAD.mine AS m JOIN vo_test_oddities AS o ON m.id = o.id"
    assert sorted(rows(post(oracle, query, upload))) == sorted(
        row.split(",") for row in upload.decode().split()[1:]
    )
    assert rows(post(oracle, "SELECT id FROM TAP_UPLOAD.mine WHERE label IS NULL", upload)) == [
        ["9007199254740993"]
    ]
    booleans = written("votable/td", record_batch(FLAGS, [[1, 2, 3], [True, False, None]]), FLAGS)
    assert rows(post(oracle, "SELECT n FROM TAP_UPLOAD.mine WHERE good = 1", booleans)) == [["1"]]


FLAGS = (Column("n", "int"), Column("good", "boolean"))
POSITIONS = (Column("n", "int"), Column("lon", "double"), Column("lat", "double"))
JOIN = (
    "SELECT m.n, s.id FROM {} AS s JOIN TAP_UPLOAD.mine AS m "
    "ON DISTANCE(POINT(m.lon, m.lat), POINT(s.ra, s.dec)) < 0.1 ORDER BY n, id"
)


def near_stars() -> pa.RecordBatch:
    """Positions beside some stars, at the seam of RA and at the pole."""
    stars = star_columns()
    chosen = np.r_[0:10, 500:510]
    lon, lat = stars["ra"][chosen] + 0.01, stars["dec"][chosen]
    return record_batch(POSITIONS, [list(range(len(chosen))), lon.tolist(), lat.tolist()])


def matched_in_duckdb(mine: pa.RecordBatch, directory: Path) -> list[list[str]]:
    """What the same query gives in DuckDB, where the stars are an upload as well."""
    columns = tuple(
        Column(name, kind) for name, kind in (("id", "long"), ("ra", "double"), ("dec", "double"))
    )
    stars = star_columns()
    batch = record_batch(columns, [stars[column.name].tolist() for column in columns])
    incoming = [
        Incoming(Table("TAP_UPLOAD", "stars", columns), [batch]),
        Incoming(Table("TAP_UPLOAD", "mine", POSITIONS), [mine]),
    ]
    database = DuckDBDatabase(directory, describe=describe, memory="1GB", threads=1, temp_dir=directory)
    with database.holding("TAP_UPLOAD", incoming) as holding:
        statement = translate(JOIN.format("TAP_UPLOAD.stars"), holding.catalog(), dialect="duckdb")
        with holding.stream(statement) as result:
            found = pa.Table.from_batches(list(result), schema=result.schema)
    database.close()
    return [[str(n), str(star)] for n, star in zip(*(c.to_pylist() for c in found.columns), strict=True)]


def test_positions_are_matched_with_the_catalogue(oracle: Service, tmp_path: Path) -> None:
    """A list of positions finds the same stars as in DuckDB, and those that astropy finds."""
    mine = near_stars()
    found = rows(post(oracle, JOIN.format("vo_test_stars"), written("votable/b2", mine, POSITIONS)))
    assert found == matched_in_duckdb(mine, tmp_path)
    stars = star_columns()
    here = SkyCoord(mine.column(1).to_numpy(), mine.column(2).to_numpy(), unit=units.deg)
    there = SkyCoord(stars["ra"], stars["dec"], unit=units.deg)
    left, right = np.nonzero(here[:, None].separation(there[None, :]) < 0.1 * units.deg)
    assert found == [[str(n), str(star)] for n, star in zip(left, right, strict=True)]
    assert len(found) > len(here)


def test_everyone_sees_their_own_table(oracle: Service) -> None:
    """Tables of one name, brought at once, are not mixed up, whatever their columns are."""

    def total(i: int) -> str:
        column = "other" if i % 2 else "number"
        upload = numbers(*range(i, 100 + i)).replace(b"number", column.encode())
        return rows(post(oracle, f"SELECT SUM({column}) FROM TAP_UPLOAD.mine", upload))[0][0]

    with ThreadPoolExecutor(4) as pool:
        assert [int(text) for text in pool.map(total, range(12))] == [4950 + 100 * i for i in range(12)]


def test_nothing_stays(oracle: Service) -> None:
    """The table is gone with the query, and is nowhere described."""
    assert rows(post(oracle, "SELECT number FROM TAP_UPLOAD.mine", numbers(7))) == [["7"]]
    after = oracle.sync("SELECT number FROM TAP_UPLOAD.mine")
    assert after.status_code == 400
    assert "TAP_UPLOAD" in after.text
    assert "TAP_UPLOAD" not in oracle.get("/tap/tables").text
    assert "TAPRegExt#upload-inline" in oracle.get("/tap/capabilities").text


TEXT = (Column("note", "char", "*"),)
VECTOR = (Column("flux", "float", "3"),)
BAD: dict[str, tuple[str, bytes, str]] = {
    "array": (
        "SELECT * FROM TAP_UPLOAD.mine",
        written("votable/b2", record_batch(VECTOR, [[[1, 2, 3]]]), VECTOR),
        "flux",
    ),
    "text": (
        "SELECT * FROM TAP_UPLOAD.mine",
        written("votable/b2", record_batch(TEXT, [["a", "x" * 4001]]), TEXT),
        "note",
    ),
    "cut off": ("SELECT * FROM TAP_UPLOAD.mine", b"number,x\n1,2\n3\n", "row 2"),
    "name": ("SELECT nothing FROM TAP_UPLOAD.mine", numbers(1), "nothing"),
    "division": (
        "SELECT MOD(number, number - 1) / CAST('x' AS INTEGER) FROM TAP_UPLOAD.mine",
        numbers(1),
        "ORA-01722",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_after_an_error_all_is_clean(oracle: Service, what: str) -> None:
    """Mistakes in the table, in the query and in its values are told, and the next table is held as any."""
    query, upload, told = BAD[what]
    answer = post(oracle, query, upload)
    assert answer.status_code == 400, answer.text
    assert told in answer.text
    for _ in range(3):
        assert rows(post(oracle, "SELECT COUNT(*) FROM TAP_UPLOAD.mine", numbers(1, 2))) == [["2"]]


def test_an_aborted_job_leaves_nothing(oracle: Service) -> None:
    """ABORT ends the statement on the session that has the table; the next job has its own."""
    answer = post(oracle, SLOW, numbers(1), path="/tap/async", PHASE="RUN")
    job = answer.headers["location"].removeprefix(oracle.url)
    oracle.await_phase(job, "EXECUTING")
    time.sleep(0.5)  # the table is made and filled by then
    oracle.post(f"{job}/phase", PHASE="ABORT")
    assert oracle.phase(job) == "ABORTED"
    again = post(oracle, "SELECT number FROM TAP_UPLOAD.mine", numbers(5), path="/tap/async", PHASE="RUN")
    job = again.headers["location"].removeprefix(oracle.url)
    assert oracle.await_phase(job, "COMPLETED", "ERROR", timeout_s=15) == "COMPLETED"
    assert oracle.get(f"{job}/results/result").text.split() == ["number", "5"]


def test_a_missing_privilege_is_told(oracle: Service, server: OracleServer, tmp_path: Path) -> None:
    """Without CREATE TABLE the query is refused with the way out of it, and `vo check` says so beforehand."""
    if server.process is None:
        pytest.skip("a real server cannot be told to fail")
    settings = {**server.settings, "VO_ORACLE_UPLOADS": "1"}
    server.tell("forbid tables")
    try:
        answer = post(oracle, "SELECT * FROM TAP_UPLOAD.mine", numbers(1))
        assert answer.status_code == 500
        assert "ORA-01031" in answer.text
        assert "Grant CREATE TABLE" in answer.text
        checked = vo("check", "--data", str(tmp_path), **settings)
        assert checked.returncode != 0
        assert "Grant CREATE TABLE to VO_ORACLE_USER" in checked.stdout + checked.stderr
    finally:
        server.tell("allow tables")
    assert vo("check", "--data", str(tmp_path), **settings).returncode == 0
    assert rows(post(oracle, "SELECT number FROM TAP_UPLOAD.mine", numbers(1))) == [["1"]]
