"""/footprint/moc through the door, its MOCs read by mocpy and astropy."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.io.votable import parse_single_table
from mocpy import MOC
from service import Service

from vo.sample import sample_tiles

MOC_PATH = "/footprint/moc"
SKY_DEG2 = 4 * np.pi * (180 / np.pi) ** 2
DES = Path(__file__).resolve().parents[2] / "shared" / "data" / "des-footprint" / "des_dr2.moc.fits"


def ascii_moc(service: Service, **params: Any) -> MOC:
    """The MOC of an answer in ASCII."""
    answer = service.get(MOC_PATH, RESPONSEFORMAT="ascii", **params)
    assert answer.status_code == 200, answer.text
    return MOC.from_string(answer.text)


def positions(service: Service, query: str) -> tuple[np.ndarray, np.ndarray]:
    """Two columns of a query."""
    answer = service.sync(query, RESPONSEFORMAT="csv", MAXREC="50000")
    values = np.genfromtxt(io.StringIO(answer.text), delimiter=",", skip_header=1)
    return values[:, 0], values[:, 1]


@pytest.fixture(scope="module")
def survey(service: Service) -> MOC:
    """What the tiles of the sample cover, to order 9."""
    return ascii_moc(service, ORDER="9")


def test_the_survey_is_its_tiles(survey: MOC) -> None:
    """The cells with some of an image: all corners are in, and mocpy makes the same of the same outlines."""
    expected = MOC.new_empty(9)
    for tile in sample_tiles():
        lon, lat = tile.corners().T
        assert survey.contains_lonlat(lon * units.deg, lat * units.deg).all()
        expected = expected.union(MOC.from_polygon((lon % 360) * units.deg, lat * units.deg, max_depth=9))
    assert survey == expected
    assert survey.max_order == 9


def test_every_form_is_the_same_moc(service: Service, survey: MOC, tmp_path: Path) -> None:
    """FITS unless told, JSON and ASCII; astropy finds the keywords of the standard."""
    answer = service.get(MOC_PATH, ORDER="9")
    assert answer.headers["content-type"] == "application/fits"
    path = tmp_path / "moc.fits"
    path.write_bytes(answer.content)
    assert MOC.from_fits(str(path)) == survey
    with fits.open(path) as hdus:
        header = hdus[1].header
        assert [header[name] for name in ("MOCVERS", "MOCDIM", "ORDERING", "COORDSYS", "MOCORD_S")] == [
            "2.0", "SPACE", "NUNIQ", "C", 9,
        ]  # fmt: skip
        orders = (np.log2(hdus[1].data["UNIQ"] / 4) / 2).astype(int)
        assert (4.0 ** (9 - orders)).sum() / (12 * 4**9) == pytest.approx(survey.sky_fraction)
    shown = service.get(MOC_PATH, ORDER="9", RESPONSEFORMAT="json")
    assert shown.headers["content-type"].startswith("application/json")
    assert MOC.from_json(json.loads(shown.text)) == survey


def test_a_row_tells_the_size(service: Service, survey: MOC) -> None:
    """A VOTable has the MOC with its xtype, its order, and its area in square degrees."""
    table = parse_single_table(io.BytesIO(service.get(MOC_PATH, ORDER="9", RESPONSEFORMAT="votable").content))
    assert table.get_field_by_id_or_name("moc").xtype == "moc"
    row = table.to_table()[0]
    assert MOC.from_string(str(row["moc"])) == survey
    assert row["area"] == pytest.approx(survey.sky_fraction * SKY_DEG2)
    assert (row["moc_order"], row["sky_fraction"]) == (9, pytest.approx(survey.sky_fraction))


def test_bands_and_depths_choose_tiles(service: Service, survey: MOC) -> None:
    """A limit of the depth leaves out tiles; the two sides of a limit make the whole."""
    assert ascii_moc(service, ORDER="9", BAND="i") == survey
    depths = service.sync("SELECT depth_i FROM footprint.tiles", RESPONSEFORMAT="csv").text.split()[1:]
    limit = sorted(map(float, depths))[len(depths) // 2]
    deep = ascii_moc(service, ORDER="9", BAND="i", DEPTH=f"{limit} +Inf")
    shallow = ascii_moc(service, ORDER="9", BAND="i", DEPTH=f"-Inf {limit}")
    assert 0 < deep.sky_fraction < survey.sky_fraction
    assert deep.union(shallow) == survey
    assert ascii_moc(service, ORDER="9", RELEASE="sim1") == survey
    assert ascii_moc(service, ORDER="9", RELEASE="none").empty()


def test_tables_and_queries_are_covered(service: Service) -> None:
    """The cells of a table's positions, of those of a query, of points, and of regions."""
    ra, dec = positions(service, "SELECT ra, dec FROM sim1.main WHERE mag_auto_i < 22")
    expected = MOC.from_lonlat(ra * units.deg, dec * units.deg, max_norder=8)
    where = "FROM sim1.main WHERE mag_auto_i < 22"
    assert ascii_moc(service, ORDER="8", QUERY=f"SELECT mag_auto_i, dec, ra {where}") == expected
    assert ascii_moc(service, ORDER="8", QUERY=f"SELECT POINT(ra, dec) AS p {where}") == expected
    every = positions(service, "SELECT ra, dec FROM sim1.main")
    whole = MOC.from_lonlat(every[0] * units.deg, every[1] * units.deg, max_norder=8)
    assert ascii_moc(service, ORDER="8", TABLE="sim1.main") == whole
    circles = ascii_moc(service, ORDER="8", QUERY="SELECT TOP 1 CIRCLE(40, -40, 2) FROM footprint.tiles")
    assert circles == MOC.from_cone(40 * units.deg, -40 * units.deg, radius=2 * units.deg, max_depth=8)
    mocs = "SELECT TOP 1 MOC('3/5 12/70000') FROM footprint.tiles"
    assert ascii_moc(service, ORDER="5", QUERY=mocs) == MOC.from_string("3/5 5/4")


@pytest.mark.parametrize("operation", ["union", "intersection", "difference"])
@pytest.mark.parametrize("form", ["fits", "json", "ascii", "text"])
def test_operations_are_those_of_mocpy(
    service: Service, survey: MOC, operation: str, form: str, tmp_path: Path
) -> None:
    """Ours with one that is sent, whatever its form."""
    other = MOC.from_cone(0 * units.deg, -40 * units.deg, radius=1.5 * units.deg, max_depth=10)
    data = {"ORDER": "9", "OPERATION": operation, "RESPONSEFORMAT": "ascii"}
    if form == "text":
        answer = httpx.post(service.url + MOC_PATH, data={**data, "MOC": other.to_string()}, timeout=60)
    else:
        path = tmp_path / "other"
        if form == "fits":
            other.save(path, "fits")
        else:
            path.write_text(other.to_string("json" if form == "json" else "ascii"))
        answer = httpx.post(service.url + MOC_PATH, data=data, files={"MOC": path.read_bytes()}, timeout=60)
    assert answer.status_code == 200, answer.text
    assert MOC.from_string(answer.text) == getattr(survey, operation)(other)


def test_a_job_makes_a_moc(service: Service, survey: MOC) -> None:
    """The same parameters with PRODUCT make a job, its result the MOC."""
    created = service.post("/footprint/async", PRODUCT="moc", ORDER="9", RESPONSEFORMAT="ascii", PHASE="RUN")
    job = created.headers["location"].removeprefix(service.url)
    assert service.await_phase(job, "COMPLETED", "ERROR") == "COMPLETED"
    found = httpx.get(f"{service.url}{job}/results/moc", follow_redirects=True)
    assert MOC.from_string(found.text) == survey


def test_the_footprint_of_des_comes_back(service: Service) -> None:
    """A real MOC of 7,158 cells, united with nothing of ours, is itself."""
    if not DES.exists():
        pytest.skip("the footprint of DES is not at hand")
    answer = httpx.post(
        service.url + MOC_PATH,
        data={"QUERY": "SELECT MOC('0/') AS m FROM footprint.tiles", "OPERATION": "union", "ORDER": "9"},
        files={"MOC": DES.read_bytes()},
        params={"RESPONSEFORMAT": "json"},
        timeout=60,
    )
    assert MOC.from_string(answer.text, "json") == MOC.from_fits(str(DES))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"ORDER": "15"}, "ORDER must be 14 at most"),
        ({"ORDER": "-1"}, "at least 0"),
        ({"ORDER": "x"}, "whole number"),
        ({"NSIDE": "48"}, "power of 2"),
        ({"BAND": "u"}, "BAND must be one of g, r, i, z, y"),
        ({"DEPTH": "22"}, "DEPTH is that of one band"),
        ({"BAND": "i", "DEPTH": "24 22"}, "is above"),
        ({"TABLE": "sim1.mian"}, "Did you mean sim1.main"),
        ({"TABLE": "sim1.main", "QUERY": "SELECT 1"}, "both say"),
        ({"TABLE": "sim1.main", "BAND": "i"}, "chooses tiles"),
        ({"QUERY": "SELECT ra FROM sim1.main"}, "tells no positions"),
        ({"QUERY": "SELECT ra, dec FROM sim1.nothing"}, "nothing"),
        ({"OPERATION": "union"}, "belong together"),
        ({"MOC": "3/5"}, "belong together"),
        ({"OPERATION": "xor", "MOC": "3/5"}, "union, intersection, difference"),
        ({"OPERATION": "union", "MOC": "30/5"}, "no order 30"),
        ({"OPERATION": "union", "MOC": '{"30": [5]}'}, "no order of a MOC"),
        ({"OPERATION": "union", "MOC": '{"3": [768]}'}, "no cell 768"),
        ({"OPERATION": "union", "MOC": '{"3": 5}'}, "list of whole numbers"),
        ({"RESPONSEFORMAT": "gif"}, "gif"),
    ],
)
def test_what_is_wrong_is_told(service: Service, params: dict[str, str], message: str) -> None:
    """An error document with status 400 that names the parameter."""
    answer = service.get(MOC_PATH, **params)
    assert answer.status_code == 400
    assert message in answer.text


@pytest.mark.parametrize(
    "content",
    [
        b"SIMPLE  =                    T" + b" " * 50,
        b"\xff\xfe\x00nonsense",
        DES.read_bytes()[:6000] if DES.exists() else b"SIMPLE",
        DES.read_bytes().replace(b"'RANGE'   ", b"'RING'    ") if DES.exists() else b"SIMPLE",
        DES.read_bytes().replace(b"MOCORD_S= 9", b"MOCORD_S= 3") if DES.exists() else b"SIMPLE",
    ],
    ids=["no table", "bytes", "cut", "packing", "too fine"],
)
def test_files_that_are_no_moc_are_refused(service: Service, content: bytes) -> None:
    """Whatever is sent as a MOC, the answer is 400 and says so."""
    answer = httpx.post(
        service.url + MOC_PATH, data={"OPERATION": "union"}, files={"MOC": content}, timeout=60
    )
    assert answer.status_code == 400
    assert "MOC" in answer.text


def test_a_column_of_mocs_can_be_uploaded(service: Service) -> None:
    """Strings with the xtype `moc` are MOCs, and what is none holds nothing that is known."""
    mocs = {"south": "0/8-11", "equator": "0/4-7 1/", "none": "30/1"}
    rows = "".join(f"<TR><TD>{name}</TD><TD>{moc}</TD></TR>" for name, moc in mocs.items())
    document = (
        '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>'
        '<FIELD name="name" datatype="char" arraysize="*"/>'
        '<FIELD name="cover" datatype="char" arraysize="*" xtype="moc"/>'
        f"<DATA><TABLEDATA>{rows}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    )
    query = (
        "SELECT m.name, COUNT(*) AS n FROM sim1.main AS c, TAP_UPLOAD.mine AS m "
        "WHERE CONTAINS(POINT(c.ra, c.dec), m.cover) = 1 GROUP BY m.name"
    )
    data = {"LANG": "ADQL", "QUERY": query, "UPLOAD": "mine,param:t", "RESPONSEFORMAT": "csv"}
    answer = httpx.post(f"{service.url}/tap/sync", data=data, files={"t": document.encode()}, timeout=60)
    assert answer.status_code == 200, answer.text
    found = dict(line.split(",") for line in answer.text.split()[1:])
    ra, dec = positions(service, "SELECT ra, dec FROM sim1.main")
    expected = {
        name: str(int(MOC.from_string(mocs[name]).contains_lonlat(ra * units.deg, dec * units.deg).sum()))
        for name in ("south", "equator")
    }
    assert found == {name: count for name, count in expected.items() if count != "0"}
    assert "south" in found
