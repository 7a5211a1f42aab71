"""Oracle as the service's database, through the door: HTTP in, bytes out, every process in between real.

A double of the server has H2 behind it; where VO_TEST_ORACLE_DSN names a real server, all that needs no
failing server runs there as well. Driver and Java live in other processes: no fault of theirs ends the tests.
"""

from __future__ import annotations

import io
import math
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from astropy.io.votable import parse_single_table
from oracle_server import (
    DESCRIPTION,
    ODDITIES,
    STARS,
    OracleServer,
    connected,
    filled_server,
    star_columns,
    vo,
)
from service import Service, serving

from vo.check import check
from vo.config import Config
from vo.errors import ConfigError, LoadError
from vo.load import publish

pytest.importorskip("oracledb", reason="python-oracledb is not installed")

SLOW = (
    "SELECT COUNT(*) FROM vo_test_stars AS a, vo_test_stars AS b, vo_test_stars AS c "
    "WHERE a.mag + b.mag * c.mag = 17.5"
)
"""A query of a minute or more, wherever it runs."""


@pytest.fixture(scope="module", params=["19c", "23ai", "live"])
def server(request: pytest.FixtureRequest) -> Iterator[OracleServer]:
    """A server with the tables of `oracle_server`, nothing published yet."""
    with filled_server(request.param) as filled:
        yield filled


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory with the description."""
    directory = tmp_path_factory.mktemp("described")
    (directory / "release.yaml").write_text(DESCRIPTION)
    return directory


@pytest.fixture(scope="module")
def published(server: OracleServer, source: Path) -> OracleServer:
    """The server once the tables were published."""
    done = vo("publish", str(source), **server.settings)
    assert done.returncode == 0, done.stderr
    return server


@pytest.fixture(scope="module")
def oracle(published: OracleServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The whole service on it."""
    data = tmp_path_factory.mktemp("data")
    with serving(data, VO_SYNC_WORKERS="1", VO_QUERY_WORKERS="1", **published.settings) as running:
        yield running


def config_of(server: OracleServer, **changes: str) -> Config:
    """The settings of the service on a server, with some of them changed."""
    return Config.from_env({**server.settings, **changes})


def rows(answer: httpx.Response) -> list[dict[str, Any]]:
    """The rows of a VOTable, as astropy reads them; unknown values are None."""
    assert answer.status_code == 200, answer.text
    table = parse_single_table(io.BytesIO(answer.content)).to_table()
    return [
        {name: None if row[name] is np.ma.masked else row[name] for name in table.colnames} for row in table
    ]


def faults(config: Config) -> str:
    """What `vo check` says before it ends with the names of what is not in order."""
    told = ""
    with suppress(ConfigError):
        for line in check(config):
            told += line
    assert "FAULT releases" in told
    return told


def fails(answer: httpx.Response, status: int, *words: str) -> None:
    """The answer is an error document with that status, and says all the words."""
    assert answer.status_code == status, answer.text
    for word in words:
        assert word in answer.text


def test_every_value_arrives(oracle: Service) -> None:
    """Integers of 19 digits, NaN and infinities, text, CLOBs, times and NULL, in BINARY2 and as text."""
    query = "SELECT id, x, label, note, seen FROM vo_test_oddities ORDER BY id"
    found = rows(oracle.sync(query))
    wanted = sorted(ODDITIES, key=lambda row: (row[0] is None, row[0] or 0))
    for row, (number, x, label, note, seen) in zip(found, wanted, strict=True):
        assert row["id"] == number
        assert (row["label"] or None, row["note"] or None) == (label, note)
        assert (row["x"] is None or math.isnan(row["x"])) == (x is None or math.isnan(x))
        assert x is None or math.isnan(x) or row["x"] == x
        assert (row["seen"] or None) == (seen and seen.isoformat().removesuffix("0000"))
    text = oracle.sync(query, RESPONSEFORMAT="csv").text
    assert "9223372036854775807" in text
    assert "-9223372036854775808" in text
    assert "9007199254740993" in text


def test_a_cone_uses_the_stored_index(oracle: Service) -> None:
    """The rows are those of brute force; the SQL asks for ranges of the column as Oracle spells it."""
    stars = star_columns()
    ra, dec = np.radians(stars["ra"]), np.radians(stars["dec"])
    centre = np.radians([0.2, 5.1])
    half = np.sin((dec - centre[1]) / 2) ** 2
    half += np.cos(dec) * np.cos(centre[1]) * np.sin((ra - centre[0]) / 2) ** 2
    near = set(stars["id"][2 * np.arcsin(np.sqrt(half)) < np.radians(0.4)].tolist())
    query = "SELECT id FROM vo_test_stars WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE(0.2, 5.1, 0.4))"
    job = oracle.start_job(query)
    assert oracle.await_phase(job, "COMPLETED", "ERROR") == "COMPLETED"
    assert {row["id"] for row in rows(oracle.get(f"{job}/results/result"))} == near
    assert len(near) > 20
    sql = oracle.get(job).text
    assert "HPX29" in sql
    assert "Dec" in sql


def test_shapes_are_results(oracle: Service) -> None:
    """Points, circles and polygons arrive as arrays, and stars in a polygon that is not convex are found."""
    arrow = "POLYGON(0, 4.8, 0.6, 4.8, 0.2, 5, 0.6, 5.2, 0, 5.2)"
    query = (
        f"SELECT id, ra, dec, POINT(ra, dec) AS p, CIRCLE(ra, dec, 1) AS c, {arrow} AS s FROM vo_test_stars "
    )
    found = rows(oracle.sync(f"{query} WHERE 1 = CONTAINS(POINT(ra, dec), {arrow})"))
    stars = star_columns()
    ra, dec = stars["ra"], stars["dec"]
    # Flat is near enough: no star is so near to an edge.
    inside = (ra > 0) & (np.abs(dec - 5) < 0.2) & (ra < 0.2 + 2 * np.abs(dec - 5))
    assert {row["id"] for row in found} == set(stars["id"][inside].tolist())
    assert len(found) > 5
    for row in found:
        assert list(row["p"]) == [row["ra"], row["dec"]]
        assert list(row["c"]) == [row["ra"], row["dec"], 1]
        assert list(row["s"]) == [0, 4.8, 0.6, 4.8, 0.2, 5, 0.6, 5.2, 0, 5.2]


def test_reserved_words_and_other_names(oracle: Service) -> None:
    """A column whose name in Oracle is another, and whose own name is reserved, is found by its own."""
    found = rows(oracle.sync('SELECT "size", COUNT(*) AS n FROM vo_test_stars GROUP BY "size"'))
    assert {(row["size"], row["n"]) for row in found} == {(size, STARS // 50) for size in range(50)}


@pytest.mark.parametrize(("maxrec", "overflow"), [(STARS - 1, True), (STARS, False), (0, True)])
def test_maxrec(oracle: Service, maxrec: int, overflow: bool) -> None:  # noqa: FBT001
    """As many rows as asked for, and OVERFLOW only where there are more (TAP 1.1, 2.7.4)."""
    answer = oracle.sync("SELECT id, mag FROM vo_test_stars", MAXREC=maxrec)
    assert len(rows(answer)) == maxrec
    assert ('value="OVERFLOW"' in answer.text) is overflow


def test_tap_schema_describes_what_is_served(oracle: Service) -> None:
    """TAP_SCHEMA lies in Oracle, and says of columns what /tap/tables says."""
    query = (
        'SELECT c.column_name, c.unit, c."size" FROM TAP_SCHEMA.columns AS c '
        "JOIN TAP_SCHEMA.tables AS t ON c.table_name = t.table_name "
        "WHERE t.schema_name = 'sky' AND t.table_name LIKE '%stars' ORDER BY c.column_index"
    )
    found = rows(oracle.sync(query))
    assert [row["column_name"] for row in found] == ["id", "ra", "dec", "mag", '"size"']
    assert [row["unit"] or "" for row in found] == ["", "deg", "deg", "mag", ""]
    assert "VO_test_stars" in oracle.get("/tap/tables").text
    own = rows(oracle.sync("SELECT table_name FROM TAP_SCHEMA.tables WHERE schema_name = 'TAP_SCHEMA'"))
    assert len(own) == 5


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("SELECT nothing FROM vo_test_stars", 400, ["nothing"]),
        ("SELECT 1 / (id - id) FROM no_such_table", 400, ["no_such_table"]),
        ("SELECT CAST(label AS INTEGER) FROM vo_test_oddities", 400, ["ORA-01722"]),
        ("SELECT COUNT(POINT(ra, dec)) FROM vo_test_stars", 400, ["not offered on this database"]),
    ],
)
def test_what_is_wrong_is_told(oracle: Service, query: str, status: int, words: list[str]) -> None:
    """Mistakes in a query and values that it meets are the client's, with Oracle's number."""
    fails(oracle.sync(query), status, *words)


def test_the_plan_is_told(oracle: Service) -> None:
    """/tap/plan shows the SQL, the account of Oracle, and how many rows it means to read."""
    told = oracle.get("/tap/plan", LANG="ADQL", QUERY="SELECT mag FROM vo_test_stars WHERE mag > 0").json()
    assert told["dialect"] == "oracle"
    assert "VO_TEST_STARS" in told["sql"]
    assert told["explain"]
    assert told["rows"] == STARS


def test_an_aborted_job_stops_in_the_database(oracle: Service) -> None:
    """ABORT ends the statement, and the one worker of the lane runs the next job at once."""
    job = oracle.start_job(SLOW)
    oracle.await_phase(job, "EXECUTING")
    time.sleep(0.5)
    oracle.post(f"{job}/phase", PHASE="ABORT")
    assert oracle.phase(job) == "ABORTED"
    following = oracle.start_job("SELECT COUNT(*) AS n FROM vo_test_stars")
    assert oracle.await_phase(following, "COMPLETED", "ERROR", timeout_s=10) == "COMPLETED"


def test_a_client_that_leaves_stops_its_query(oracle: Service) -> None:
    """Nobody waits for the bytes any more, so the one sync worker is free for the next query."""
    params = {"LANG": "ADQL", "QUERY": SLOW}
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{oracle.url}/tap/sync", params=params, timeout=1.5)
    assert rows(oracle.sync("SELECT COUNT(*) AS n FROM vo_test_stars"))[0]["n"] == STARS


def test_time_is_limited(oracle: Service) -> None:
    """A job that used up its executionDuration is ended, in Oracle too (UWS 1.1, 2.1.4)."""
    answer = oracle.post("/tap/async", LANG="ADQL", QUERY=SLOW, EXECUTIONDURATION="1", PHASE="RUN")
    job = answer.headers["location"].removeprefix(oracle.url)
    assert oracle.await_phase(job, "ABORTED", "ERROR", timeout_s=10) == "ABORTED"
    following = oracle.start_job("SELECT COUNT(*) AS n FROM vo_test_stars")
    assert oracle.await_phase(following, "COMPLETED", "ERROR", timeout_s=10) == "COMPLETED"


def _double(published: OracleServer) -> OracleServer:
    if published.process is None:
        pytest.skip("a real server cannot be told to fail")
    return published


def test_a_lost_server_is_a_transient_fault(oracle: Service, published: OracleServer) -> None:
    """A connection that breaks in the middle of a query is a fault of the moment; the next query works."""
    double = _double(published)
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(oracle.sync(SLOW)))
    asking.start()
    time.sleep(1.5)
    double.tell("hang up")
    asking.join(20)
    fails(answers[0], 503, "The database closed the connection")
    assert int(answers[0].headers["retry-after"]) > 0
    assert rows(oracle.sync("SELECT COUNT(*) AS n FROM vo_test_stars"))[0]["n"] == STARS


@pytest.mark.parametrize("number", [12514, 12516])
def test_no_room_on_the_server(oracle: Service, published: OracleServer, number: int) -> None:
    """A listener without a service or without a free session: come back later, and then it works."""
    double = _double(published)
    double.tell(f"refuse {number}")
    double.tell("hang up")
    try:
        answer = oracle.sync("SELECT COUNT(*) AS n FROM vo_test_stars")
        fails(answer, 503, "cannot be reached")
    finally:
        double.tell("accept")
    assert rows(oracle.sync("SELECT COUNT(*) AS n FROM vo_test_stars"))[0]["n"] == STARS


def test_another_release_is_served_without_a_restart(
    oracle: Service, published: OracleServer, tmp_path: Path
) -> None:
    """`vo publish` switches all at once: names, descriptions and TAP_SCHEMA."""
    text = DESCRIPTION.replace("name: mag,", "name: brightness, data: mag,")
    (tmp_path / "release.yaml").write_text(text)
    query = "SELECT MIN(brightness) AS b FROM vo_test_stars"
    fails(oracle.sync(query), 400, "brightness")
    try:
        publish(tmp_path, config_of(published))
        deadline = time.monotonic() + 20
        while (answer := oracle.sync(query)).status_code != 200:
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.5)
        named = rows(
            oracle.sync("SELECT column_name FROM TAP_SCHEMA.columns WHERE column_name = 'brightness'")
        )
        assert len(named) == 1
    finally:
        (tmp_path / "release.yaml").write_text(DESCRIPTION)
        publish(tmp_path, config_of(published))
    deadline = time.monotonic() + 20
    while oracle.sync("SELECT MIN(mag) AS b FROM vo_test_stars").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_tables_of_an_older_version_get_what_they_lack(published: OracleServer, source: Path) -> None:
    """`vo publish` adds columns that the tables of TAP_SCHEMA lack, and minds none that are over."""
    with connected(published) as connection, connection.cursor() as cursor:
        cursor.execute("ALTER TABLE VO_TEST_CATALOG_COLUMNS DROP COLUMN UCD")
        cursor.execute("ALTER TABLE VO_TEST_CATALOG_COLUMNS ADD (OF_OLD NUMBER(10))")
    publish(source, config_of(published))
    with connected(published) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM VO_TEST_CATALOG_COLUMNS WHERE UCD = 'meta.id;meta.main'")
        assert cursor.fetchone() == (1,)
        cursor.execute("ALTER TABLE VO_TEST_CATALOG_COLUMNS DROP COLUMN OF_OLD")


FLAWS = {
    "column": (DESCRIPTION.replace("name: mag,", "name: magn,"), "VO_TEST_STARS has no magn. Is it MAG?"),
    "table": (DESCRIPTION.replace("name: vo_test_oddities", "name: nowhere"), "no table nowhere"),
    "array": (
        DESCRIPTION.replace("name: mag, datatype: float,", "name: mag, datatype: float, length: 3,").replace(
            "datatype: float, length: 3,", 'datatype: float, votable:arraysize: "3",'
        ),
        "mag is an array",
    ),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_what_is_not_there_is_not_published(published: OracleServer, tmp_path: Path, flaw: str) -> None:
    """Tables and columns are looked for in Oracle first; what is wrong is told with the nearest name."""
    text, words = FLAWS[flaw]
    (tmp_path / "release.yaml").write_text(text)
    with pytest.raises(LoadError, match=re.escape(words)):
        publish(tmp_path, config_of(published))


CHECKS: dict[str, tuple[dict[str, str], str]] = {
    "address": ({"VO_ORACLE_DSN": "127.0.0.1:1/nobody"}, "mend VO_ORACLE_DSN"),
    "no address": ({"VO_ORACLE_DSN": "nobody knows"}, "Mend VO_ORACLE_DSN"),
    "password": ({"VO_ORACLE_PASSWORD": "wrong"}, "Mend VO_ORACLE_USER and VO_ORACLE_PASSWORD"),
    "no password": ({"VO_ORACLE_PASSWORD": ""}, "Set either VO_ORACLE_PASSWORD or"),
    "no file": (
        {"VO_ORACLE_PASSWORD": "", "VO_ORACLE_PASSWORD_FILE": "/nowhere"},
        "Mend VO_ORACLE_PASSWORD_FILE",
    ),
    "catalogue": ({"VO_ORACLE_CATALOG": "VO_TEST_NOTHING"}, "Write it with `vo publish`"),
    "name": ({"VO_ORACLE_CATALOG": "x; DROP TABLE y"}, "VO_ORACLE_CATALOG must be"),
    "user": ({"VO_ORACLE_USER": ""}, "VO_ORACLE_USER is not set"),
}


@pytest.mark.parametrize("flaw", CHECKS)
def test_check_says_how_to_mend_it(published: OracleServer, tmp_path: Path, flaw: str) -> None:
    """`vo check` names the setting that is wrong, and shows no password."""
    settings, words = CHECKS[flaw]
    told = faults(config_of(published, VO_DATA_DIR=str(tmp_path), **settings))
    assert words in told
    assert published.password not in told


def test_check_is_content_with_what_is_in_order(published: OracleServer, tmp_path: Path) -> None:
    """With the password from a file, the release and its tables are named."""
    secret = tmp_path / "password"
    secret.write_text(f"{published.password}\n")
    settings = {**published.settings, "VO_ORACLE_PASSWORD": "", "VO_ORACLE_PASSWORD_FILE": str(secret)}
    done = vo("check", "--data", str(tmp_path), **settings)
    assert done.returncode == 0, done.stdout
    assert "7 tables" in done.stdout
    assert "sky@" in done.stdout
