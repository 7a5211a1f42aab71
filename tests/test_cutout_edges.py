"""Cutouts of odd images through the door: broken, across edges, and real ones with odd projections."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from cutout_data import ONE_GRID, REAL, SCALE, SHAPE, TWO_GRIDS, grid
from cutout_jobs import archived, done, manifest
from PIL import Image as Picture
from service import Service


def test_a_broken_file_costs_its_rows_only(cutout_service: Service) -> None:
    """A file that is cut short, or gone: the manifest says which, all else is there; alone it is an error."""
    table = "RA,DEC,BANDS\n200,0,gr\n200,0,g\n220,0,r\n220,0,g\n"
    job = done(cutout_service, table, RELEASE="odd")
    found = manifest(cutout_service, job)
    assert [str(each) for each in found["status"]] == ["error", "ok", "error", "ok"]
    assert "cut_r.fits" in str(found["error"][0])
    assert "gone_r.fits" in str(found["error"][2])
    assert len(archived(cutout_service, job)) == 4
    for place, name in (({"RA": 200, "DEC": 0}, "cut_r.fits"), ({"RA": 220, "DEC": 0}, "gone_r.fits")):
        answer = cutout_service.get("/cutout", **place, BANDS="r")
        assert (answer.status_code, name in answer.text) == (500, True)
        assert cutout_service.get("/cutout", **place, BANDS="g").status_code == 200


@pytest.mark.parametrize("height", [1.0, 9.0])
def test_a_cutout_across_the_edge_of_images_on_one_grid(cutout_service: Service, height: float) -> None:
    """It is stitched: the pixels are those of the grid, and HISTORY says of which images."""
    ra, dec = ONE_GRID
    alone = cutout_service.get("/cutout", RA=ra, DEC=dec, XSIZE=12, YSIZE=height)
    [hdu] = fits.open(io.BytesIO(alone.content), checksum=True)
    rows, columns = hdu.data.shape
    assert columns == round(0.2 / SCALE)
    bottom, left = (int(number) for number in divmod(hdu.data[0, 0], 1000))
    assert np.array_equal(hdu.data, grid(left, columns)[bottom : bottom + rows])
    at = WCS(hdu.header).all_world2pix(ra, dec, 0)
    assert np.allclose(at, [(columns - 1) / 2, (rows - 1) / 2], atol=0.51)
    history = "".join(hdu.header["HISTORY"])
    assert all(word in history for word in ("left.fits", "right.fits", "stitched"))
    job = done(cutout_service, f"RA,DEC,XSIZE,YSIZE\n{ra},{dec},12,{height}\n")
    assert alone.content in archived(cutout_service, job).values()


def test_a_cutout_across_the_edge_of_images_on_two_grids(cutout_service: Service) -> None:
    """The image that has more of it is taken, and HISTORY says so; a picture has both."""
    place = {"RA": TWO_GRIDS[0], "DEC": TWO_GRIDS[1], "SIZE": 12}
    [hdu] = fits.open(io.BytesIO(cutout_service.get("/cutout", **place).content), checksum=True)
    tile = hdu.header["TILENAME"]
    known = np.isfinite(hdu.data)
    assert known.any(axis=0).sum() in range(hdu.data.shape[1] - 4, hdu.data.shape[1])
    bottom, left = (int(number) for number in divmod(np.nanmin(hdu.data), 1000))
    assert {left, SHAPE[1] - left - known[0].sum()} & {0}
    whole = grid(left, int(known[0].sum()))[bottom : bottom + len(hdu.data)]
    assert np.array_equal(hdu.data[known], whole.ravel())
    assert f"beyond tile {tile}, the only image used" in "".join(hdu.header["HISTORY"])
    picture = cutout_service.get("/cutout", **place, FORMAT="png", MINIMUM=-1e5, STRETCH=1, BANDS="r")
    assert (np.asarray(Picture.open(io.BytesIO(picture.content))) > 0).all()
    other = {"west": "east", "east": "west"}[tile]
    [forced] = fits.open(io.BytesIO(cutout_service.get("/cutout", **place, TILE=other).content))
    assert forced.header["TILENAME"] == other


def real(service: Service) -> list[tuple[Path, str, float, float]]:
    """The real images: file, band, and the middle as the catalogue of images has it."""
    if not REAL.is_dir():
        pytest.skip("the real images are not at hand")
    query = "SELECT path, band, ra, dec FROM surveys.images ORDER BY path"
    rows = [line.split(",") for line in service.sync(query, FORMAT="csv").text.splitlines()[1:]]
    return [(service.data / "images" / path, band, float(ra), float(dec)) for path, band, ra, dec in rows]


@pytest.mark.filterwarnings("ignore::astropy.wcs.FITSFixedWarning")
def test_real_images_with_odd_projections(cutout_service: Service) -> None:
    """DECam (TPV), SDSS (turned), Pan-STARRS: pixels and positions are those of the whole to astropy."""
    images = real(cutout_service)
    assert len(images) == 14
    for path, band, ra, dec in images:
        asked: dict[str, Any] = {"RA": ra, "DEC": dec, "SIZE": 0.15, "RELEASE": "surveys"}
        asked |= {"BANDS": band} if band else {}
        [hdu] = fits.open(io.BytesIO(cutout_service.get("/cutout", **asked).content), checksum=True)
        with fits.open(path) as hdus:
            pixels, there = next(
                (each.data.copy(), WCS(each.header)) for each in hdus if each.data is not None
            )
        assert hdu.header["ORIGFILE"] == path.name
        columns, rows = (
            tuple(int(end) for end in pair.split(":")) for pair in hdu.header["ORIGSEC"][1:-1].split(",")
        )
        assert np.array_equal(hdu.data, pixels[rows[0] - 1 : rows[1], columns[0] - 1 : columns[1]])
        here = WCS(hdu.header)
        middle = (hdu.data.shape[1] - 1) / 2, (hdu.data.shape[0] - 1) / 2
        sky = here.all_pix2world(*middle, 0)
        moved = there.all_world2pix(*sky, 0)
        assert np.allclose(moved, [middle[0] + columns[0] - 1, middle[1] + rows[0] - 1], atol=0.01)
        assert SkyCoord(*sky, unit="deg").separation(SkyCoord(ra, dec, unit="deg")).arcsec < 1.2


def test_a_galaxy_in_colour(cutout_service: Service) -> None:
    """NGC 6976 in g, r and i: the brightest part of the picture is the galaxy's centre, in the middle."""
    real(cutout_service)
    centre = {"RA": 313.1127, "DEC": -5.7719}  # NED
    answer = cutout_service.get("/cutout", **centre, SIZE=1.5, FORMAT="png", RELEASE="surveys")
    picture = Picture.open(io.BytesIO(answer.content))
    assert (picture.mode, picture.size) == ("RGB", (256, 256))
    light = np.asarray(picture).sum(axis=2).astype(float)
    assert light[118:138, 118:138].mean() > 2 * light.mean()
