"""Cutouts, /cutout, through the door: FITS read by astropy and fitsio, pictures by Pillow."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fitsio
import httpx
import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable import parse
from astropy.wcs import WCS
from lxml import etree
from PIL import Image as Picture
from service import Service

SEAM = {"RA": 0.05, "DEC": -39.9}
"""In the overlap of no tile, and not far from RA 0h."""

POLE = {"RA": 123.0, "DEC": -89.98}

AROUND = "FROM sim1.main WHERE DISTANCE(POINT(ra, dec), POINT({RA}, {DEC})) < 0.08"
"""Objects of the catalogue, as a query asks for them."""


def opened(answer: httpx.Response) -> fits.HDUList:
    """The FITS file of an answer, whose checksums are right."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/fits"
    hdus = fits.open(io.BytesIO(answer.content), checksum=True)
    hdus.verify("exception")
    return hdus


def original(service: Service, header: fits.Header) -> Path:
    """The file that a cutout says it is from."""
    return service.data / "images" / "sim1" / str(header["ORIGFILE"])


@pytest.mark.parametrize("size", [0.5, 6.0, 12.0])
@pytest.mark.parametrize("place", [SEAM, POLE], ids=["seam", "pole"])
def test_positions_and_pixels_are_those_of_the_image(
    image_service: Service, place: dict[str, float], size: float
) -> None:
    """The middle of each band is at the position, and all pixels are where the whole image has them."""
    hdus = opened(image_service.get("/cutout", **place, SIZE=size, FORMAT="fits"))
    assert [hdu.name for hdu in hdus[1:]] == ["g", "r", "i"]
    for hdu in hdus[1:]:
        rows, columns = hdu.data.shape
        path = original(image_service, hdu.header)
        here, there = WCS(hdu.header), WCS(fits.getheader(path, "SCI"))
        ends = [int(end) for pair in hdu.header["ORIGSEC"][1:-1].split(",") for end in pair.split(":")]
        middle = (columns - 1) / 2, (rows - 1) / 2
        sky = here.all_pix2world(*middle, 0)
        moved = there.all_world2pix(*sky, 0)
        assert moved[0] - (ends[0] - 1) == pytest.approx(middle[0], abs=0.01)
        assert moved[1] - (ends[2] - 1) == pytest.approx(middle[1], abs=0.01)
        x, y = (float(axis) for axis in here.all_world2pix(place["RA"], place["DEC"], 0))
        assert max(abs(x - middle[0]), abs(y - middle[1])) <= 0.51
        pick = np.s_[ends[2] - 1 : ends[3], ends[0] - 1 : ends[1]]
        assert np.array_equal(hdu.data, fits.getdata(path, "SCI")[pick])
        assert np.array_equal(hdu.data, fitsio.read(path, ext="SCI")[pick])
        assert columns == pytest.approx(size * 60 / 5.26, abs=1)
        assert hdu.header["BAND"] == hdu.name


def test_packed_files_have_the_same_pixels_but_for_a_little_noise(image_service: Service) -> None:
    """FORMAT=fits.fz is RICE, and loses less than the image was told to have."""
    asked = {**SEAM, "SIZE": 10, "BANDS": "r"}
    plain = opened(image_service.get("/cutout", **asked, FORMAT="fits"))
    answer = image_service.get("/cutout", **asked, FORMAT="fits.fz")
    packed = opened(answer)
    assert isinstance(packed[1], fits.CompImageHDU)
    assert plain[0].header["ORIGSEC"] == packed[1].header["ORIGSEC"]
    noise = 1.48 * np.median(np.abs(plain[0].data - np.median(plain[0].data)))
    assert np.abs(plain[0].data - packed[1].data).max() < noise / 8
    assert '.fits.fz"' in answer.headers["content-disposition"]
    assert len(answer.content) < len(image_service.get("/cutout", **asked, FORMAT="fits").content)


def test_an_object_and_a_tile_are_places_too(image_service: Service) -> None:
    """The catalogue's number leads to the object's position; a tile to its middle, its name in any case."""
    found = image_service.sync(f"SELECT TOP 1 coadd_object_id, ra, dec {AROUND}".format(**SEAM), FORMAT="csv")
    number, ra, dec = found.text.splitlines()[1].split(",")
    by_position = image_service.get("/cutout", RA=ra, DEC=dec, SIZE=2, FORMAT="fits").content
    for word in ("id", "COADD_OBJECT_ID"):
        assert image_service.get("/cutout", **{word: number}, SIZE=2, FORMAT="fits").content == by_position
    tile, middle = (
        image_service.sync("SELECT tile, ra, dec FROM sim1.images", FORMAT="csv")
        .text.splitlines()[1]
        .split(",", 1)
    )
    hdus = opened(image_service.get("/cutout", TILE=tile.lower(), XSIZE=3, YSIZE=1, BANDS="g", FORMAT="fits"))
    assert hdus[0].header["TILENAME"] == tile
    rows, columns = hdus[0].data.shape
    assert columns > 2 * rows
    at = WCS(hdus[0].header).all_world2pix(*map(float, middle.split(",")), 0)
    assert np.allclose(at, [(columns - 1) / 2, (rows - 1) / 2], atol=0.51)


def test_one_image_alone_is_cut_where_it_is_named(image_service: Service) -> None:
    """IMAGE is the only image that is used, at a position or around its middle, its name in any case."""
    query = "SELECT obs_publisher_did, ra, dec, band, tile FROM sim1.images WHERE band = 'i'"
    for line in image_service.sync(query, FORMAT="csv").text.splitlines()[1:]:
        did, ra, dec, band, tile = line.split(",")
        asked = {"IMAGE": did.upper(), "SIZE": 1, "FORMAT": "fits"}
        hdus = opened(image_service.get("/cutout", **asked))
        assert len(hdus) == 1
        assert (hdus[0].header["BAND"], hdus[0].header["TILENAME"]) == (band, tile)
        by_position = image_service.get("/cutout", **asked, RA=ra, DEC=dec)
        assert by_position.content == image_service.get("/cutout", **asked).content
        picture = image_service.get("/cutout", **{**asked, "FORMAT": "png"})
        assert Picture.open(io.BytesIO(picture.content)).mode == "L"
    far = image_service.get("/cutout", **asked, RA=120, DEC=30)
    assert (far.status_code, "position" in far.text) == (404, True)
    for wrong, status in (
        ({"IMAGE": "ivo://nobody/x"}, 404),
        ({**asked, "TILE": tile}, 400),
        ({"IMAGE": "x" * 600}, 400),
    ):
        assert image_service.get("/cutout", **wrong).status_code == status


@pytest.mark.parametrize(
    ("form", "style"), [("png", "lupton"), ("jpeg", "percentile"), ("png", "percentile")]
)
@pytest.mark.parametrize("place", [SEAM, POLE], ids=["seam", "pole"])
def test_pictures_have_north_up_and_east_to_the_left(
    image_service: Service, place: dict[str, float], form: str, style: str
) -> None:
    """The brightest objects of the catalogue are where a map with north up has them."""
    answer = image_service.get("/cutout", **place, SIZE=12, FORMAT=form, STYLE=style)
    assert answer.headers["content-type"] == f"image/{form}"
    picture = Picture.open(io.BytesIO(answer.content))
    assert (picture.format, picture.mode, picture.size) == (form.upper(), "RGB", (256, 256))
    light = np.asarray(picture).sum(axis=2).astype(float)
    query = f"SELECT TOP 12 ra, dec {AROUND} ORDER BY mag_auto_r".format(**place)
    found = image_service.sync(query, FORMAT="csv").text.splitlines()[1:]
    stars = np.array([line.split(",") for line in found], float)
    view = WCS(naxis=2)  # a map as people draw it, made apart from the service
    view.wcs.ctype, view.wcs.crval = ["RA---TAN", "DEC--TAN"], [place["RA"], place["DEC"]]
    view.wcs.crpix, view.wcs.cdelt = [128.5, 128.5], [-0.2 / 256, 0.2 / 256]
    at = np.round(view.all_world2pix(stars, 0)).astype(int)
    here = [light[255 - y - 4 : 255 - y + 5, x - 4 : x + 5].max() for x, y in at]
    mirrored = [light[255 - y - 4 : 255 - y + 5, 255 - x - 4 : 255 - x + 5].max() for x, y in at]
    assert np.median(here) > 1.5 * np.median(mirrored)
    assert np.median(here) > 4 * np.median(light)


def test_options_change_pictures(image_service: Service) -> None:
    """Each option of a style is heard; one band is grey; the order of bands does not matter."""

    def drawn(**options: Any) -> bytes:
        answer = image_service.get("/cutout", **SEAM, SIZE=4, FORMAT="png", **options)
        assert answer.status_code == 200, answer.text
        return answer.content

    plain = drawn()
    assert drawn(BANDS="gri") == drawn(BANDS="i,r,g") == drawn(BANDS="IRG") == plain
    assert Picture.open(io.BytesIO(drawn(BANDS="r"))).mode == "L"
    others = [
        drawn(MINIMUM=-5),
        drawn(STRETCH=100),
        drawn(Q=1),
        drawn(STYLE="percentile"),
        drawn(STYLE="percentile", LOW=30),
    ]
    assert len({plain, *others}) == 6


def test_caches_are_answered_without_work(image_service: Service) -> None:
    """The same request has the same tag and bytes; who has them gets 304, and no job is made."""
    url, asked = f"{image_service.url}/cutout", {**SEAM, "SIZE": 2, "FORMAT": "fits"}
    first, again = (httpx.get(url, params=asked) for _ in range(2))
    told = first.headers
    assert (first.content, told["etag"]) == (again.content, again.headers["etag"])
    for condition in (
        {"If-None-Match": told["etag"]},
        {"If-None-Match": f'"x", W/{told["etag"]}'},
        {"If-Modified-Since": told["last-modified"]},
    ):
        known = httpx.get(url, params=asked, headers=condition)
        assert (known.status_code, known.content, known.headers["etag"]) == (304, b"", told["etag"])
        assert "x-job" not in known.headers
    for condition in (
        {"If-None-Match": '"x"'},
        {"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
        {"If-Modified-Since": "soon"},
    ):
        assert httpx.get(url, params=asked, headers=condition).status_code == 200
    head = httpx.head(url, params=asked)
    assert (head.status_code, head.headers["etag"]) == (200, told["etag"])
    assert head.headers["content-type"] == told["content-type"]
    assert not {"content-length", "x-job"} & set(head.headers)
    tags = {
        httpx.get(url, params={**asked, **other}).headers["etag"]
        for other in ({"SIZE": 3}, {"BANDS": "g"}, {"RA": 0.06}, {"FORMAT": "png"})
    }
    assert len(tags | {told["etag"]}) == 5
    assert (
        httpx.get(url, params=asked, headers={"Origin": "https://a.example"}).headers[
            "access-control-allow-origin"
        ]
        == "*"
    )


@pytest.mark.parametrize(
    ("wanted", "start", "stop"),
    [
        ("bytes=0-79", 0, 80),
        ("bytes=80-", 80, None),
        ("bytes=-100", -100, None),
        ("bytes=2880-99999999", 2880, None),
    ],
)
def test_parts_of_a_cutout(image_service: Service, wanted: str, start: int, stop: int | None) -> None:
    """A range is what it is of the whole, with the header that says which."""
    url, asked = f"{image_service.url}/cutout", {**SEAM, "SIZE": 2, "FORMAT": "fits"}
    whole = httpx.get(url, params=asked)
    part = httpx.get(url, params=asked, headers={"Range": wanted, "If-Range": whole.headers["etag"]})
    first = start if start >= 0 else len(whole.content) + start
    assert (part.status_code, part.content) == (206, whole.content[start:stop])
    assert (
        part.headers["content-range"] == f"bytes {first}-{first + len(part.content) - 1}/{len(whole.content)}"
    )
    assert int(whole.headers["content-length"]) == len(whole.content)


def test_ranges_that_are_none(image_service: Service) -> None:
    """Bytes that are not there are 416; several ranges, nonsense, and another version get the whole."""
    url, asked = f"{image_service.url}/cutout", {**SEAM, "SIZE": 2, "FORMAT": "fits"}
    size = len(httpx.get(url, params=asked).content)
    beyond = httpx.get(url, params=asked, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"], beyond.content) == (
        416,
        f"bytes */{size}",
        b"",
    )
    for headers in (
        {"Range": "bytes=0-1,4-5"},
        {"Range": "lines=1-2"},
        {"Range": "bytes=9-1"},
        {"Range": "bytes=-"},
        {"Range": "bytes=0-9", "If-Range": '"x"'},
    ):
        answer = httpx.get(url, params=asked, headers=headers)
        assert (answer.status_code, len(answer.content)) == (200, size)


def test_names_of_files_tell_what_they_are(image_service: Service) -> None:
    """Release, tile, position, size and bands."""
    told = image_service.get("/cutout", **SEAM, SIZE=2, BANDS="gr", FORMAT="fits").headers[
        "content-disposition"
    ]
    tile = opened(image_service.get("/cutout", **SEAM, BANDS="g", FORMAT="fits"))[0].header["TILENAME"]
    assert told == f'inline; filename="sim1_{tile}_J000012.00-395400.0_2x2_gr.fits"'


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "application/fits"),
        ("image/avif,image/webp,image/*,*/*;q=0.8", "image/png"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "image/png"),
        ("image/jpeg", "image/jpeg"),
    ],
)
def test_who_does_not_say_gets_what_suits(image_service: Service, accept: str, media_type: str) -> None:
    """Programs get FITS, pages and people pictures; one position is enough."""
    answer = httpx.get(f"{image_service.url}/cutout", params=SEAM, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert "Accept" in answer.headers["vary"]
    assert (
        httpx.post(f"{image_service.url}/cutout", data=SEAM, headers={"Accept": accept}).content
        == answer.content
    )


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({}, 400, "not said what to cut out"),
        ({"RA": 1}, 400, "DEC is missing"),
        ({"DEC": 1}, 400, "RA is missing"),
        ({"RA": "nan", "DEC": 1}, 400, "RA must be a number"),
        ({"RA": 1, "DEC": "1e999"}, 400, "DEC must be a number"),
        ({"RA": 1, "DEC": 91}, 400, "between -90 and 90"),
        ({"RA": -1, "DEC": 9}, 400, "between 0 and 360"),
        ({"RA": ["1", "2"], "DEC": 1}, 400, "takes one value"),
        ({**SEAM, "SIZE": 0}, 400, "The width is 0 arcmin"),
        ({**SEAM, "SIZE": 13}, 400, "The width is 13 arcmin"),
        ({**SEAM, "YSIZE": "0.05"}, 400, "The height is 0.05 arcmin"),
        ({**SEAM, "SIZE": "big"}, 400, "must be a number"),
        ({**SEAM, "BANDS": "gx"}, 400, "There are no images in band 'x'"),
        ({**SEAM, "BANDS": "g" * 300}, 400, "may have 200"),
        ({**SEAM, "FORMAT": "fts"}, 400, "Did you mean fits?"),
        ({**SEAM, "FORMAT": "fits,png"}, 400, "2 files are asked for"),
        ({**SEAM, "FORMAT": "png", "BANDS": "gr"}, 400, "one band or three, not 2"),
        ({**SEAM, "FORMAT": "png", "STYLE": "stiff"}, 400, "Known are lupton, percentile"),
        ({**SEAM, "FORMAT": "png", "Q": "x"}, 400, "Q must be a number"),
        ({**SEAM, "FORMAT": "png", "Q": -1}, 400, "Q is not below it"),
        ({**SEAM, "MAKE_FITS": "perhaps"}, 400, "MAKE_FITS must be true or false"),
        ({**SEAM, "MAKE_FITS": "false"}, 400, "No file is asked for"),
        ({**SEAM, "RELEASE": "sim2"}, 404, "no images of a release 'sim2'"),
        ({**SEAM, "ID": 1}, 400, "A position and an object"),
        ({"RA": 200, "DEC": 40}, 404, "No image shows the position"),
        ({"ID": 7}, 404, "no object '7' in sim1.main"),
        ({"ID": "7 OR 1=1"}, 404, "There is no object"),
        ({"ID": "'; DROP TABLE x --"}, 404, "There is no object"),
        ({"ID": "9" * 30}, 404, "There is no object"),
        ({"ID": "9" * 101}, 400, "may have 100"),
        ({"TILE": "../../etc/passwd"}, 404, "no images of a tile"),
        ({"TILE": "DES2359-3958"}, 404, "Did you mean DES2359-3957?"),
        ({**SEAM, "TILE": "DES0002-9999"}, 404, "no images of a tile"),
    ],
)
def test_bad_requests(image_service: Service, asked: dict[str, Any], status: int, words: str) -> None:
    """Each is told in the form of DALI what was wrong with it."""
    answer = httpx.get(f"{image_service.url}/cutout", params=asked)
    assert answer.status_code == status, answer.text
    [info] = etree.fromstring(answer.content).iter("{*}INFO")
    assert info.get("value") == "ERROR"
    assert words in (info.text or "")
    as_json = httpx.get(f"{image_service.url}/cutout", params=asked, headers={"Accept": "application/json"})
    assert words in as_json.json()["message"]


def test_the_page(image_service: Service) -> None:
    """A browser that asks for nothing gets well-formed XHTML with a form that works, from this site alone."""
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    answer = httpx.get(f"{image_service.url}/cutout", headers=browser)
    assert answer.headers["content-type"].startswith("text/html")
    page = etree.fromstring(answer.content)
    form = next(page.iter("{*}form"))
    fields = {each.get("name"): each.get("value") or "" for each in form.iter("{*}input")}
    labels = {label.get("for") for label in page.iter("{*}label")}
    shown_fields = [each for each in page.iter("{*}input", "{*}select") if each.get("type") != "hidden"]
    assert {each.get("id") for each in shown_fields} == labels
    shown = httpx.get(
        form.get("action"), params={**fields, "STYLE": "lupton", "RELEASE": "", "FORMAT": "png"}
    )
    assert (shown.status_code, shown.headers["content-type"]) == (200, "image/png"), shown.text
    links = [value for each in page.iter() for name in ("src", "href", "action") if (value := each.get(name))]
    assert all(link.startswith((image_service.url, "#")) for link in links)


def test_errors_are_documents(image_service: Service, assert_valid: Callable[[bytes], None]) -> None:
    """The VOTable of an error follows its schema, and astropy reads it."""
    answer = image_service.get("/cutout", RA="x", DEC=1)
    assert_valid(answer.content)
    assert parse(io.BytesIO(answer.content)).resources[0].infos[0].value == "ERROR"
