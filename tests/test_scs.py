"""Simple Cone Search 1.03, /scs/<table>, through the door, read by astropy, pyvo and STILTS."""

from __future__ import annotations

import csv
import io
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest
import pyvo
from astropy.io.votable import parse
from lxml import etree
from pyvo.dal.exceptions import DALQueryError
from service import Service

MAIN = "/scs/sim1.main"
VOTABLE = "{http://www.ivoa.net/xml/VOTable/v1.3}"
CONES = [(0.2, -40.3, 0.1), (0.0, -40.0, 0.3), (359.99, -41.0, 0.25), (0.0, 90.0, 60.0), (0.2, -40.3, 180.0)]


def _rows(answer: httpx.Response) -> list[list[str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.text)))[1:]


def _inside(service: Service, ra0: float, dec0: float, sr: float) -> set[str]:
    """The identifiers of the objects within a cone, by NumPy over the whole table."""
    everything = _rows(service.sync("SELECT coadd_object_id, ra, dec FROM sim1.main", FORMAT="csv"))
    ids = np.array([row[0] for row in everything])
    ra, dec = (np.radians(np.array([row[i] for row in everything], float)) for i in (1, 2))
    ra0, dec0 = np.radians(ra0), np.radians(dec0)
    half = np.sin((dec - dec0) / 2) ** 2 + np.cos(dec) * np.cos(dec0) * np.sin((ra - ra0) / 2) ** 2
    return set(ids[half <= np.sin(np.radians(sr) / 2) ** 2])


@pytest.mark.parametrize(("ra", "dec", "sr"), CONES)
def test_a_cone_holds_what_brute_force_finds(service: Service, ra: float, dec: float, sr: float) -> None:
    """Across RA 0h, around the pole, in the whole sky: the objects are those of NumPy, by GET and by POST."""
    asked = {"RA": ra, "DEC": dec, "SR": sr, "VERB": 1, "RESPONSEFORMAT": "csv", "MAXREC": 50_000}
    by_get, by_post = service.get(MAIN, **asked), service.post(MAIN, **asked)
    found = [row[0] for row in _rows(by_get)]
    assert len(found) == len(set(found))
    assert set(found) == _inside(service, ra, dec, sr)
    assert sorted(_rows(by_post)) == sorted(_rows(by_get))


@pytest.mark.parametrize("verb", [None, 1, 2, 3])
def test_the_columns_are_those_of_the_standard(service: Service, verb: int | None) -> None:
    """One text column ID_MAIN, two of doubles with the main position, in one table (SCS 1.03, 2)."""
    asked = {} if verb is None else {"VERB": verb}
    answer = service.get(MAIN, RA=0.2, DEC=-40.3, SR=0.02, **asked)
    assert answer.headers["content-type"].startswith("text/xml")
    document = parse(io.BytesIO(answer.content))
    assert len(document.resources) == 1
    fields = document.get_first_table().fields
    types = {ucd: field.datatype for field in fields if (ucd := field.ucd).isupper()}
    assert types == {"ID_MAIN": "char", "POS_EQ_RA_MAIN": "double", "POS_EQ_DEC_MAIN": "double"}
    assert len({field.name for field in fields}) == len(fields)


def test_verb_tells_more(service: Service) -> None:
    """VERB=1 has the least columns, 3 all of them, and 2 is what is meant where none is given."""
    cone = {"RA": 0.2, "DEC": -40.3, "SR": 0}
    counts = [
        len(parse(io.BytesIO(service.get(MAIN, **cone, **verb).content)).get_first_table().fields)
        for verb in ({"VERB": 1}, {"VERB": 2}, {}, {"VERB": 3})
    ]
    assert counts == sorted(counts)
    assert counts[1] == counts[2]
    everything = parse(io.BytesIO(service.sync("SELECT * FROM sim1.main", MAXREC=0).content))
    assert counts[3] == len(everything.get_first_table().fields) > counts[1] > counts[0] == 3


def test_every_table_with_positions_is_searched(service: Service) -> None:
    """The first page lists them; each answers, describes itself and is up."""
    page = service.get("/").text
    for name in ("sim1.main", "sim1.main_sample", "sim1.tile_info", "sim1.coverage"):
        assert f"{service.url}/scs/{name}?" in page
        answer = service.get(f"/scs/{name}", RA=0.2, DEC=-40.3, SR=1, MAXREC=10)
        table = parse(io.BytesIO(answer.content)).get_first_table()
        ids = [str(each) for each in table.array[table.fields[0].name]]
        assert len(ids) == len(set(ids)) > 0
        assert b"true" in service.get(f"/scs/{name}/availability").content


def test_no_radius_and_no_rows_give_the_metadata(service: Service) -> None:
    """SR=0 and MAXREC=0 describe the columns and have no row (SCS 1.03, 2; DALI 1.1, 3.4.4)."""
    for asked in ({"SR": 0}, {"SR": 0.1, "MAXREC": 0}):
        table = parse(io.BytesIO(service.get(MAIN, RA=0, DEC=90, **asked).content)).get_first_table()
        assert len(table.array) == 0
        assert len(table.fields) > 3


def test_overflow_is_told(service: Service) -> None:
    """A cut result has exactly MAXREC rows and says that there are more."""
    answer = service.get(MAIN, RA=0.2, DEC=-40.3, SR=1, MAXREC=7)
    document = parse(io.BytesIO(answer.content))
    assert len(document.get_first_table().array) == 7
    assert [info.value for info in document.resources[0].infos if info.name == "QUERY_STATUS"][
        -1
    ] == "OVERFLOW"


GOOD = {"RA": "0.2", "DEC": "-40.3", "SR": "0.1"}
BAD = [
    *(({**GOOD, name: text}, name) for name in GOOD for text in ("", "x", "NaN", "Inf", "-Inf", "1e999")),
    *(({key: value for key, value in GOOD.items() if key != name}, name) for name in GOOD),
    ({**GOOD, "RA": "-0.1"}, "between 0 and 360"),
    ({**GOOD, "RA": "360.1"}, "between 0 and 360"),
    ({**GOOD, "DEC": "91"}, "between -90 and 90"),
    ({**GOOD, "SR": "-1"}, "between 0 and 180"),
    ({**GOOD, "SR": "181"}, "between 0 and 180"),
    ({**GOOD, "RA": ["1", "2"]}, "2 times"),
    ({**GOOD, "RA": "1_0"}, "RA must be a number"),
    ({**GOOD, "RA": "٣"}, "RA must be a number"),
    ({**GOOD, "RA": "0 OR 1=1"}, "RA must be a number"),
    ({**GOOD, "VERB": "4"}, "VERB"),
    ({**GOOD, "VERB": "x"}, "VERB"),
    ({**GOOD, "MAXREC": "-1"}, "MAXREC"),
    ({**GOOD, "RESPONSEFORMAT": "docx"}, "docx"),
]


@pytest.mark.parametrize(("asked", "word"), BAD)
def test_bad_requests_are_told_in_the_standards_form(
    service: Service, asked: dict[str, object], word: str, assert_valid: Callable[[bytes], None]
) -> None:
    """One INFO "Error" below VOTABLE (SCS 1.03, 2; erratum 1), and QUERY_STATUS for readers of DALI."""
    answer = service.get(MAIN, **asked)
    assert answer.status_code == 400
    root = etree.fromstring(answer.content)
    errors = root.findall(f"{VOTABLE}INFO[@name='Error']")
    assert len(errors) == len(root.findall(f".//{VOTABLE}INFO[@name='Error']")) == 1
    assert word in errors[0].get("value", "")
    status = root.find(f"{VOTABLE}RESOURCE/{VOTABLE}INFO[@name='QUERY_STATUS']")
    assert status is not None
    assert status.get("value") == "ERROR"
    assert_valid(answer.content)


@pytest.mark.parametrize("name", ["sim1.mian", "sim1.truth'; DROP", "TAP_SCHEMA.tables", "sim1.main.ra"])
def test_an_unknown_table_is_not_found(service: Service, name: str) -> None:
    """404 for what is not there or has no positions, with a suggestion where one is near."""
    for path in ("", "/capabilities", "/availability"):
        answer = service.get(f"/scs/{name}{path}", **GOOD)
        assert answer.status_code == 404
        assert "no cone search" in answer.text
    assert ("Did you mean sim1.main?" in answer.text) == (name in ("sim1.mian", "sim1.main.ra"))


def test_names_are_found_in_any_case_and_the_path_decides(service: Service) -> None:
    """Parameters named TABLE are none of the standard's, and change nothing."""
    answer = service.get("/scs/SIM1.Main", ra=0.2, Dec=-40.3, sr=0.01, TABLE="sim1.tile_info", verb=1)
    assert b"coadd_object_id" in answer.content


def test_the_capabilities_are_valid(service: Service, assert_valid: Callable[[bytes], None]) -> None:
    """The document is one of SimpleDALRegExt, its URL ready for parameters."""
    answer = service.get(f"{MAIN}/capabilities")
    assert_valid(answer.content)
    assert f"{service.url}{MAIN}?</accessURL>" in answer.text


def test_pyvo_searches(service: Service) -> None:
    """Rows, positions and identifiers by pyvo's own names, and the words of an error."""
    cones = pyvo.dal.SCSService(f"{service.url}{MAIN}?")
    found = cones.search(pos=(0.2, -40.3), radius=0.1, verbosity=2)
    assert {record.id for record in found} == _inside(service, 0.2, -40.3, 0.1)
    assert all(abs(record.pos.dec.deg + 40.3) <= 0.1 for record in found)
    with pytest.raises(DALQueryError, match="DEC must be between"):
        cones.search(pos=(0.2, -40.3), radius=0.1, DEC=-91)


@pytest.mark.skipif(shutil.which("stilts") is None, reason="STILTS is not installed")
def test_stilts_searches_many_cones(service: Service, tmp_path: Path) -> None:
    """`stilts coneskymatch` joins a list of positions with the service."""
    positions = tmp_path / "positions.csv"
    positions.write_text("ra,dec\n0.2,-40.3\n0.1,-40.2\n")
    done = subprocess.run(
        [
            "stilts", "coneskymatch", f"in={positions}", "ifmt=csv", "ra=ra", "dec=dec", "sr=0.02",
            "servicetype=cone", f"serviceurl={service.url}{MAIN}?", "verb=1", "erract=abort", "ofmt=csv",
            "ocmd=keepcols coadd_object_id",
        ],
        capture_output=True,
        timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    expected = sorted([*_inside(service, 0.2, -40.3, 0.02), *_inside(service, 0.1, -40.2, 0.02)])
    assert sorted(done.stdout.decode().split()[1:]) == expected
