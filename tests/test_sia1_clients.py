"""Clients of SIA 1.0: capabilities, pyvo, STILTS; and what is told of images of which little is known."""

from __future__ import annotations

import io
import shutil
import subprocess
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pyarrow as pa
import pytest
import pyvo
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from lxml import etree
from pyvo.dal.exceptions import DALQueryError
from service import Service

from vo.config import Config
from vo.images.tables import LINKS, obscore_table
from vo.sia.v1.cutouts import cut
from vo.sia.v1.fields import as_reply, fields_of, missing_from
from vo.sia.v1.region import Region

QUERY = "/sia/v1/query"


def test_the_capabilities(image_service: Service, assert_valid: Callable[[bytes], None]) -> None:
    """A capability for each type of service; its URL takes parameters, and its test query finds an image."""
    document = image_service.get("/sia/v1/capabilities").content
    assert_valid(document)
    found = etree.fromstring(document).findall("capability[@standardID='ivo://ivoa.net/std/SIA']")
    assert found
    for capability in found:
        url = capability.findtext("interface/accessURL")
        assert url[-1] in "?&"
        pos = ",".join(capability.findtext(f"testQuery/pos/{axis}") for axis in ("long", "lat"))
        size = capability.findtext("testQuery/size/long")
        assert b"<TR>" in httpx.get(f"{url}POS={pos}&SIZE={size}&VERB=1", timeout=60).content
    assert b"true" in image_service.get("/sia/v1/availability").content
    assert f"{image_service.url}{QUERY}?" in image_service.get("/").text


def test_pyvo_finds_images(image_service: Service) -> None:
    """By pyvo's own names: position, scale, WCS, bandpass, and the image itself."""
    images = pyvo.dal.SIAService(f"{image_service.url}{QUERY}?")
    found = images.search(pos=(0.7, -39.96), size=(0.1, 0.1), intersect="covers", format="image/fits")
    assert len(found) == 3
    record = found[0]
    assert any(link.semantics == "#this" for link in record.getdatalink())
    assert (record.format, record.naxes, record.coord_projection) == ("image/fits", 2, "TAN")
    assert record.pos.separation(SkyCoord(0.7, -39.96, unit="deg")).deg < 0.7
    assert record.scale.shape == (2,)
    assert record.cdmatrix.shape == (2, 2)
    assert record.bandpass_lolimit.unit == units.m
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        with fits.open(io.BytesIO(httpx.get(record.getdataurl(), timeout=60).content)) as hdus:
            assert WCS(hdus[0].header).footprint_contains(SkyCoord(0.7, -39.96, unit="deg"))
    pictures = images.search(pos=(0.7, -39.96), size=(0.1, 0.1), intersect="covers", format="graphic")
    assert {(record.format, record.instr) for record in pictures} == {
        (f"image/{name}", record.instr) for name in ("jpeg", "png")
    }
    assert httpx.get(pictures[0].getdataurl(), timeout=60).headers["content-type"] == pictures[0].format
    with pytest.raises(DALQueryError, match="MAXREC must be"):
        images.search(pos=(0.3, -40.3), size=1, MAXREC="x")


@pytest.mark.skipif(shutil.which("stilts") is None, reason="STILTS is not installed")
@pytest.mark.parametrize(("kind", "url"), [("sia1", f"{QUERY}?"), ("sia2", "/sia/v2/query")])
def test_stilts_searches_many_places(image_service: Service, tmp_path: Path, kind: str, url: str) -> None:
    """`stilts coneskymatch` asks for the images of each of a list of positions."""
    places = tmp_path / "places.csv"
    places.write_text("ra,dec\n0.7,-39.96\n120,-89.95\n200,10\n")
    done = subprocess.run(
        [
            "stilts", "coneskymatch", f"in={places}", "ifmt=csv", "ra=ra", "dec=dec", "sr=0.05", "find=all",
            f"servicetype={kind}", f"serviceurl={image_service.url}{url}",
            "erract=abort", "ofmt=csv", "ocmd=keepcols obs_publisher_did",
        ],
        capture_output=True,
        timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    assert len(set(done.stdout.decode().split()[1:])) == 6


STORED = {
    "obs_collection": pa.array(["c", "c"]),
    "obs_id": pa.array(["near", "small"]),
    "access_url": pa.array([f"https://x.example{LINKS}near", f"https://x.example{LINKS}small"]),
    "access_estsize": pa.array([400, None], pa.int64()),
    "s_ra": pa.array([10.0, 10.0]),
    "s_dec": pa.array([0.0, 0.0]),
    "s_xel1": pa.array([1000, 8], pa.int64()),
    "s_xel2": pa.array([1000, 8], pa.int64()),
    "s_pixel_scale": pa.array([3.6, 3.6]),
}


def test_less_is_told_where_less_is_known() -> None:
    """Without a WCS a cutout is told of by SIZE and scale; without a scale, there is no service."""
    whole = obscore_table()
    plain = replace(whole, columns=tuple(each for each in whole.columns if each.name in STORED))
    assert not missing_from(plain)
    assert missing_from(replace(plain, columns=plain.columns[:-1])) == ("s_pixel_scale",)
    told = cut(STORED, Region(10.0, 0.1, 0.02, 0.01), Config())
    reply = as_reply(
        fields_of(plain, 2), {**STORED, **told, "image_format": pa.array(["image/fits"] * 2)}
    ).to_pylist()
    names = [field.column.name for field in fields_of(plain, 2)]
    near, small = (dict(zip(names, row.values(), strict=True)) for row in reply)
    assert (near["naxis"], near["ra"], near["dec"]) == ([20, 10], 10.0, 0.1)
    assert near["acref"].startswith("https://x.example/soda/sync?ID=near&POS=POLYGON%20")
    assert (small["naxis"], small["acref"]) == ([8, 8], "https://x.example/datalink/file?ID=small")
    assert "coord_refpixel" not in names


def test_no_reference_pixel_is_made_up() -> None:
    """Where a projection is not worked out, the reference pixel of the cutout is not known."""
    wcs = {f"wcs_{name}": pa.array([value] * 2) for name, value in WCS_TERMS.items()}
    near = cut({**STORED, **wcs}, Region(10.0, 0.1, 0.0, 0.0), Config())
    other = {**wcs, "wcs_projection": pa.array(["AIT", "AIT"])}
    far = cut({**STORED, **other}, Region(10.0, 0.1, 0.0, 0.0), Config())
    assert near["crpix1"][0].as_py() == pytest.approx(25, abs=1)
    assert far["crpix1"][0].as_py() is None
    assert (near["naxis1"][0].as_py(), far["naxis1"][0].as_py()) == (50, 50)
    assert near["dec"][0].as_py() == pytest.approx(0.1, abs=0.001)


WCS_TERMS = {
    "frame": "ICRS",
    "projection": "TAN",
    "crpix1": 500.3,
    "crpix2": 500.3,
    "crval1": 10.0,
    "crval2": 0.0,
    "cd1_1": -0.001,
    "cd1_2": 0.0,
    "cd2_1": 0.0,
    "cd2_2": 0.001,
}


def test_what_is_too_large_to_be_cut_is_had_whole() -> None:
    """More pixels than SODA cuts at once are not promised."""
    told = cut(STORED, Region(10.0, 0.0, 0.5, 0.5), replace(Config(), cutout_pixels=100_000))
    assert told["acref"][0].as_py() == "https://x.example/datalink/file?ID=near"
    assert (told["naxis1"][0].as_py(), told["title"][0].as_py()) == (1000, "c near")
