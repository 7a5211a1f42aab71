"""Simple Image Access 1.0, /sia/v1, through the door, read by astropy, pyvo and STILTS."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.io.votable import parse
from astropy.io.votable.tree import TableElement
from astropy.table import Row, Table
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from lxml import etree
from PIL import Image
from quadrangles import corners_of, is_within, points_in, vectors
from service import Service

QUERY = "/sia/v1/query"
VOTABLE = "{http://www.ivoa.net/xml/VOTable/v1.3}"

MUST = {
    "VOX:Image_Title": ("char", "*"),
    "POS_EQ_RA_MAIN": ("double", None),
    "POS_EQ_DEC_MAIN": ("double", None),
    "VOX:Image_Naxes": ("int", None),
    "VOX:Image_Naxis": ("int", "2"),
    "VOX:Image_Scale": ("double", "2"),
    "VOX:Image_Format": ("char", "*"),
    "VOX:Image_AccessReference": ("char", "*"),
}
SHOULD = {
    "INST_ID": ("char", "*"),
    "VOX:Image_MJDateObs": ("double", None),
    "VOX:STC_CoordRefFrame": ("char", "*"),
    "VOX:STC_CoordEquinox": ("double", None),
    "VOX:WCS_CoordProjection": ("char", "3"),
    "VOX:WCS_CoordRefPixel": ("double", "2"),
    "VOX:WCS_CoordRefValue": ("double", "2"),
    "VOX:WCS_CDMatrix": ("double", "4"),
    "VOX:BandPass_ID": ("char", "*"),
    "VOX:BandPass_Unit": ("char", "*"),
    "VOX:BandPass_RefValue": ("double", None),
    "VOX:BandPass_HiLimit": ("double", None),
    "VOX:BandPass_LoLimit": ("double", None),
    "VOX:Image_PixFlags": ("char", "*"),
    "VOX:Image_FileSize": ("int", None),
}
"""The words of SIA 1.0 (4.2.5), with datatype and arraysize."""


@pytest.fixture(scope="module")
def everything(image_service: Service) -> Table:
    """All rows of ivoa.obscore, by TAP."""
    answer = image_service.sync("SELECT * FROM ivoa.obscore")
    return parse(io.BytesIO(answer.content)).get_first_table().to_table()


def _element(answer: httpx.Response) -> TableElement:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/xml")
    document = parse(io.BytesIO(answer.content))
    first, *others = [resource.type for resource in document.resources]
    assert first == "results"
    assert set(others) <= {"meta"}  # services that take the identifiers
    return document.get_first_table()


def _ids(answer: httpx.Response) -> set[str]:
    table = _element(answer).to_table()
    found = [(str(row["obs_publisher_did"]), str(row["format"])) for row in table]
    assert len(found) == len(set(found))
    return {image_id for image_id, _ in found}


def _statuses(content: bytes) -> list[str | None]:
    infos = etree.fromstring(content).iter(f"{VOTABLE}INFO")
    return [info.get("value") for info in infos if info.get("name") == "QUERY_STATUS"]


# --- which images are found, by brute force: the region is one of astropy's offset frame around POS


def _in_region(points: np.ndarray, pos: tuple[float, float], size: tuple[float, float]) -> np.ndarray:
    frame = SkyCoord(*pos, unit="deg").skyoffset_frame()
    at = SkyCoord(points, representation_type="cartesian").transform_to(frame).spherical
    lon, lat = at.lon.wrap_at(180 * units.deg).deg, at.lat.deg
    return np.asarray((abs(lon) <= size[0] / 2 + 1e-9) & (abs(lat) <= size[1] / 2 + 1e-9))


def _region(pos: tuple[float, float], size: tuple[float, float]) -> np.ndarray:
    frame = SkyCoord(*pos, unit="deg").skyoffset_frame()
    half = min(size[0], 360) / 2, min(size[1], 180) / 2
    lon, lat = np.meshgrid(np.linspace(-half[0], half[0], 101), np.linspace(-half[1], half[1], 101))
    return np.asarray(SkyCoord(lon.ravel(), lat.ravel(), unit="deg", frame=frame).icrs.cartesian.xyz.value.T)


def _expected(image: Row, pos: tuple[float, float], size: tuple[float, float]) -> dict[str, bool]:
    corners = corners_of(image["s_region"])
    held = _in_region(points_in(image["s_region"]), pos, size)
    covered = is_within(corners, _region(pos, size))
    center = bool(is_within(corners, vectors(np.array([pos[0]]), np.array([pos[1]])))[0])
    return {
        "OVERLAPS": bool(held.any() or covered.any()),
        "ENCLOSED": bool(held.all()),
        "COVERS": bool(covered.all()),
        "CENTER": center,
    }


REGIONS = [
    ((0.3, -40.3), (0.1, 0.1)),
    ((0.0, -40.0), (0.3, 0.2)),
    ((359.95, -40.2), (2.0, 1.0)),
    ((0.7, -39.96), (0.9, 0.9)),
    ((0.7, -39.96), (1.0, 0.02)),
    ((0.7, -39.96), (0.001, 2.5)),
    ((0.7, -39.96), (0.0, 0.0)),
    ((0.7, -39.96), (0.2, 0.0)),
    ((120.0, -90.0), (0.2, 0.2)),
    ((0.0, -90.0), (3.0, 3.0)),
    ((0.0, 90.0), (3.0, 3.0)),
    ((200.0, -89.7), (0.1, 1.5)),
    ((200.0, -89.3), (0.4, 0.4)),
    ((20.0, -89.9), (1.0, 1.0)),
    ((0.0, -60.0), (100.0, 41.0)),
    ((180.0, 0.0), (359.0, 100.0)),
    ((350.0, 10.0), (200.0, 120.0)),
    ((77.0, 33.0), (360.0, 180.0)),
    ((77.0, 33.0), (360.0, 60.0)),
    ((0.2, 45.0), (40.0, 180.0)),
    ((202.0, 4.0), (359.9, 180.0)),
]


@pytest.mark.parametrize(("pos", "size"), REGIONS)
def test_images_lie_to_the_region(
    image_service: Service, everything: Table, pos: tuple[float, float], size: tuple[float, float]
) -> None:
    """Each INTERSECT finds what points all over images and region say, by GET and by POST."""
    asked = {"POS": f"{pos[0]},{pos[1]}", "SIZE": f"{size[0]},{size[1]}", "VERB": 1}
    wanted = [(str(row["obs_publisher_did"]), _expected(row, pos, size)) for row in everything]
    for word in ("OVERLAPS", "ENCLOSED", "COVERS", "CENTER"):
        expected = {did for did, is_so in wanted if is_so[word]}
        assert _ids(image_service.get(QUERY, INTERSECT=word, **asked)) == expected, word
    assert _ids(image_service.post(QUERY, **asked, intersect="enclosed")) == {
        did for did, is_so in wanted if is_so["ENCLOSED"]
    }


def test_one_size_is_both_and_overlaps_is_meant(image_service: Service) -> None:
    """SIZE=a is SIZE=a,a; without INTERSECT images overlap; parameters are named in any case."""
    assert _ids(image_service.get(QUERY, pos="0.3,-40.3", Size="0.4", VERB=1)) == _ids(
        image_service.get(QUERY, POS="0.3,-40.3", SIZE="0.4,0.4", INTERSECT="OVERLAPS", VERB=1)
    )


# --- what is told of them


def test_the_columns_are_those_of_the_standard(image_service: Service) -> None:
    """Each word once, with its type; the least alone where VERB=0; everything of obscore where VERB=3."""
    region = {"POS": "0.3,-40.3", "SIZE": "0.1"}
    fields = [list(_element(image_service.get(QUERY, VERB=verb, **region)).fields) for verb in (0, 1, 2, 3)]
    told = [{field.ucd: (field.datatype, field.arraysize) for field in some} for some in fields]
    assert told[0] == MUST
    assert told[2] == told[2] | MUST | SHOULD
    for less, more in itertools.pairwise(fields):
        assert {field.name for field in less} < {field.name for field in more}
        assert len({field.name for field in more}) == len(more)
    obscore = image_service.sync("SELECT * FROM ivoa.obscore", MAXREC=0)
    names = {field.name for field in parse(io.BytesIO(obscore.content)).get_first_table().fields}
    assert names <= {field.name for field in fields[3]}
    default = _element(image_service.get(QUERY, **region)).fields
    assert [field.name for field in default] == [field.name for field in fields[2]]


def test_what_is_told_is_so(image_service: Service, everything: Table) -> None:
    """Positions, sizes and the WCS are those of the file that the reply leads to."""
    stored = {str(row["obs_publisher_did"]): row for row in everything}
    answer = image_service.get(QUERY, POS="0,0", SIZE="360", TYPE="Atlas", FORMAT="image/fits")
    table = _element(answer).to_table()
    assert len(table) == len(everything)
    for row in table[::4]:
        image = stored[str(row["obs_publisher_did"])]
        assert (row["ra"], row["dec"], row["naxes"]) == (image["s_ra"], image["s_dec"], 2)
        assert list(row["naxis"]) == [image["s_xel1"], image["s_xel2"]]
        assert row["dateobs"] == pytest.approx((image["t_min"] + image["t_max"]) / 2)
        assert row["bandpass_lolimit"] < row["bandpass_refvalue"] < row["bandpass_hilimit"]
        assert str(row["bandpass"]) == str(image["band"])
        assert str(row["obs_publisher_did"]).endswith(str(row["title"]).split()[-1])
        content = httpx.get(str(row["acref"]), timeout=60).content
        assert 0 <= row["filesize"] - len(content) <= 1000
        _judge_wcs(row, content)


@pytest.mark.parametrize(
    ("pos", "size"),
    [
        ("0.7,-39.96", "0.1"),
        ("0.3,-40.3", "0.4,0.1"),
        ("0.02,-39.9", "0.3"),
        ("0.7,-39.96", "0"),
        ("0.7,-39.96", "0.2,0"),
        ("20,-89.9", "0.2,0.3"),
        ("200,-90", "0.3"),
        ("0.3,-40.3", "30"),
    ],
)
def test_a_cutout_is_what_was_told(image_service: Service, pos: str, size: str) -> None:
    """The URL of each row is had, and its pixels are those that were told: their number, centre and WCS."""
    rows = _element(image_service.get(QUERY, POS=pos, SIZE=size, FORMAT="image/fits")).to_table()
    assert {str(row["bandpass"]) for row in rows} == {"g", "r", "i"}
    for row in rows[rows["bandpass"] == "g"]:
        answer = httpx.get(str(row["acref"]), timeout=60)
        assert answer.status_code == 200, answer.text
        assert str(row["title"]).startswith("Cutout of") == ("/soda/sync?" in str(row["acref"]))
        with fits.open(io.BytesIO(answer.content)) as hdus:
            header = next(hdu.header for hdu in hdus if hdu.header["NAXIS"] == 2)
        naxis = np.array([header["NAXIS1"], header["NAXIS2"]])
        assert abs(naxis - row["naxis"]).max() <= 2  # pixels at the corners of a tilted box
        judge = WCS(header)
        assert abs(judge.wcs.crpix - row["coord_refpixel"]).max() <= 2
        centre = judge.pixel_to_world(*(naxis - 1) / 2)
        told = SkyCoord(row["ra"], row["dec"], unit="deg")
        assert centre.separation(told).deg <= 2 * row["scale"].max()
        assert row["filesize"] == pytest.approx(len(answer.content), rel=0.1, abs=12_000)


def test_no_more_is_told_of_a_cutout_than_is_cut(image_service: Service) -> None:
    """Images that lie in the region are had whole, as files, and told of as in the archive."""
    region = {"POS": "0.2,-40", "SIZE": "3", "INTERSECT": "ENCLOSED", "VERB": "2"}
    cut, archive = (
        _element(image_service.get(QUERY, TYPE=kind, **region)).array for kind in ("cutout", "Atlas")
    )
    assert len(cut) == 18
    assert sorted(map(str, cut)) == sorted(map(str, archive))


def _judge_wcs(row: Row, content: bytes) -> None:
    with fits.open(io.BytesIO(content)) as hdus:
        header = hdus[1].header
        assert list(row["naxis"]) == [header["NAXIS1"], header["NAXIS2"]]
        judge = WCS(header)
    told = WCS(naxis=2)
    told.wcs.ctype = [f"RA---{row['coord_projection']}", f"DEC--{row['coord_projection']}"]
    told.wcs.crpix, told.wcs.crval = row["coord_refpixel"], row["coord_refvalue"]
    told.wcs.cd = np.reshape(row["cdmatrix"], (2, 2))
    pixels = np.array([[1.0, 1.0], row["naxis"]])
    assert np.allclose(told.all_pix2world(pixels, 1), judge.all_pix2world(pixels, 1), rtol=0, atol=1e-9)
    assert str(row["coord_frame"]) == "ICRS"
    assert list(row["scale"]) == pytest.approx([abs(judge.wcs.cd[0][0])] * 2, rel=1e-6)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ALL", "fits jpeg png"), ("all", "fits jpeg png"), ("image/fits", "fits"), ("IMAGE/FITS", "fits"),
        ("application/fits", "fits"), ("image/jpeg,image/fits", "fits jpeg"), ("image/jpg", "jpeg"),
        ("GRAPHIC,image/fits", "fits jpeg png"), ("image/jpeg", "jpeg"), ("GRAPHIC", "jpeg png"),
        ("GRAPHIC-ALL", "jpeg png"), ("GRAPHIC-jpeg,png,gif", "jpeg"), ("graphic-gif,png,jpeg", "png"),
        ("image/fits,GRAPHIC-png", "fits png"), ("GRAPHIC-gif", ""), ("image/png", "png"), ("text/html", ""),
    ],
)  # fmt: skip
def test_formats(image_service: Service, text: str, found: str) -> None:
    """A row for each image and format; of a list of pictures the first that there is; else no rows."""
    answer = image_service.get(QUERY, POS="0.7,-39.96", SIZE="0.1", FORMAT=text)
    rows = _element(answer).to_table()
    formats = [f"image/{name}" for name in found.split()]
    assert sorted(map(str, rows["format"])) == sorted(formats * 3)
    assert len(_ids(answer)) == (3 if formats else 0)
    assert _statuses(answer.content) == ["OK"]


@pytest.mark.parametrize(
    ("pos", "size", "kind"),
    [
        ("0.7,-39.96", "0.1", "Cutout"),
        ("0.3,-40.3", "0.15,0.05", "Cutout"),
        ("200,-90", "0.1", "Cutout"),
        ("0.3,-40.3", "0", "Cutout"),
        ("0.7,-39.96", "0.001", "Cutout"),
        ("0.3,-40.3", "0.1", "Atlas"),
    ],
)
def test_a_picture_is_what_was_told(image_service: Service, pos: str, size: str, kind: str) -> None:
    """The URL gives a picture of the format and size that were told, and its middle is where it was told."""
    asked = {"POS": pos, "SIZE": size, "TYPE": kind, "FORMAT": "GRAPHIC"}
    rows = _element(image_service.get(QUERY, **asked)).to_table()
    assert {str(row["format"]) for row in rows} == {"image/jpeg", "image/png"}
    for row in rows[rows["bandpass"] == "r"]:
        answer = httpx.get(str(row["acref"]), timeout=60)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == row["format"]
        with Image.open(io.BytesIO(answer.content)) as drawn:
            assert drawn.size == tuple(row["naxis"])
            assert Image.MIME[drawn.format or ""] == row["format"]
            assert drawn.getextrema()[0] != drawn.getextrema()[1]
        assert str(row["title"]).startswith("Picture of")
        assert str(row["pixflags"]) == "V"
        told = WCS(naxis=2)
        told.wcs.ctype = ["RA---TAN", "DEC--TAN"]
        told.wcs.crpix, told.wcs.crval = row["coord_refpixel"], row["coord_refvalue"]
        told.wcs.cd = np.reshape(row["cdmatrix"], (2, 2))
        assert proj_plane_pixel_scales(told) == pytest.approx(list(row["scale"]))
        middle = told.pixel_to_world(*((side - 1) / 2 for side in row["naxis"]))
        assert middle.separation(SkyCoord(row["ra"], row["dec"], unit="deg")).arcsec < 0.01


def test_a_picture_shows_the_pixels_of_its_image(image_service: Service) -> None:
    """The brightest pixel of the cutout lies where the picture is the brightest, by the WCS of both."""
    asked = {"POS": "0.7,-39.96", "SIZE": "0.05"}
    rows = _element(image_service.get(QUERY, **asked, FORMAT="image/fits,image/png")).to_table()
    rows = rows[rows["bandpass"] == "r"]
    (cut,), (picture,) = rows[rows["format"] == "image/fits"], rows[rows["format"] == "image/png"]
    with fits.open(io.BytesIO(httpx.get(str(cut["acref"]), timeout=60).content)) as hdus:
        y, x = np.unravel_index(np.nanargmax(hdus[0].data), hdus[0].data.shape)
        brightest = WCS(hdus[0].header).pixel_to_world(x, y)
    with Image.open(io.BytesIO(httpx.get(str(picture["acref"]), timeout=60).content)) as drawn:
        grey = np.asarray(drawn.convert("L"), float)[::-1]
    told = WCS(naxis=2)
    told.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    told.wcs.crpix, told.wcs.crval = picture["coord_refpixel"], picture["coord_refvalue"]
    told.wcs.cd = np.reshape(picture["cdmatrix"], (2, 2))
    column, row = (round(float(each)) for each in told.world_to_pixel(brightest))
    assert grey[row, column] >= np.percentile(grey, 99)


def test_maxrec_counts_rows_of_all_formats(image_service: Service) -> None:
    """Three images are nine rows, of which MAXREC cuts those beyond."""
    asked = {"POS": "0.7,-39.96", "SIZE": "0.1"}
    for maxrec, status in ((8, "OVERFLOW"), (9, "OK")):
        answer = image_service.get(QUERY, **asked, MAXREC=maxrec)
        assert len(_element(answer).array) == maxrec
        assert status in _statuses(answer.content)


@pytest.mark.parametrize("asked", [{}, {"POS": "nonsense", "VERB": "0"}, {"POS": "1,2", "SIZE": "1"}])
def test_a_metadata_query_tells_the_parameters(
    image_service: Service, asked: dict[str, str], assert_valid: Callable[[bytes], None]
) -> None:
    """FORMAT=METADATA has all columns, a PARAM for each parameter, and no rows (SIA 1.0, 7.1)."""
    answer = image_service.get(QUERY, FORMAT="metadata", **asked)
    assert_valid(answer.content)
    assert _statuses(answer.content) == ["OK"]
    table = _element(answer)
    assert len(table.array) == 0
    assert {field.ucd for field in table.fields} >= {*MUST, *SHOULD, "pos.outline;obs.field"}
    params = etree.fromstring(answer.content).findall(f"{VOTABLE}RESOURCE[@type='results']/{VOTABLE}PARAM")
    values = {param.get("name"): param.get("value") for param in params}
    assert set(values) == {
        f"INPUT:{name}" for name in ("POS", "SIZE", "INTERSECT", "FORMAT", "TYPE", "VERB", "MAXREC")
    }
    assert (values["INPUT:INTERSECT"], values["INPUT:FORMAT"], values["INPUT:VERB"]) == (
        "OVERLAPS",
        "ALL",
        "2",
    )
    options = {
        param.get("name"): [each.get("value") for each in param.iter(f"{VOTABLE}OPTION")] for param in params
    }
    assert options["INPUT:INTERSECT"] == ["COVERS", "ENCLOSED", "CENTER", "OVERLAPS"]


def test_parameters_of_image_generation_are_ignored(image_service: Service) -> None:
    """No image is made to order here, whatever is asked; nor does what no standard names matter."""
    region = {"POS": "0.3,-40.3", "SIZE": "0.1", "VERB": "1"}
    generation = {
        "NAXIS": "10,10", "CFRAME": "GAL", "EQUINOX": "x", "CRPIX": "1", "CRVAL": "a,b", "CDELT": "0",
        "ROTANG": "", "PROJ": "ZZZ", "nonsense": "1",
    }  # fmt: skip
    plain, ordered = image_service.get(QUERY, **region), image_service.get(QUERY, **region, **generation)
    assert _ids(plain) == _ids(ordered) != set()


@pytest.mark.parametrize("maxrec", [0, 1])
def test_a_cut_reply_says_so(
    image_service: Service, maxrec: int, assert_valid: Callable[[bytes], None]
) -> None:
    """MAXREC rows, and OVERFLOW behind the table."""
    answer = image_service.get(QUERY, POS="0.3,-40.3", SIZE="1", MAXREC=maxrec)
    assert_valid(answer.content)
    assert len(_element(answer).array) == maxrec
    assert _statuses(answer.content) == ["OK", "OVERFLOW"]


# --- what is wrong

GOOD = {"POS": "0.3,-40.3", "SIZE": "0.1"}
BAD: list[tuple[dict[str, Any], str]] = [
    ({"POS": "1,2"}, "SIZE is missing"),
    ({"SIZE": "1"}, "POS is missing"),
    ({}, "POS is missing"),
    *(
        ({**GOOD, "POS": text}, "POS")
        for text in ("", " ", "1", "1,2,3", "1;2", "a,b", "NaN,1", "1,NaN", "Inf,0", "1,1e999", "1,", "٣,1")
    ),
    ({**GOOD, "POS": "361,0"}, "(361, 0) is no position"),
    ({**GOOD, "POS": "-0.1,0"}, "no position"),
    ({**GOOD, "POS": "0,90.01"}, "no position"),
    ({**GOOD, "POS": ["1,2", "3,4"]}, "2 times"),
    *(({**GOOD, "SIZE": text}, "SIZE") for text in ("", "x", "NaN", "-0.1", "1,-1", "1,2,3", "360.1", "Inf")),
    ({**GOOD, "INTERSECT": "TOUCHES"}, "COVERS, ENCLOSED, CENTER or OVERLAPS"),
    ({**GOOD, "INTERSECT": ""}, "INTERSECT"),
    ({**GOOD, "FORMAT": "fits"}, "image/fits"),
    ({**GOOD, "FORMAT": ""}, "no media type"),
    ({**GOOD, "VERB": "4"}, "0, 1, 2 or 3"),
    ({**GOOD, "VERB": "-1"}, "VERB"),
    ({**GOOD, "VERB": "x"}, "VERB"),
    ({**GOOD, "TYPE": "Mosaic"}, "TYPE"),
    ({**GOOD, "MAXREC": "-1"}, "MAXREC"),
    ({**GOOD, "RESPONSEFORMAT": "docx"}, "docx"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "word"), BAD)
def test_bad_requests_are_told_in_the_standards_form(
    image_service: Service, asked: dict[str, Any], word: str, assert_valid: Callable[[bytes], None]
) -> None:
    """QUERY_STATUS is ERROR, and its text says what is wrong (SIA 1.0, 4.3)."""
    answer = image_service.get(QUERY, **asked)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/xml")
    assert_valid(answer.content)
    infos = etree.fromstring(answer.content).findall(f"{VOTABLE}RESOURCE[@type='results']/{VOTABLE}INFO")
    assert [(info.get("name"), info.get("value")) for info in infos] == [("QUERY_STATUS", "ERROR")]
    assert word in (infos[0].text or "")


def test_without_images_there_is_no_service(service: Service) -> None:
    """A release without images has no SIA, and the first page names none."""
    for name in ("query", "capabilities", "availability"):
        assert service.get(f"/sia/v1/{name}", **GOOD).status_code == 404
    assert "/sia/v1" not in service.get("/").text
