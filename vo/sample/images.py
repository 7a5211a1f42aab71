"""Coadded images of some tiles in five bands, with the objects of the catalogue painted in.

The files are as those of DES coadds: image, mask and weight, TAN, packed by RICE in tiles of 100 x 100
pixels. Their pixels are larger, so that the sample stays small; sky, depth and footprint are the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray

from vo.sample.measurement import PHOTONS_PER_ADU, SATURATION_MAG
from vo.sample.objects import Objects, generator
from vo.sample.painting import Pixels, Profiles, blurred, paint
from vo.sample.release import OBJECTS, SEED, Progress, make_objects
from vo.sample.sky import BANDS, ZERO_POINT, depth, exposures, seeing
from vo.sample.tiles import PIXEL_ARCSEC, PIXELS, Floats, Tile, from_gnomonic, sample_tiles, tile_at

IMAGE_PIXELS = 2_000
"""Pixels along a side: each as wide as five of the survey."""

EXPOSURE_S = 90.0
FIRST_MJD, LAST_MJD = 56_500.0, 58_300.0

_BLOCK = 100  # pixels along a side that are packed together, and have the same noise of the sky
_NARROWEST = 2.5  # pixels of the PSF's width: less would be undersampled
_NEIGHBOUR_DEG = 1.1  # centres of tiles whose objects may reach into an image
_QUANTUM = 1.0  # steps of the packed pixels in a standard deviation of the noise
_SATURATED, _STAR = 2, 32  # bits of the mask, as DES has them
_STAGE = 40  # of the random numbers, beyond those of the catalogue


@dataclass(frozen=True, slots=True)
class Order:
    """What the images of a release are made of: its objects, the bands, pixels along a side."""

    bands: Sequence[str] = BANDS
    pixels: int = IMAGE_PIXELS
    objects: int = OBJECTS
    seed: int = SEED

    @property
    def scale(self) -> float:
        """Arcsec a pixel."""
        return PIXEL_ARCSEC * PIXELS / self.pixels


@cache
def image_tiles() -> tuple[Tile, ...]:
    """The tiles that have images: four that meet on RA 0h, two of queries that DES suggests, the pole."""
    places = [(359.6, -39.7), (0.3, -39.7), (359.6, -40.4), (0.3, -40.4)]
    places += [(40.5, -40.5), (323.36, -0.82), (45.0, -89.7)]
    return tuple(dict.fromkeys(tile_at(ra, dec) for ra, dec in places))


def write_images(
    directory: Path,
    order: Order | None = None,
    *,
    tiles: Sequence[Tile] | None = None,
    processes: int = 1,
    progress: Progress | None = None,
) -> list[Path]:
    """Write a file for each tile and band, `<tile>_<band>.fits.fz`; the same order gives the same pixels.

    A file that is there already stays: what was interrupted goes on where it stopped.
    """
    directory.mkdir(parents=True, exist_ok=True)
    chosen = image_tiles() if tiles is None else tiles
    make = partial(_write_tile, directory, order or Order())
    written: list[Path] = []
    for done, (tile, paths) in enumerate(zip(chosen, _made(make, chosen, processes), strict=True), 1):
        written += paths
        if progress is not None:
            progress(f"images of {tile.name}", done / len(chosen))
    return written


def _made(make: partial[list[Path]], tiles: Sequence[Tile], processes: int) -> Iterator[list[Path]]:
    if processes == 1:
        yield from map(make, tiles)
        return
    # Spawned, not forked: the process may have threads of a database by now.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        yield from pool.map(make, tiles)


def _write_tile(directory: Path, order: Order, tile: Tile) -> list[Path]:
    paths = []
    for name in order.bands:
        path = directory / f"{tile.name}_{_spelt(name)}.fits.fz"
        if not path.exists():
            unfinished = path.with_suffix(".part")
            image_file(tile, name, order).writeto(unfinished, overwrite=True)
            unfinished.replace(path)
        paths.append(path)
    return paths


def image_wcs(tile: Tile, pixels: int) -> WCS:
    """The projection of a tile's image, which covers what the image of the survey covers."""
    wcs = tile.wcs()
    wcs.wcs.crpix = (pixels + 1) / 2, (pixels + 1) / 2
    wcs.wcs.cd = wcs.wcs.cd * (PIXELS / pixels)
    wcs.pixel_shape = pixels, pixels
    return wcs


def image_file(tile: Tile, name: str, order: Order) -> fits.HDUList:
    """The file of a tile in a band: an empty primary HDU, then SCI, MSK and WGT."""
    band = BANDS.index(name)
    wcs = image_wcs(tile, order.pixels)
    objects = _around(tile, order.objects, order.seed)
    fwhm = max(_NARROWEST, float(seeing(np.array([tile.ra]), np.array([tile.dec]))[0, band]) / order.scale)
    noise = _noise(wcs, band, fwhm)
    image = np.zeros((order.pixels, order.pixels), np.float32)
    profiles = _profiles(objects, band, wcs, fwhm, order.scale)
    paint(image, profiles, float(np.median(noise)))
    mask = _mask(profiles, objects.magnitudes[:, band], fwhm, order.pixels)
    rng = generator(order.seed, tile, _STAGE + band)
    grains = rng.standard_normal(image.shape, dtype=np.float32)
    image += grains * np.sqrt(noise**2 + image / np.float32(PHOTONS_PER_ADU))
    header = _header(tile, band, order, fwhm, wcs)
    seed = 1 + tile.number % 10_000
    return fits.HDUList(
        [
            fits.PrimaryHDU(),
            _packed(image, header, "SCI", "IMAGE", seed),
            _packed(mask, header, "MSK", "MASK", seed),
            _packed((1 / noise**2).astype(np.float32), header, "WGT", "WEIGHT", seed),
        ]
    )


@lru_cache(maxsize=1)
def _around(tile: Tile, count: int, seed: int) -> Objects:
    """The objects of a tile and of those beside it: an image reaches beyond the unique area."""
    lon, lat = np.radians([tile.ra, tile.dec])
    near = []
    for other in sample_tiles():
        ra, dec = np.radians([other.ra, other.dec])
        cosine = math.sin(lat) * math.sin(dec) + math.cos(lat) * math.cos(dec) * math.cos(ra - lon)
        if cosine > math.cos(math.radians(_NEIGHBOUR_DEG)):
            near.append(make_objects(other, objects=count, seed=seed))
    return Objects(
        **{name: np.concatenate([getattr(each, name) for each in near]) for name in Objects.__slots__}
    )


def _profiles(objects: Objects, band: int, wcs: WCS, fwhm: float, scale: float) -> Profiles:
    """Where the light of the objects falls in a band; those behind the plane of the sky fall nowhere."""
    ra, dec = objects.position_in(band)
    x, y = wcs.all_world2pix(ra, dec, 0)
    step = np.full(ra.size, scale / 3600)
    angle = np.radians(objects.angle)
    toward = from_gnomonic(step * np.sin(angle), step * np.cos(angle), ra, dec)
    ux, uy = (end - start for end, start in zip(wcs.all_world2pix(*toward, 0), (x, y), strict=True))
    length = np.hypot(ux, uy)
    alpha, beta, ratio = blurred(objects.radius / scale, objects.axis_ratio, objects.sersic, fwhm)
    flux = 10 ** (0.4 * (ZERO_POINT - objects.magnitudes[:, band]))
    return Profiles(x, y, flux, alpha, beta, ratio, ux / length, uy / length)


def _noise(wcs: WCS, band: int, fwhm: float) -> Pixels:
    """The noise of each pixel: such that a point source of the depth's magnitude has a signal of 10 sigma."""
    pixels = wcs.pixel_shape[0]
    centres = np.arange(_BLOCK / 2, pixels + _BLOCK, _BLOCK)
    x, y = np.meshgrid(centres, centres)
    ra, dec = wcs.all_pix2world(x.ravel(), y.ravel(), 0)
    limit = 10 ** (0.4 * (ZERO_POINT - depth(ra, dec)[:, band])) / 10
    # A Gaussian of that width is spread over 4 pi sigma^2 pixels.
    a_pixel = limit / np.sqrt(4 * math.pi * (fwhm / 2.3548) ** 2)
    blocks = a_pixel.reshape(x.shape).astype(np.float32)
    return np.asarray(blocks.repeat(_BLOCK, axis=0).repeat(_BLOCK, axis=1)[:pixels, :pixels])


def _mask(profiles: Profiles, magnitudes: Floats, fwhm: float, pixels: int) -> NDArray[np.int32]:
    """Discs around saturated stars, their cores within."""
    mask = np.zeros((pixels, pixels), np.int32)
    for i in np.flatnonzero(magnitudes < SATURATION_MAG):
        core = fwhm * 10 ** (0.1 * (SATURATION_MAG - magnitudes[i]))
        for bit, radius in ((_SATURATED, core), (_STAR, 3 * core)):
            rows = slice(max(0, int(profiles.y[i] - radius)), max(0, int(profiles.y[i] + radius) + 2))
            columns = slice(max(0, int(profiles.x[i] - radius)), max(0, int(profiles.x[i] + radius) + 2))
            y, x = np.ogrid[:pixels, :pixels]
            far = (y[rows] - profiles.y[i]) ** 2 + (x[:, columns] - profiles.x[i]) ** 2
            mask[rows, columns] |= np.where(far <= radius**2, bit, 0).astype(np.int32)
    return mask


def _header(tile: Tile, band: int, order: Order, fwhm: float, wcs: WCS) -> fits.Header:
    """The cards that the planes of a file share, with the keywords of DES coadds."""
    visits = int(exposures(np.array([tile.ra]), np.array([tile.dec]))[0, band])
    begin = FIRST_MJD + 37 * band + tile.number % 211
    header = fits.Header(
        [
            ("OBJECT", "SYNTHETIC", "Invented sky: not data of any survey"),
            ("TILENAME", tile.name, "Tile of the sky"),
            ("BAND", _spelt(BANDS[band]), "Filter"),
            ("FILTER", _spelt(BANDS[band]), "Filter"),
            ("TELESCOP", "simulated", "No telescope"),
            ("INSTRUME", "simulated", "No camera"),
            ("NCOMBINE", visits, "Exposures combined"),
            ("EXPTIME", visits * EXPOSURE_S, "[s] Exposure time, all exposures"),
            ("MJD-OBS", begin, "[d] Begin of the first exposure"),
            ("MJD-END", LAST_MJD + 11 * band, "[d] End of the last exposure"),
            ("MAGZERO", ZERO_POINT, "[mag] Magnitude of a flux of 1"),
            ("GAIN", PHOTONS_PER_ADU, "Photons a unit"),
            ("SATURATE", _saturation(fwhm), "Pixel value of saturated stars"),
            ("PSF_FWHM", round(fwhm * order.scale, 4), "[arcsec] Width of the PSF"),
            ("PIXSCALE", order.scale, "[arcsec] Side of a pixel"),
            ("BUNIT", "adu", "Unit of the pixels"),
        ]
    )
    header.update(wcs.to_header())
    for i in (1, 2):
        for j in (1, 2):
            header.pop(f"PC{i}_{j}", None)
            header[f"CD{i}_{j}"] = float(wcs.wcs.cd[i - 1, j - 1])
        header.pop(f"CDELT{i}", None)
    return header


def _saturation(fwhm: float) -> float:
    """The peak of a star that is just saturated."""
    flux = 10 ** (0.4 * (ZERO_POINT - SATURATION_MAG))
    return round(flux / (2 * math.pi * (fwhm / 2.3548) ** 2), 1)


def _packed(
    pixels: NDArray[np.float32] | NDArray[np.int32], header: fits.Header, name: str, word: str, seed: int
) -> fits.CompImageHDU:
    told = header.copy()
    told["DES_EXT"] = (word, "Kind of plane")
    # What is zero stays zero (method 2), and a fixed seed makes the same bytes each time.
    return fits.CompImageHDU(
        pixels,
        told,
        name=name,
        compression_type="RICE_1",
        tile_shape=(_BLOCK, _BLOCK),
        quantize_level=_QUANTUM,
        quantize_method=2,
        dither_seed=seed,
    )


def _spelt(band: str) -> str:
    """A band as headers spell it."""
    return band.replace("y", "Y")
