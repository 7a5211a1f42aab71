"""Simple Image Access 2.0, /sia/v2, through the door, read by astropy and pyvo."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
import pyvo
from astropy.io.votable import parse
from astropy.table import Table
from lxml import etree
from pyvo.dal.exceptions import DALQueryError
from quadrangles import is_within, points_in, vectors
from service import Service

QUERY = "/sia/v2/query"
VOTABLE = "{http://www.ivoa.net/xml/VOTable/v1.3}"
PARAMETERS = (
    "POS BAND TIME POL FOV SPATRES SPECRP EXPTIME TIMERES ID COLLECTION FACILITY INSTRUMENT "
    "DPTYPE CALIB TARGET FORMAT"
).split()


@pytest.fixture
def images(image_service: Service) -> Service:
    """A service with images of two tiles beside RA 0h and of one at the pole, in g, r and i."""
    return image_service


@pytest.fixture(scope="module")
def everything(image_service: Service) -> Table:
    """All rows of ivoa.obscore, by TAP."""
    return _table(image_service.sync("SELECT * FROM ivoa.obscore"))


def _table(answer: httpx.Response) -> Table:
    assert answer.status_code == 200, answer.text
    return parse(io.BytesIO(answer.content)).get_first_table().to_table()


def _ids(table: Table) -> set[str]:
    return {str(each) for each in table["obs_id"]}


def _in_shape(shape: str, points: np.ndarray) -> np.ndarray:
    word, *rest = shape.split()
    numbers = np.array(rest, float)
    if word == "CIRCLE":
        centre = vectors(numbers[0], numbers[1])
        return np.asarray(np.linalg.norm(points - centre, axis=1) <= 2 * np.sin(np.radians(numbers[2]) / 2))
    if word == "POLYGON":
        corners = vectors(numbers[::2], numbers[1::2])
        return is_within(corners, points, spare=0.0)
    lon = np.degrees(np.arctan2(points[:, 1], points[:, 0])) % 360
    lat = np.degrees(np.arcsin(points[:, 2]))
    west, east, south, north = numbers
    between = (lon >= west) & (lon <= east) if west <= east else (lon >= west) | (lon <= east)
    return np.asarray(between & (lat >= south) & (lat <= north))


LINE, WIDER_LINE = "RANGE 0.2 0.2 -90 0", "RANGE 0.199 0.201 -90 0"
"""A range without width, and the same for points of a raster, none of which lies on a line."""

SHAPES = [
    "CIRCLE 0.3 -40.3 0.2",
    "CIRCLE 359.8 -40.5 0.3",
    "CIRCLE 120 89.9 0.5",
    "CIRCLE 180 0 1",
    "circle 180 0 180",
    "POLYGON 0.1 -40.5 0.5 -40.5 0.5 -40.1 0.1 -40.1",
    "POLYGON 0.1 -40.1 0.5 -40.1 0.5 -40.5 0.1 -40.5",
    "POLYGON 359.5 -41 0.1 -41 0.1 -40 359.5 -40",
    "RANGE 0.1 0.5 -40.5 -40.1",
    "RANGE 359.5 0.1 -41 -40",
    "RANGE 0 360 89 +Inf",
    "RANGE -Inf +Inf 0 +Inf",
    "RANGE -Inf +Inf -60 -20",
    "RANGE 0 360 -90 -60",
    "RANGE -Inf +Inf -Inf +Inf",
    "RANGE 10 350 -60 -20",
    LINE,
]


@pytest.mark.parametrize("shape", SHAPES)
def test_images_meet_the_shape(images: Service, everything: Table, shape: str) -> None:
    """What is found is what NumPy finds with points all over each outline, by GET and by POST."""
    near = {LINE: WIDER_LINE}.get(shape, shape.replace("circle", "CIRCLE"))
    expected = {str(row["obs_id"]) for row in everything if _in_shape(near, points_in(row["s_region"])).any()}
    assert _ids(_table(images.get(QUERY, POS=shape))) == expected
    assert _ids(_table(images.post(QUERY, pos=shape))) == expected


def _spread(table: Table, column: str) -> tuple[float, float, float]:
    values = np.sort(np.asarray(table[column], float))
    return float(values[0]), float(values[len(values) // 2]), float(values[-1])


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("BAND", "em_min", "em_max"),
        ("TIME", "t_min", "t_max"),
        ("FOV", "s_fov", "s_fov"),
        ("SPATRES", "s_resolution", "s_resolution"),
        ("SPECRP", "em_res_power", "em_res_power"),
        ("EXPTIME", "t_exptime", "t_exptime"),
        ("TIMERES", "t_resolution", "t_resolution"),
    ],
)
def test_intervals_meet_the_rows(images: Service, everything: Table, name: str, low: str, high: str) -> None:
    """Closed and open intervals and single numbers; a row without a value never matches."""
    least, middle, most = _spread(everything, low)
    for first, last in [
        (least, middle),
        (middle, np.inf),
        (-np.inf, middle),
        (-np.inf, np.inf),
        (most, most),
    ]:
        lows, highs = (np.ma.filled(np.ma.asarray(everything[each], float), np.nan) for each in (low, high))
        expected = {
            str(row["obs_id"])
            for row, a, b in zip(everything, lows, highs, strict=True)
            if a <= last and b >= first
        }
        text = repr(first) if first == last else f"{first!r} {last!r}".replace("inf", "Inf")
        assert _ids(_table(images.get(QUERY, **{name: text}))) == expected, text
    assert len(_table(images.get(QUERY, **{name: f"{-2e300} {-1e300}"}))) == 0


def test_texts_are_compared(images: Service, everything: Table) -> None:
    """Equal to the column, ID in any case; what is known of none matches none."""
    row = everything[0]
    columns = {
        "COLLECTION": "obs_collection", "FACILITY": "facility_name", "INSTRUMENT": "instrument_name",
        "DPTYPE": "dataproduct_type", "CALIB": "calib_level", "TARGET": "target_name",
        "FORMAT": "access_format",
    }  # fmt: skip
    for name, column in columns.items():
        if np.ma.is_masked(row[column]) or not str(row[column]):
            continue
        expected = {str(each["obs_id"]) for each in everything if each[column] == row[column]}
        assert _ids(_table(images.get(QUERY, **{name: str(row[column])}))) == expected, name
    for name in ("COLLECTION", "FACILITY", "INSTRUMENT", "TARGET", "FORMAT", "ID"):
        assert len(_table(images.get(QUERY, **{name: "o'Brien' OR '1'='1"}))) == 0
    did = str(row["obs_publisher_did"])
    assert _ids(_table(images.get(QUERY, ID=did.swapcase()))) == {str(row["obs_id"])}
    assert len(_table(images.get(QUERY, POL="I"))) == 0  # the column is empty
    assert len(_table(images.get(QUERY, DPTYPE="cube"))) == 0


def test_repeats_are_alternatives_and_parameters_add_up(images: Service, everything: Table) -> None:
    """Two values of one parameter are OR, two parameters are AND (SIA 2.0, 2.1)."""
    first, last = (str(everything[i]["obs_publisher_did"]) for i in (0, -1))
    assert len(_table(images.get(QUERY, ID=[first, last, first]))) == 2
    assert len(_table(images.get(QUERY, ID=first, CALIB="0"))) == 0
    assert len(_table(images.get(QUERY, ID=first, CALIB=["0", "3"]))) == 1
    north, south = "CIRCLE 120 89.9 0.5", "CIRCLE 0.3 -40.3 0.2"
    both = _ids(_table(images.get(QUERY, POS=[north, south])))
    assert both == _ids(_table(images.get(QUERY, POS=north))) | _ids(_table(images.get(QUERY, POS=south)))


def test_the_answer_is_obscore(images: Service, everything: Table) -> None:
    """No constraint finds every image, in the columns of ivoa.obscore with their utypes."""
    answer = images.get(QUERY)
    document = parse(io.BytesIO(answer.content))
    infos = {info.name: info.value for info in document.resources[0].infos}
    assert infos["standardID"] == "ivo://ivoa.net/std/SIA#query-2.0"
    assert infos["QUERY_STATUS"] == "OK"
    fields = document.get_first_table().fields
    assert [field.name for field in fields] == everything.colnames
    assert {field.utype for field in fields} >= {"obscore:Access.Reference", "obscore:Curation.PublisherDID"}
    assert _ids(_table(answer)) == _ids(everything)


@pytest.mark.parametrize("maxrec", [0, 1])
def test_the_service_describes_itself(
    images: Service, everything: Table, maxrec: int, assert_valid: Callable[[bytes], None]
) -> None:
    """MAXREC=0 has no rows, but all parameters (SIA 2.0, 2.2.1); a cut answer says so."""
    answer = images.get(QUERY, MAXREC=maxrec)
    assert_valid(answer.content)
    assert len(_table(answer)) == maxrec
    root = etree.fromstring(answer.content)
    this = root.find(f"{VOTABLE}RESOURCE[@name='this']")
    assert this is not None
    assert (this.get("type"), this.get("utype")) == ("meta", "adhoc:this")
    named = [param.get("name") for param in this.findall(f"{VOTABLE}GROUP/{VOTABLE}PARAM")]
    assert named == PARAMETERS
    url = this.find(f"{VOTABLE}PARAM[@name='accessURL']")
    assert url is not None
    assert url.get("value") == images.url + QUERY
    values = {
        param.get("name"): [option.get("value") for option in param.iter(f"{VOTABLE}OPTION")]
        for param in this.findall(f"{VOTABLE}GROUP/{VOTABLE}PARAM")
    }
    told = {} if maxrec else {"obs_collection": "COLLECTION", "facility_name": "FACILITY"}
    for column, name in told.items():
        assert values[name] == sorted({str(each) for each in everything[column]})
    statuses = [
        info.get("value") for info in root.iter(f"{VOTABLE}INFO") if info.get("name") == "QUERY_STATUS"
    ]
    assert statuses == ["OK", "OVERFLOW"]


BAD: list[tuple[dict[str, Any], str]] = [
    *(
        ({"POS": text}, "POS")
        for text in ("", "BOX 1 2 3 4", "CIRCLE 1 2 x", "CIRCLE 1 NaN 1", "CIRCLE 1 Inf 1")
    ),
    ({"POS": "CIRCLE 1 2"}, "CIRCLE"),
    ({"POS": "CIRCLE 361 2 1"}, "position"),
    ({"POS": "CIRCLE 1 -91 1"}, "position"),
    ({"POS": "CIRCLE 1 2 -1"}, "radius"),
    ({"POS": "CIRCLE 1 2 181"}, "radius"),
    ({"POS": "POLYGON 1 2 3 4"}, "three pairs"),
    ({"POS": "POLYGON 1 2 3 4 5 6 7"}, "three pairs"),
    ({"POS": "RANGE 1 2 3"}, "RANGE"),
    ({"POS": "RANGE 1 2 4 3"}, "lower latitude"),
    ({"POS": ["CIRCLE 1 2 1", "CIRCLE"]}, "CIRCLE"),
    *(
        ({name: text}, name)
        for name in ("BAND", "TIME", "FOV", "EXPTIME")
        for text in ("", "x", "1 2 3", "NaN 1")
    ),
    ({"BAND": "2 1"}, "above"),
    ({"BAND": "+Inf"}, "no number"),
    ({"TIME": "1e999"}, "TIME"),
    ({"POL": "Z"}, "POLI"),
    ({"CALIB": "5"}, "CALIB"),
    ({"DPTYPE": "picture"}, "image"),
    ({"TARGET": ""}, "TARGET"),
    ({"TARGET": "a\nb"}, "one line"),
    ({"MAXREC": "-1"}, "MAXREC"),
    ({"MAXREC": ["1", "2"]}, "2 times"),
    ({"RESPONSEFORMAT": "docx"}, "docx"),
    ({"UPLOAD": "t,http://x.example/"}, "UPLOAD"),
]


@pytest.mark.parametrize(("asked", "word"), BAD)
def test_bad_requests_begin_with_their_label(images: Service, asked: dict[str, Any], word: str) -> None:
    """A VOTable whose error text begins with UsageFault (SIA 2.0, 3.2)."""
    answer = images.get(QUERY, **asked)
    assert answer.status_code == 400
    infos = {info.name: info for info in parse(io.BytesIO(answer.content)).resources[0].infos}
    assert infos["QUERY_STATUS"].value == "ERROR"
    assert infos["QUERY_STATUS"].content.startswith("UsageFault: ")
    assert word in infos["QUERY_STATUS"].content


def test_what_is_not_of_the_standard_is_ignored(images: Service, everything: Table) -> None:
    """Spurious parameters change nothing; names are taken in any case."""
    assert len(_table(images.get(QUERY, nonsense="1", REQUEST="query"))) == len(everything)


def test_pyvo_finds_images(images: Service, assert_valid: Callable[[bytes], None]) -> None:
    """By pyvo: the capabilities, and searches by position, band and identifier."""
    assert_valid(images.get("/sia/v2/capabilities").content)
    assert b"true" in images.get("/sia/v2/availability").content
    assert f"{images.url}{QUERY}" in images.get("/").text
    service = pyvo.dal.SIA2Service(f"{images.url}/sia/v2")
    assert service.query_ep == images.url + QUERY
    found = service.search(pos=(0.3, -40.3, 0.1), band=(4.8e-7, 5.0e-7))
    assert {record["band"] for record in found} == {"g"}
    assert found[0].s_region.startswith("POLYGON ICRS")
    with pytest.raises(DALQueryError, match="UsageFault"):
        service.search(pos=(0.3, -40.3, 0.1), MAXREC="x")


def test_without_images_there_is_no_service(service: Service) -> None:
    """A release without images has no SIA, and the first page names none."""
    for name in ("query", "capabilities", "availability"):
        assert service.get(f"/sia/v2/{name}").status_code == 404
    assert "/sia/v2" not in service.get("/").text
