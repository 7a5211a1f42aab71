"""The images of the sample release show its catalogue: places, light, noise, and the form of DES coadds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from loading import config_of

from vo.context import open_database
from vo.images.collection import ImageCollection
from vo.sample import Order, image_tiles, make_objects, write_images
from vo.sample.images import image_file
from vo.sample.objects import STAR
from vo.sample.sky import ZERO_POINT
from vo.tap.schema import describe

ORDER = Order(bands=("r",), objects=30_000)
TILE = image_tiles()[0]
R = 1


@pytest.fixture(scope="module")
def coadd() -> fits.HDUList:
    """One file of the sample's own size, its catalogue thinner."""
    return image_file(TILE, "r", ORDER)


def stars() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """RA, Dec and flux of stars of the tile that are bright enough and have no neighbour."""
    objects = make_objects(TILE, objects=ORDER.objects, seed=ORDER.seed)
    sky = SkyCoord(objects.ra, objects.dec, unit="deg")
    magnitude = objects.magnitudes[:, R]
    near = np.sort(sky[:, np.newaxis].separation(sky).arcsec, axis=1)[:, 1]
    good = (objects.kind == STAR) & (magnitude < 19.5) & (near > 30)
    assert good.sum() > 5
    return objects.ra[good], objects.dec[good], 10 ** (0.4 * (ZERO_POINT - magnitude[good]))


def test_stars_are_where_the_catalogue_has_them(coadd: fits.HDUList) -> None:
    """Centroids agree with the catalogue to a tenth of a pixel, through the WCS of the header; fluxes too."""
    image, wcs = coadd["SCI"].data, WCS(coadd["SCI"].header)
    far = 9
    for ra, dec, flux in zip(*stars(), strict=True):
        x, y = (float(value) for value in wcs.all_world2pix(ra, dec, 0))
        column, row = round(x), round(y)
        stamp = image[row - far : row + far + 1, column - far : column + far + 1].astype(float)
        ys, xs = np.mgrid[-far : far + 1, -far : far + 1]
        light = np.where(stamp > stamp.max() / 20, stamp, 0.0)
        assert column + (light * xs).sum() / light.sum() == pytest.approx(x, abs=0.1)
        assert row + (light * ys).sum() / light.sum() == pytest.approx(y, abs=0.1)
        assert stamp.sum() == pytest.approx(flux, rel=0.15)


def test_noise_is_what_the_weights_say(coadd: fits.HDUList) -> None:
    """Pixels without light scatter by the root of one by their weight."""
    chi = coadd["SCI"].data * np.sqrt(coadd["WGT"].data)
    low, middle = np.percentile(chi, [15.87, 50.0])
    assert middle - low == pytest.approx(1.0, abs=0.1)


def test_form_of_the_files(tmp_path: Path) -> None:
    """Planes, packing and keywords are those of DES coadds; the same order makes the same pixels."""
    order = Order(bands=("g", "y"), pixels=300, objects=6_000)
    paths = write_images(tmp_path / "a", order, tiles=[TILE])
    assert [path.name for path in paths] == [f"{TILE.name}_g.fits.fz", f"{TILE.name}_Y.fits.fz"]
    with fits.open(paths[1]) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "SCI", "MSK", "WGT"]
        assert [hdu.header["DES_EXT"] for hdu in hdus[1:]] == ["IMAGE", "MASK", "WEIGHT"]
        header = hdus["SCI"].header
        assert (header["TILENAME"], header["BAND"], header["CTYPE1"]) == (TILE.name, "Y", "RA---TAN")
        assert header["MAGZERO"] == ZERO_POINT
        assert {"EXPTIME", "MJD-OBS", "GAIN", "SATURATE", "CD1_1", "CD2_2"} <= set(header)
        corners = WCS(header).calc_footprint(center=False)
        mine, theirs = (SkyCoord(*each.T, unit="deg") for each in (TILE.corners(), corners))
        assert theirs[:, np.newaxis].separation(mine).arcsec.min(axis=1).max() < 1.0
    with fits.open(paths[0], disable_image_compression=True) as packed:
        told = packed["SCI"].header
        assert (told["ZCMPTYPE"], told["ZTILE1"], told["ZTILE2"]) == ("RICE_1", 100, 100)
    before = paths[0].read_bytes()
    write_images(tmp_path / "a", Order(bands=("g",), pixels=10), tiles=[TILE])
    assert paths[0].read_bytes() == before  # what is there stays
    (other,) = write_images(tmp_path / "b", Order(bands=("g",), pixels=300, objects=6_000), tiles=[TILE])
    assert np.array_equal(fits.getdata(other, "SCI"), fits.getdata(paths[0], "SCI"))


def test_neighbours_show_the_same_sky(coadd: fits.HDUList) -> None:
    """Where two tiles overlap, both show what the catalogue of either has there."""
    other = image_file(image_tiles()[1], "r", ORDER)["SCI"]
    planes = [(hdu.data, WCS(hdu.header)) for hdu in (coadd["SCI"], other)]
    sums = []
    for tile in image_tiles()[:2]:
        objects = make_objects(tile, objects=ORDER.objects, seed=ORDER.seed)
        bright = objects.take(np.flatnonzero(objects.magnitudes[:, R] < 22.5))
        places = [np.stack(wcs.all_world2pix(bright.ra, bright.dec, 0), axis=1) for _, wcs in planes]
        sums += [
            [light_at(data, *place) for (data, _), place in zip(planes, pair, strict=True)]
            for pair in zip(*places, strict=True)
            if all(((place > 4) & (place < ORDER.pixels - 5)).all() for place in pair)
        ]
    assert len(sums) > 3
    ours, theirs = np.array(sums).T
    assert np.median(np.abs(ours / theirs - 1)) < 0.1


def light_at(image: np.ndarray, x: float, y: float) -> float:
    """The light of seven by seven pixels."""
    column, row = round(float(x)), round(float(y))
    return float(image[row - 3 : row + 4, column - 3 : column + 4].sum())


def test_images_of_the_sample_are_published(image_data: Path) -> None:
    """The images of a release are found at its positions: on RA 0h, and around the pole."""
    config = config_of(image_data)
    with open_database(config, describe) as database:
        images = ImageCollection(database, config.images_root)
        on_seam = images.by_position(0.0, -39.9, bands=["i"])
        assert {image.tile for image in on_seam} <= {tile.name for tile in image_tiles()[:2]}
        assert len(on_seam) >= 1
        pole = images.by_position(123.0, -90.0)
        assert {image.tile for image in pole} == {image_tiles()[-1].name}
        assert sorted(image.band or "" for image in pole) == ["g", "i", "r"]
        for image in pole:
            assert (image.hdu, image.mask_hdu, image.weight_hdu, image.naxis1) == (1, 2, 3, 500)
            assert WCS(fits.Header.fromstring(image.header, sep="\n")).footprint_contains(
                SkyCoord(0, -90, unit="deg")
            )
