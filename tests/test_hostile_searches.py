"""Searches for images, cones and links with parameters of any kind: told what is wrong, and never worse."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from astropy.io.votable import parse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from service import Service

from vo.adql import translate
from vo.catalog import Catalog
from vo.config import Config
from vo.dali import Params
from vo.errors import UsageError
from vo.images.tables import Held, schemas
from vo.scs.query import ConeSearch
from vo.sia.query import ImageSearch
from vo.sia.v1.query import ImageQuery

VOTABLE = "{http://www.ivoa.net/xml/VOTable/v1.3}"
CATALOG = Catalog(schemas({"sim1": Held(9, 0.6)}), "r")
OBSCORE = next(table for table in CATALOG.tables() if table.name == "obscore")
CONFIG = replace(Config(), maxrec_limit=5)

TELLING = (
    "CIRCLE circle RANGE POLYGON NaN nan Inf -Inf +Inf 1e999 -0 0 360 359.9999999999 -90 90 90.0000001 180 "
    "1e-300 5e-324 0x10 1_0 ٣ 1,2 , ; ' \" -- /* */ ) %27 %00 ../.. METADATA ALL GRAPHIC- image/fits "
    "OVERLAPS ENCLOSED COVERS CENTER Atlas NULL"
).split()
WORDS = st.one_of(
    st.sampled_from([*TELLING, "\x00", "\n", "\u2028", "1 OR 1=1"]),
    st.floats().map(repr),
    st.integers(-400, 400).map(str),
    st.text(max_size=8),
)
VALUES = st.builds(
    lambda words, by: by.join(words), st.lists(WORDS, max_size=9), st.sampled_from([" ", ",", ""])
)


def requests_of(*names: str) -> st.SearchStrategy[list[tuple[str, str]]]:
    """Lists of parameters by some of these names, each perhaps several times."""
    return st.lists(st.tuples(st.sampled_from(names), VALUES), max_size=6)


SIA1 = ("POS", "SIZE", "INTERSECT", "FORMAT", "VERB", "TYPE", "MAXREC", "NAXIS", "RESPONSEFORMAT")
SIA2 = ("POS", "BAND", "TIME", "POL", "FOV", "ID", "TARGET", "CALIB", "FORMAT", "MAXREC", "UPLOAD")
SCS = ("RA", "DEC", "SR", "VERB", "MAXREC", "RESPONSEFORMAT")

READERS: dict[str, tuple[tuple[str, ...], Callable[[Params], Any]]] = {
    "SIA 1.0": (SIA1, lambda params: ImageQuery.from_params(params, OBSCORE, CONFIG)),
    "SIA 2.0": (SIA2, lambda params: ImageSearch.from_params(params, CONFIG)),
    "SCS": (SCS, lambda params: ConeSearch.from_params(params, OBSCORE, CONFIG)),
}


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_what_is_not_refused_is_a_query(name: str, data: st.DataObject) -> None:
    """Parameters are refused by a UsageError with something to read, or make ADQL that compiles."""
    names, read = READERS[name]
    pairs = tuple(data.draw(requests_of(*names)))
    query = _judged(read, Params(pairs))
    if query is not None:
        translate(query.adql, CATALOG, dialect="duckdb", maxrec=query.maxrec)


def _judged(read: Callable[[Params], Any], params: Params) -> Any:  # noqa: ANN401  a query of any service
    """The query; None where something is wrong with the parameters, and said."""
    try:
        return read(params)
    except UsageError as error:
        return None if str(error).strip() else pytest.fail("the error has no words")


ANGLES = st.one_of(
    st.floats(0, 360), st.sampled_from([0.0, 1e-300, 1e-7, 30.0, 90.0, 180.0, 359.99999, 360.0])
)
LATITUDES = st.one_of(st.floats(-90, 90), st.sampled_from([-90.0, -89.9999999, 0.0, 90.0]))


@settings(max_examples=40, deadline=None)
@given(ANGLES, LATITUDES, ANGLES, ANGLES, st.sampled_from(["COVERS", "ENCLOSED", "CENTER", "OVERLAPS"]))
def test_every_region_is_searched(ra: float, dec: float, width: float, height: float, word: str) -> None:
    """Whatever its place, its size and what images do to it, a region becomes a query that compiles."""
    pairs = (("POS", f"{ra!r},{dec!r}"), ("SIZE", f"{width!r},{height!r}"), ("INTERSECT", word))
    query = ImageQuery.from_params(Params(pairs), OBSCORE, CONFIG)
    translate(query.adql, CATALOG, dialect="duckdb", maxrec=5)


# --- through the door

DOORS = {
    "/sia/v1/query": SIA1,
    "/sia/v2/query": SIA2,
    "/scs/sim1.main": SCS,
    "/datalink/links": ("ID", "RESPONSEFORMAT", "LANG"),
}


@pytest.mark.parametrize("path", DOORS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_the_door_stays_shut(image_service: Service, path: str, data: st.DataObject) -> None:
    """200, or an error of the client told in a VOTable with QUERY_STATUS; never a failure of the service."""
    pairs = data.draw(requests_of(*DOORS[path]))
    asked: dict[str, list[str]] = {}
    for name, value in pairs:
        asked.setdefault(name, []).append(value.encode("utf-8", "replace").decode())
    asked.setdefault("MAXREC", ["3"])
    answer = image_service.post(path, **asked)
    assert answer.status_code in (200, 400, 404, 413), answer.text
    if answer.status_code != 200:
        judge_error(answer)


def judge_error(answer: httpx.Response) -> None:
    """The document tells what is wrong, for programs and for people."""
    infos = {info.get("name"): info for info in etree.fromstring(answer.content).iter(f"{VOTABLE}INFO")}
    assert infos["QUERY_STATUS"].get("value") == "ERROR"
    assert (infos["QUERY_STATUS"].text or "").strip()


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/sia/v2/query", {"POS": ["RANGE 0 359 -45 45", "RANGE 1 358 -44 44"]}),
        ("/sia/v2/query", {"POS": "POLYGON " + " ".join(f"{n % 360} {n % 80}" for n in range(9000))}),
        ("/sia/v1/query", {"POS": "0,0", "SIZE": "1", "RESPONSEFORMAT": "x" * 100_000}),
        ("/scs/sim1.main", {"RA": "1" * 100_000, "DEC": "0", "SR": "1"}),
    ],
)
def test_too_much_is_told_as_such(image_service: Service, path: str, asked: dict[str, Any]) -> None:
    """A search that is too long to be compiled is not blamed on a query that nobody wrote."""
    answer = image_service.post(path, **asked)
    assert answer.status_code in (400, 413)
    judge_error(answer)
    assert "query" not in answer.text.lower().replace("query_status", "")
    assert len(answer.content) < 4000


KNOWN = "ivo://vo.example/sim1?sim1/DES0002-3957_g"
TRICKS = [
    *("../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "http://127.0.0.1/", "%", "_", "\u202eg"),
    *(
        "ivo://vo.example/sim1?",
        "ivo://vo.example/sim1?../../../etc/passwd",
        "ivo://vo.example/sim1?%2e%2e/x",
    ),
    *(f"{KNOWN}.fits.fz", f"{KNOWN}%00", f"{KNOWN}\n.", KNOWN.replace("sim1/", "sim1\\"), f"{KNOWN}#1"),
    *("' OR '1'='1", "a" * 5000),
]


@pytest.mark.parametrize("trick", TRICKS)
def test_identifiers_lead_nowhere_else(image_service: Service, trick: str) -> None:
    """What is no identifier of an image has no links, no file, and is found by no search."""
    links = image_service.post("/datalink/links", ID=trick)
    assert links.status_code == 200
    (row,) = parse(io.BytesIO(links.content)).get_first_table().to_table()
    assert str(row["error_message"]).startswith("NotFoundFault")
    assert image_service.get("/datalink/file", ID=trick).status_code == 404
    found = image_service.get("/sia/v2/query", ID=trick)
    assert found.status_code in (200, 400)
    assert found.status_code == 400 or len(parse(io.BytesIO(found.content)).get_first_table().array) == 0


def test_thousands_of_identifiers(image_service: Service) -> None:
    """Each has its own rows in the order sent, be it known or not: one request will do (DataLink 1.1, 2)."""
    table = parse(io.BytesIO(image_service.sync("SELECT obs_publisher_did FROM ivoa.obscore").content))
    known = [str(did) for did in table.get_first_table().array["obs_publisher_did"]]
    asked = [f"ivo://vo.example/sim1?nothing/{n}" for n in range(3000)]
    asked[10:10], asked[-1:] = known[:4], known[4:]
    answer = httpx.post(f"{image_service.url}/datalink/links", data={"ID": asked}, timeout=120)
    rows = parse(io.BytesIO(answer.content)).get_first_table().to_table()
    told = [str(each) for each in rows["ID"]]
    assert list(dict.fromkeys(told)) == asked
    missing = {str(row["ID"]) for row in rows if str(row["error_message"]).startswith("NotFoundFault")}
    assert missing == set(asked) - set(known)
