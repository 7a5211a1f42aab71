"""Tables of positions through the door: each row with its tiles, at once and as jobs."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io.votable import from_table, parse_single_table
from astropy.table import Table
from service import Service

from vo.sample import sample_tiles

TILES = "/footprint/tiles"
ROWS = 3_000


@pytest.fixture(scope="module")
def positions() -> Table:
    """Positions in and around the tiles of the sample, borders of their areas and unknown ones among them."""
    rng = np.random.default_rng(20)
    tiles = rng.choice(len(sample_tiles()), ROWS)
    ra = np.array([sample_tiles()[i].ra for i in tiles]) + rng.uniform(-1.2, 1.2, ROWS)
    dec = np.clip(np.array([sample_tiles()[i].dec for i in tiles]) + rng.uniform(-0.7, 0.7, ROWS), -90, 90)
    edges = [(tile.ura_min % 360, tile.udec_min) for tile in sample_tiles()]
    ra[: len(edges)], dec[: len(edges)] = np.transpose(edges)
    ra[-1] = np.nan
    names = [f"o{i}" for i in range(ROWS)]
    return Table({"name": names, "tile": np.arange(ROWS), "RAJ2000": ra % 360, "DEJ2000": dec})


@pytest.fixture(scope="module")
def expected(positions: Table) -> list[str]:
    """The owner of each position by the bounds of the tiles; empty: none."""
    owners = np.full(len(positions), "", dtype="U16")
    ra, dec = np.asarray(positions["RAJ2000"]), np.asarray(positions["DEJ2000"])
    for tile in sample_tiles():
        owners[tile.contains(ra, dec)] = tile.name
    return [str(owner) for owner in owners]


def written(table: Table, kind: str) -> bytes:
    """The table as a file."""
    stream = io.BytesIO()
    if kind == "csv":
        text = io.StringIO()
        table.write(text, format="ascii.csv", fill_values=[("nan", "")])
        return text.getvalue().encode()
    if kind == "parquet":
        pq.write_table(pa.table({name: np.asarray(table[name]) for name in table.colnames}), stream)
    elif kind == "votable":
        from_table(table).to_xml(stream)
    else:
        table.write(stream, format="fits")
    return stream.getvalue()


def rows(text: str) -> list[dict[str, str]]:
    """The rows of CSV."""
    return list(csv.DictReader(io.StringIO(text)))


def judge(found: list[dict[str, str]], positions: Table, expected: list[str]) -> None:
    """Every row is there, in order, with its owner; the tiles of each hold it and begin with the owner."""
    assert [row["name"] for row in found] == list(positions["name"])
    assert [row["tile"] for row in found] == [str(i) for i in range(len(positions))]
    assert [row["tile_"] if row["tile_owned"] == "true" else "" for row in found] == expected
    for row in found:
        tiles = row["tiles"].split()
        assert int(row["tile_count"]) == len(tiles)
        assert tiles[:1] == ([row["tile_"]] if row["tile_"] else [])


@pytest.mark.parametrize("kind", ["csv", "votable", "parquet", "fits"])
def test_a_short_table_is_answered_at_once(
    service: Service, positions: Table, expected: list[str], kind: str
) -> None:
    """Whatever its kind, each row comes back with its tiles."""
    answer = httpx.post(
        service.url + TILES,
        files={"mine": written(positions, kind)},
        data={"RESPONSEFORMAT": "csv"},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    judge(rows(answer.text), positions, expected)


def test_a_table_is_a_job(service: Service, positions: Table, expected: list[str]) -> None:
    """UPLOAD names the table; the result is that of the sync form, as a VOTable with units and UCDs."""
    created = httpx.post(
        f"{service.url}{TILES}/async",
        files={"mine": written(positions, "votable")},
        data={"UPLOAD": "t,param:mine", "PHASE": "RUN", "RA": "raj2000", "DEC": "dej2000"},
        timeout=60,
    )
    assert created.status_code == 303
    job = created.headers["location"].removeprefix(service.url)
    assert service.await_phase(job, "COMPLETED", "ERROR") == "COMPLETED", service.get(f"{job}/error").text
    table = parse_single_table(io.BytesIO(service.get(f"{job}/results/result").content)).to_table()
    found = [
        owner if is_owned == 1 else ""
        for owner, is_owned in zip(table["tile_"].filled(""), table["tile_owned"].tolist(), strict=True)
    ]
    assert found == expected


def test_a_result_of_a_query_may_be_the_table(service: Service) -> None:
    """Objects of the catalogue are in the tiles that the catalogue says."""
    job = service.start_job("SELECT TOP 500 ra, dec, tilename FROM sim1.main", RESPONSEFORMAT="parquet")
    assert service.await_phase(job, "COMPLETED", "ERROR") == "COMPLETED"
    upload = f"objects,job:{job.rpartition('/')[2]}"
    answer = service.post(TILES, UPLOAD=upload, RESPONSEFORMAT="csv", RELEASE="sim1")
    found = rows(answer.text)
    assert len(found) == 500
    assert [row["tile"] for row in found] == [row["tilename"] for row in found]


def test_maxrec_cuts(service: Service, positions: Table) -> None:
    """MAXREC=0 gives the columns alone."""
    for maxrec in (0, 7):
        answer = httpx.post(
            service.url + TILES,
            files={"mine": written(positions, "csv")},
            data={"MAXREC": str(maxrec)},
            timeout=60,
        )
        assert 'value="OVERFLOW"' in answer.text
        assert len(parse_single_table(io.BytesIO(answer.content)).array) == maxrec


BAD = {
    "ra,dec\n1,2\n361,3\n": ({}, "Row 2: RA must be between -180 and 360 degrees, but is 361"),
    "ra,dec\n1,2\n4,3\n1,91\n": ({}, "Row 3: DEC must be between -90 and 90"),
    "a,dec\n1,2\n": ({}, "No column of the table is known by its name or UCD to be RA. Name it, RA=a"),
    "alpha,dec\n1,2\n": ({"RA": "alfa"}, "RA: the table has no column 'alfa'. Did you mean alpha?"),
    "ra,dec\nx,2\n": ({}, "RA: the column ra has no numbers"),
    "ra,dec\n4,2\n": ({"RELEASE": "dr9"}, "no tiles of a release 'dr9'"),
    "": ({}, "The file is empty"),
}


@pytest.mark.parametrize("text", BAD)
def test_bad_tables_are_told_what_is_wrong(service: Service, text: str) -> None:
    """With the row or the column, in DALI's form."""
    params, told = BAD[text]
    answer = httpx.post(service.url + TILES, files={"mine": text.encode()}, data=params, timeout=60)
    assert answer.status_code in (400, 404)
    assert 'value="ERROR"' in answer.text
    assert told in answer.text.replace("&gt;", ">")


def test_two_files_are_one_too_many(service: Service) -> None:
    """One table is needed, and none is not enough for a job."""
    answer = httpx.post(service.url + TILES, files={"a": b"ra,dec\n", "b": b"ra,dec\n"}, timeout=60)
    assert answer.status_code == 400
    assert "One table of positions is needed, not 2" in answer.text
    created = service.post(f"{TILES}/async", PHASE="RUN")
    job = created.headers["location"].removeprefix(service.url)
    assert service.await_phase(job, "COMPLETED", "ERROR") == "ERROR"
    assert "One table of positions is needed, not 0" in service.get(f"{job}/error").text


@pytest.fixture(scope="module")
def long_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table that is too long to wait for."""
    path = tmp_path_factory.mktemp("positions") / "long.parquet"
    pq.write_table(pa.table({"ra": np.full(20_001, 40.5), "dec": np.full(20_001, -40.5)}), path)
    return path


def test_a_long_table_needs_a_job(service: Service, long_table: Path) -> None:
    """The refusal says where to go, and the job there has all rows."""
    answer = httpx.post(service.url + TILES, files={"mine": long_table.read_bytes()}, timeout=60)
    assert answer.status_code == 413
    assert "Send it to /footprint/tiles/async" in answer.text
    created = httpx.post(
        f"{service.url}{TILES}/async",
        files={"mine": long_table.read_bytes()},
        data={"PHASE": "RUN", "RESPONSEFORMAT": "parquet", "MAXREC": "20000"},
        timeout=60,
    )
    job = created.headers["location"].removeprefix(service.url)
    assert service.await_phase(job, "COMPLETED", "ERROR") == "COMPLETED"
    table = pq.read_table(io.BytesIO(service.get(f"{job}/results/result").content))
    assert table.num_rows == 20_000
    assert len(set(table["tile"].to_pylist())) == 1
