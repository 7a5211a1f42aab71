"""`vo load --database oracle`, through the door: files in, tables in Oracle, HTTP out."""

from __future__ import annotations

import io
import math
import shutil
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io.votable import parse_single_table
from oracle_server import NOON, OracleServer, connected, filled_server, star_columns, vo
from service import Service, serving

from vo.config import Config
from vo.errors import LoadError, UsageError
from vo.load import OracleOptions, Progress, load_into_oracle, oracle_rows
from vo.load.oracle_retired import remove_retired

pytest.importorskip("oracledb", reason="python-oracledb is not installed")

DESCRIPTION = """\
name: vo_test
description: A release for tests.
tables:
  - name: stars
    description: Stars all over the sky, it's said.
    primaryKey: id
    constraints: [{'@type': Unique, columns: [hpx]}]
    columns:
      - {name: id, datatype: long, ivoa:ucd: meta.id;meta.main, description: Number.}
      - {name: ra, datatype: double, ivoa:unit: deg, ivoa:ucd: pos.eq.ra;meta.main}
      - {name: dec, datatype: double, ivoa:unit: deg, ivoa:ucd: pos.eq.dec;meta.main}
      - {name: mag, datatype: float, ivoa:unit: mag}
      - {name: size, datatype: short, nullable: false}
      - {name: hpx, datatype: long}
  - name: oddities
    columns:
      - {name: id, datatype: long}
      - {name: x, datatype: double}
      - {name: "B-V", datatype: float}
      - {name: is, datatype: boolean}
      - {name: label, datatype: unicode, length: 12}
      - {name: note, datatype: string}
      - {name: seen, datatype: timestamp}
"""

ODDITIES: dict[str, list[Any]] = {
    "id": [2**63 - 1, -(2**63), 0, None],
    "x": [math.nan, math.inf, -0.5, None],
    "B-V": [0.1, None, -math.inf, 1.5],
    "is": [True, False, None, True],
    "label": ["β Cen ☃", "'; DROP", None, "x" * 12],
    "note": ["n" * 4000, "a", None, "b"],
    "seen": [NOON, None, NOON.replace(year=1600), NOON.replace(year=9999)],
}


def write_release(directory: Path, **changes: Any) -> Path:
    """The release in `directory`, `changes` in place of columns of its stars."""
    directory.mkdir(exist_ok=True)
    stars = star_columns()
    stars["hpx"] = stars.pop("hpx29")
    stars["size"] = stars["size"].astype(np.int16)
    (directory / "release.yaml").write_text(DESCRIPTION)
    pq.write_table(pa.table({**stars, **changes}), directory / "stars.parquet")
    pq.write_table(pa.table(ODDITIES), directory / "oddities.parquet")
    return directory


@pytest.fixture(scope="module", params=["19c", "23ai", "live"])
def server(request: pytest.FixtureRequest) -> Iterator[OracleServer]:
    """A server."""
    with filled_server(request.param) as filled:
        yield filled


def config_of(server: OracleServer, data: Path) -> Config:
    """The settings for loading into a server."""
    return Config.from_env({**server.settings, "VO_DATA_DIR": str(data), "VO_DUCKDB_MEMORY": "256MB"})


@pytest.fixture(scope="module")
def loaded(server: OracleServer, tmp_path_factory: pytest.TempPathFactory) -> tuple[OracleServer, Path]:
    """The server with the release, loaded by the command; and the directory of the data."""
    source, data = write_release(tmp_path_factory.mktemp("v1") / "r"), tmp_path_factory.mktemp("data")
    options = ["--database", "oracle", "--partitions", "4", "--data", str(data)]
    if server.process is not None:
        options += ["--reader", "vo_reader"]
    done = vo("load", str(source), *options, **server.settings)
    assert done.returncode == 0, done.stderr
    assert "vo_test.stars: 3,000 rows" in done.stdout
    return server, data


@pytest.fixture(scope="module")
def oracle(loaded: tuple[OracleServer, Path]) -> Iterator[Service]:
    """The whole service on it."""
    server, data = loaded
    with serving(data, VO_SYNC_WORKERS="1", VO_QUERY_WORKERS="1", **server.settings) as running:
        yield running


def rows(service: Service, query: str) -> list[dict[str, Any]]:
    """The rows of a query, as astropy reads them; unknown values are None."""
    answer = service.sync(query)
    assert answer.status_code == 200, answer.text
    table = parse_single_table(io.BytesIO(answer.content)).to_table()
    return [
        {name: None if row[name] is np.ma.masked else row[name] for name in table.colnames} for row in table
    ]


def test_every_value_is_there(oracle: Service) -> None:
    """Integers of 19 digits, NaN and infinities, texts of 4000 bytes, times, booleans and NULL."""
    found = rows(oracle, "SELECT * FROM vo_test.oddities")
    assert list(found[0]) == list(ODDITIES)
    for row, wanted in zip(found, zip(*ODDITIES.values(), strict=True), strict=True):
        assert all(_same(*pair) for pair in zip(row.values(), wanted, strict=True)), (row, wanted)


def _same(value: object, want: object) -> bool:
    """Whether astropy read what was written; it masks NaN, and gives NULL of text as the empty one."""
    if isinstance(want, datetime):
        return datetime.fromisoformat(str(value)) == want
    if isinstance(want, float) and not math.isnan(want):
        return bool(value in (want, np.float32(want)))
    return value in (None, "") if want is None or want != want else bool(value == want)  # noqa: PLR0124  NaN


def test_cones_are_found_by_the_index(oracle: Service) -> None:
    """The rows are those of brute force, and the SQL asks for ranges of the index that was loaded."""
    stars = star_columns()
    ra, dec = np.radians(stars["ra"]), np.radians(stars["dec"])
    half = np.sin((dec - np.radians(5.1)) / 2) ** 2
    half += np.cos(dec) * np.cos(np.radians(5.1)) * np.sin((ra - np.radians(0.2)) / 2) ** 2
    near = set(stars["id"][2 * np.arcsin(np.sqrt(half)) < np.radians(0.4)].tolist())
    query = "SELECT id FROM vo_test.stars WHERE DISTANCE(POINT(ra, dec), POINT(0.2, 5.1)) < 0.4"
    assert {row["id"] for row in rows(oracle, query)} == near
    assert len(near) > 20
    plan = oracle.get("/tap/plan", QUERY=query, LANG="ADQL", RESPONSEFORMAT="json")
    assert '"HPX29\\" BETWEEN' in plan.text


def test_the_metadata_are_published(oracle: Service) -> None:
    """Tables, units and row counts are those of the description; the stored names stay inside."""
    tables = oracle.get("/tap/tables").text
    assert "<nrows>3000</nrows>" in tables
    assert "VO_TEST_STARS" not in tables
    found = rows(
        oracle, "SELECT column_name, unit FROM TAP_SCHEMA.columns WHERE table_name = 'vo_test.stars'"
    )
    assert {row["column_name"]: row["unit"] or "" for row in found}["ra"] == "deg"


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_load_that_was_cut_off_goes_on(
    server: OracleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_kept: bool
) -> None:
    """No row is lost, none is there twice, and those that were there are not sent again.

    Unless the file from which they came is lost: another one may have them in another order.
    """
    monkeypatch.setattr(oracle_rows, "BATCH_ROWS", 500)
    source = write_release(tmp_path / "r", mag=np.full(3000, 7 if is_kept else 8, "f4"))
    config = config_of(server, tmp_path)

    def fail(progress: Progress) -> None:
        if progress.stage == "copy" and progress.rows >= 1500:
            raise KeyboardInterrupt

    before = _published(server)
    with pytest.raises(KeyboardInterrupt):
        load_into_oracle(source, config, OracleOptions(), report=fail)
    assert _published(server) == before
    if not is_kept:
        shutil.rmtree(config.staging_dir)
    seen: list[Progress] = []
    done = load_into_oracle(source, config, OracleOptions(), report=seen.append)
    assert dict(done.tables)["vo_test.stars"] == 3000
    copied = [progress.rows for progress in seen if progress.stage == "copy" and "stars" in progress.table]
    assert copied == list(range(2000 if is_kept else 500, 3001, 500))
    with connected(server) as connection, connection.cursor() as cursor:
        (name,) = (name for name in _tables(server) if "_STARS_" in name and name in _published(server))
        cursor.execute(f'SELECT COUNT(*), COUNT(DISTINCT ID), SUM(MAG) FROM "{name}"')
        assert cursor.fetchone() == (3000, 3000, 21000 if is_kept else 24000)


def test_direct_path_brings_the_same_rows(
    server: OracleServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--direct-path`: all values of every type as an INSERT brings them, also where a load goes on."""
    monkeypatch.setattr(oracle_rows, "BATCH_ROWS", 700)
    config, kept = config_of(server, tmp_path), []

    def fail(progress: Progress) -> None:
        if progress.stage == "copy" and progress.rows >= 1400:
            raise KeyboardInterrupt

    for is_direct in (False, True):
        source = write_release(tmp_path / f"r{is_direct}", mag=np.linspace(9, 10, 3000, dtype="f4"))
        options = OracleOptions(direct=is_direct)
        with pytest.raises(KeyboardInterrupt):
            load_into_oracle(source, config, options, report=fail)
        load_into_oracle(source, config, options)
        names = {name for name in _tables(server) if name in _published(server) and "_L" in name}
        with connected(server) as connection, connection.cursor() as cursor:
            asked = (f"SELECT * FROM {name} ORDER BY 1, 2" for name in sorted(names))
            kept.append([repr(cursor.execute(sql).fetchall()) for sql in asked])
    assert kept[0] == kept[1]
    assert len(kept[0]) == 2


def test_a_release_is_switched_under_those_who_read(
    oracle: Service, loaded: tuple[OracleServer, Path], tmp_path: Path
) -> None:
    """A query that runs ends on the old rows, the next one reads the new; old tables go when nobody can."""
    server, data = loaded
    slow = "SELECT COUNT(*) FROM vo_test.stars a, vo_test.stars b WHERE a.mag + b.mag > 1e9 OR a.id = 1"
    job = oracle.start_job(slow)
    config = config_of(server, data)
    load_into_oracle(write_release(tmp_path / "r", mag=np.full(3000, -3, "f4")), config, OracleOptions())
    assert oracle.await_phase(job, "COMPLETED", "ERROR") == "COMPLETED"
    deadline = time.monotonic() + 15
    while rows(oracle, "SELECT MAX(mag) AS m FROM vo_test.stars")[0]["m"] != -3:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    table = next(name for name in _tables(server) if "_STARS_" in name and name in _published(server))
    with connected(server) as connection:
        path = (server.user.upper(), "VO_TEST_CATALOG")
        names = [table, table.replace("STARS", "ODDITIES")]
        (note,) = remove_retired(connection, path, names, longest_s=3600)
        assert "stay" in note
        removed = remove_retired(connection, path, names, longest_s=0)
        assert len(removed) >= 2
        assert remove_retired(connection, path, names, longest_s=0) == ()
    assert rows(oracle, "SELECT MAX(mag) AS m FROM vo_test.stars")[0]["m"] == -3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("datatype: boolean}", "datatype: boolean, votable:arraysize: 2}"), "is an array"),
        (("datatype: unicode, length: 12", "datatype: unicode, length: 5"), "longer than 5"),
        (("name: label", "name: lable"), "lable"),
    ],
)
def test_what_cannot_be_loaded_changes_nothing(
    server: OracleServer, tmp_path: Path, change: tuple[str, str], words: str
) -> None:
    """Arrays, values that do not fit, columns that are not there: told before any table is made."""
    source = write_release(tmp_path / "r")
    (source / "release.yaml").write_text(DESCRIPTION.replace(*change))
    before = _tables(server)
    with pytest.raises(LoadError, match=words):
        load_into_oracle(source, config_of(server, tmp_path), OracleOptions())
    assert _tables(server) == before


def test_a_text_that_oracle_cannot_compare_is_named(server: OracleServer, tmp_path: Path) -> None:
    """Its column is told, and what was published stays."""
    source = write_release(tmp_path / "r")
    pq.write_table(
        pa.table({**ODDITIES, "note": ["n" * 4001, *ODDITIES["note"][1:]]}), source / "oddities.parquet"
    )
    before = _published(server)
    with pytest.raises(UsageError, match="column note holds a text of more than 4,000 bytes"):
        load_into_oracle(source, config_of(server, tmp_path), OracleOptions())
    assert _published(server) == before


def _tables(server: OracleServer) -> set[str]:
    with connected(server) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT TABLE_NAME FROM ALL_TABLES WHERE OWNER = USER")
        return {name for (name,) in cursor.fetchall()}


def _published(server: OracleServer) -> str:
    with connected(server) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM ALL_TABLES WHERE OWNER = USER AND TABLE_NAME = 'VO_TEST_CATALOG'"
        )
        if not cursor.fetchone()[0]:
            return ""
        cursor.execute("SELECT TEXT FROM VO_TEST_CATALOG ORDER BY PART")
        return "".join(text for (text,) in cursor.fetchall())
