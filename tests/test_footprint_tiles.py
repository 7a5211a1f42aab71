"""Tiles through the door: by position, shape and name, judged by the projection of their images."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from xml.etree import ElementTree as ET

import httpx
import mocpy
import numpy as np
import pytest
import pyvo
from astropy.coordinates import Angle, Latitude, Longitude
from astropy.io.votable import parse_single_table
from pyvo.io import vosi as pyvo_vosi
from pyvo.utils.xml.exceptions import UnknownElementWarning
from service import Service

from vo.sample import sample_tiles
from vo.sample.tiles import PIXELS, Tile

TILES = "/footprint/tiles"
NS = "{http://www.ivoa.net/xml/VOTable/v1.3}"


def rows(answer: httpx.Response) -> list[dict[str, str]]:
    """The rows of an answer in CSV."""
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def names(service: Service, **params: str | list[str]) -> list[str]:
    """The names of the tiles of an answer, in order."""
    return [row["tilename"] for row in rows(service.get(TILES, RESPONSEFORMAT="csv", **params))]


def shown_by(tile: Tile, ra: float, dec: float) -> bool:
    """Whether the position is on a pixel of the tile's image, by astropy's WCS."""
    wcs = tile.wcs()
    if np.dot(vector(ra, dec), vector(tile.ra, tile.dec)) < 0.9:
        return False
    x, y = wcs.all_world2pix([[ra, dec]], 1)[0]
    return bool(0.5 <= x <= PIXELS + 0.5 and 0.5 <= y <= PIXELS + 0.5)


def vector(ra: float, dec: float) -> np.ndarray:
    """A position as a unit vector."""
    lon, lat = np.radians([ra, dec])
    return np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def message(answer: httpx.Response) -> str:
    """What an error document says."""
    info = ET.fromstring(answer.content).find(f"{NS}RESOURCE/{NS}INFO")
    assert info is not None
    assert info.get("value") == "ERROR"
    return info.text or ""


def test_the_service_describes_itself(service: Service, assert_valid: Callable[[bytes], None]) -> None:
    """Capabilities and availability are valid, and pyvo reads them."""
    document = service.get("/footprint/capabilities").content
    assert_valid(document)
    with pytest.warns(UnknownElementWarning):  # parameters of an interface, which pyvo passes over
        found = pyvo_vosi.parse_capabilities(io.BytesIO(document))
    assert {"ivo://ivoa.net/std/VOSI#capabilities", "ivo://ivoa.net/std/VOSI#availability"} <= {
        each.standardid for each in found
    }
    urls = [each.interfaces[0].accessurls[0].content for each in found]
    assert f"{service.url}{TILES}" in urls
    availability = service.get("/footprint/availability").content
    assert_valid(availability)
    assert pyvo_vosi.parse_availability(io.BytesIO(availability)).available


@pytest.mark.parametrize(
    "position",
    [
        (0.05, -40.5),
        (0.0, -40.32),
        (359.99, -40.675),
        (40.5, -40.5),
        (323.36, -0.82),
        (77.0, -90.0),
        (300.0, -89.9),
    ],
)
def test_a_position_has_the_tiles_whose_image_shows_it(
    service: Service, position: tuple[float, float]
) -> None:
    """All that astropy's WCS finds and no other, the owner of the position first."""
    ra, dec = position
    found = rows(service.get(TILES, POS=f"POINT {ra} {dec}", RESPONSEFORMAT="csv"))
    expected = {tile.name for tile in sample_tiles() if shown_by(tile, ra, dec)}
    assert {row["tilename"] for row in found} == expected
    owners = [tile.name for tile in sample_tiles() if tile.contains(np.array([ra]), np.array([dec]))[0]]
    assert [row["tilename"] for row in found if row["owner"] == "true"] == owners == [found[0]["tilename"]]


def test_shapes_find_tiles(service: Service) -> None:
    """Circles, boxes, ranges and polygons of one place agree; a large one has all tiles, another none."""
    circle = names(service, CIRCLE="40.5 -40.5 0.01")
    assert circle
    assert circle == names(service, POS="CIRCLE 40.5 -40.5 0.01")
    for shape in ("RANGE 40.4999 40.5001 -40.5001 -40.4999", "BOX 40.5 -40.5 0.0001 0.0001"):
        assert sorted(names(service, POS=shape)) == sorted(circle)
    square = "40.499 -40.501 40.501 -40.501 40.501 -40.499 40.499 -40.499"
    assert sorted(names(service, POLYGON=square)) == sorted(circle)
    everything = sorted(tile.name for tile in sample_tiles())
    assert sorted(names(service)) == sorted(names(service, POS="RANGE 0 360 -90 90")) == everything
    assert sorted(names(service, CIRCLE="12 34 180")) == everything
    assert names(service, CIRCLE="180 60 3") == []


def test_a_range_through_0h_finds_tiles_of_both_sides(service: Service) -> None:
    """A first longitude above the second passes 0 h."""
    found = names(service, POS="RANGE 359.9 0.1 -40.6 -40.4")
    east, west = names(service, POS="POINT 0.1 -40.5"), names(service, POS="POINT 359.9 -40.5")
    assert {*east, *west} <= set(found)


def test_a_moc_finds_tiles(service: Service) -> None:
    """The cells that mocpy finds around a position have its tiles; those elsewhere have none."""
    place = Longitude("40.5d"), Latitude("-40.5d")
    fine = mocpy.MOC.from_cone(lon=place[0], lat=place[1], radius=Angle("0d0m1s"), max_depth=20)
    expected = sorted(names(service, CIRCLE="40.5 -40.5 0.0003"))
    assert sorted(names(service, MOC=fine.to_string("ascii"))) == expected
    assert sorted(names(service, MOC=fine.to_string("json"))) == expected
    assert names(service, MOC="5/0") == []
    assert sorted(names(service, MOC="0/0-11")) == sorted(names(service))


def test_places_are_alternatives_and_names_narrow(service: Service) -> None:
    """Values of the places add up, in the order asked; names and releases take away."""
    one, other = names(service, POS="POINT 40.5 -40.5"), names(service, POS="POINT 0.05 -40.5")
    assert names(service, POS=["POINT 40.5 -40.5", "POINT 0.05 -40.5"]) == one + other
    assert names(service, POS="POINT 40.5 -40.5", ID=[one[0].lower(), other[0]]) == [one[0]]
    assert names(service, ID=[other[0], one[0]], RELEASE="SIM1") == [other[0], one[0]]


def test_answers_are_tables_of_the_field(service: Service, assert_valid: Callable[[bytes], None]) -> None:
    """The VOTable is valid, has units and UCDs, and says when MAXREC cut it; a POST answers alike."""
    answer = service.get(TILES, POS="POINT 40.5 -40.5")
    assert_valid(answer.content)
    table = parse_single_table(io.BytesIO(answer.content))
    assert str(table.get_field_by_id_or_name("outline").xtype) == "polygon"
    assert table.get_field_by_id_or_name("ra").ucd == "pos.eq.ra;meta.main"
    posted = service.post(TILES, POS="POINT 40.5 -40.5")
    assert posted.content == answer.content
    cut = service.get(TILES, MAXREC="3")
    assert 'value="OVERFLOW"' in cut.text
    assert len(parse_single_table(io.BytesIO(cut.content)).array) == 3
    assert len(json.loads(service.get(TILES, RESPONSEFORMAT="json", MAXREC="2").text)["data"]) == 2


def test_a_browser_gets_pages(service: Service) -> None:
    """People see the tiles as a page, and one of them as another, which is well-formed."""
    accept = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9"}
    listed = httpx.get(f"{service.url}{TILES}", params={"POS": "POINT 40.5 -40.5"}, headers=accept)
    assert listed.headers["content-type"].startswith("text/html")
    name = names(service, POS="POINT 40.5 -40.5")[0]
    shown = httpx.get(f"{service.url}{TILES}/{name}", headers=accept)
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    text = shown.text.partition("\n")[2] if shown.text.startswith("<!DOCTYPE") else shown.text
    assert name in "".join(ET.fromstring(text).itertext())
    assert "sim1.main" in shown.text


def test_a_tile_tells_what_the_catalogue_knows(service: Service) -> None:
    """Counts and depths are those of sim1.tile_info, and the query finds as many objects."""
    name = names(service, POS="POINT 40.5 -40.5")[0]
    told = service.get(f"{TILES}/{name.lower()}", RESPONSEFORMAT="json").json()
    query = (
        f"SELECT count_objects, depth_g, depth_y, rall, decll FROM sim1.tile_info WHERE tilename = '{name}'"
    )
    (known,) = rows(service.sync(query, FORMAT="csv"))
    assert told["count_objects"] == int(known["count_objects"])
    assert told["depth"]["g"] == pytest.approx(float(known["depth_g"]), rel=1e-6)
    assert told["depth"]["y"] == pytest.approx(float(known["depth_y"]), rel=1e-6)
    assert told["corners"][0] == pytest.approx([float(known["rall"]), float(known["decll"])], abs=2e-6)
    assert (
        len(rows(httpx.get(told["links"]["objects"].replace("FORMAT=votable", "FORMAT=csv"))))
        == told["count_objects"]
    )
    assert told["links"]["self"].startswith(f"{service.url}{TILES}/{name}")


def test_a_tile_names_its_files(image_service: Service, assert_valid: Callable[[bytes], None]) -> None:
    """Each image has links that lead to it, in JSON, on the page and in the VOTable."""
    listed = image_service.sync("SELECT tile, image_id FROM sim1.images", FORMAT="csv")
    tile = rows(listed)[0]["tile"]
    told = image_service.get(f"{TILES}/{tile}", RESPONSEFORMAT="json").json()
    assert [file["band"] for file in told["files"]] == ["g", "r", "i"]
    for file in told["files"]:
        links = pyvo.dal.adhoc.DatalinkResults.from_result_url(file["datalink"])
        assert file["file"] in [link.access_url for link in links if link.semantics == "#this"]
        assert httpx.head(file["file"]).headers["content-length"] == str(file["file_size"])
        assert httpx.get(file["cutout"]).status_code == 200
    answer = image_service.get(f"{TILES}/{tile}")
    assert_valid(answer.content)
    assert told["files"][0]["datalink"].replace("&", "&amp;") in answer.text
    assert told["files"][0]["file"] in image_service.get(f"{TILES}/{tile}", RESPONSEFORMAT="html").text


def test_tables_of_tiles_are_in_tap(service: Service) -> None:
    """The outline of a tile holds what a query says, and every cell of NSIDE 32 has its tiles."""
    query = "SELECT tilename FROM footprint.tiles WHERE 1 = CONTAINS(POINT(40.5, -40.5), outline)"
    assert {row["tilename"] for row in rows(service.sync(query, FORMAT="csv"))} == set(
        names(service, POS="POINT 40.5 -40.5")
    )
    joined = "SELECT h.tilename FROM footprint.hpx32 AS h WHERE h.hpx32 = IVO_HEALPIX_INDEX(5, 40.5, -40.5)"
    here = {row["tilename"] for row in rows(service.sync(joined, FORMAT="csv"))}
    assert set(names(service, POS="POINT 40.5 -40.5")) <= here


BAD = {
    "POS=POINT 361 0": "(361, 0) is no position",
    "POS=POINT 0 91": "(0, 91) is no position",
    "POS=POINT nan 0": "must be a number, not 'nan'",
    "POS=POINT 1": "A POINT has 2 numbers, not 1",
    "POS=CIRCLE 1 2 181": "radius of a CIRCLE must be between 0 and 180",
    "POS=BOX 1 2 0 1": "A BOX is wider than 0",
    "POS=TRIANGLE 1 2 3": "must begin with",
    "CIRCLE=1 2": "A CIRCLE has longitude, latitude and radius, not 2 numbers",
    "POLYGON=0 0 1 1 1 0 0 1": "crosses itself: its edges 1 and 3 cross",
    "POLYGON=0 0 1 1 0 0 1 1 0 0": "The polygon has no inside",
    "POLYGON=0 0 1 1 2": "at least three pairs",
    "POS=RANGE 1 2 5 4": "5 is above 4",
    "MOC=30/5": "There is no order 30",
    "MOC=5/99999": "Order 5 has no cell 99999",
    "ID=DES0240-4O40": "There is no tile 'DES0240-4O40'. Did you mean DES02",
    "ID=": "There is no tile ''",
    "RELEASE=dr9": "no tiles of a release 'dr9'. There are sim1",
    "MAXREC=-1": "MAXREC must be at least 0",
    "RESPONSEFORMAT=jsn": "Did you mean json?",
}


@pytest.mark.parametrize("request_", BAD)
def test_bad_input_is_told_what_is_wrong(service: Service, request_: str) -> None:
    """In DALI's form, with the reason and a hint, and in JSON for those who ask for that."""
    name, value = request_.split("=", 1)
    answer = service.get(TILES, **{name: value})
    assert answer.status_code == (404 if name in ("ID", "RELEASE") else 400)
    assert BAD[request_] in message(answer)
    told = httpx.get(f"{service.url}{TILES}", params={name: value}, headers={"Accept": "application/json"})
    assert BAD[request_] in told.json()["message"]


def test_a_tile_that_is_not_there_is_not_found(service: Service) -> None:
    """The nearest name is told."""
    name = names(service, POS="POINT 40.5 -40.5")[0]
    answer = service.get(f"{TILES}/{name[:-1]}x")
    assert answer.status_code == 404
    assert name in message(answer)


def test_limits_are_told(service: Service) -> None:
    """Too many places, too many vertices, too many names."""
    many = httpx.post(f"{service.url}{TILES}", data={"POS": ["POINT 1 1"] * 999})
    assert many.status_code == 200
    circle = " ".join(f"{10 + np.cos(a):.6f} {np.sin(a):.6f}" for a in np.linspace(0, 6.28, 4001))
    answer = httpx.post(f"{service.url}{TILES}", data={"POLYGON": circle})
    assert answer.status_code == 400
    assert "4,001 vertices" in message(answer)
