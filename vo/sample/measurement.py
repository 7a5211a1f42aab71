"""What the survey makes of the objects: noisy fluxes, sizes, classifications and flags, band by band.

The noise of a flux is that of the sky, which the depth at the position sets, and of the photons of the
object itself. A band in which the signal falls below one sigma is a non-detection: NaN, published as NULL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import lonlat_to_healpix
from numpy.typing import NDArray

from vo.sample.objects import Objects, generator
from vo.sample.sky import BANDS, EXTINCTION, ZERO_POINT, depth, ebv, exposures, galactic, seeing
from vo.sample.tiles import PIXEL_ARCSEC, Floats, Tile

Columns = dict[str, NDArray[Any]]

PHOTONS_PER_ADU = 2.5
SATURATION_MAG = 15.8
NEIGHBOUR_RATE = 0.02
BAD_PIXEL_RATE = 0.012
_IMAGE_FLAGS = np.array([16, 32, 64, 128])


@dataclass(frozen=True, slots=True)
class Photometry:
    """What one band yields; `width` is the half-light radius in pixels, the PSF's `psf` included."""

    true_flux: Floats
    flux: Floats
    error: Floats
    point_error: Floats
    width: Floats
    psf: float

    @property
    def detected(self) -> NDArray[np.bool_]:
        """Where there is a signal of at least one sigma."""
        return self.flux >= self.error

    @property
    def signal(self) -> Floats:
        """Signal to noise, at least 1."""
        return np.clip(self.flux / self.error, 1.0, None)

    @property
    def excess(self) -> Floats:
        """The square of how much wider than the PSF the object is, 0 for points."""
        return np.asarray((self.width / self.psf) ** 2 - 1.0)


def measure(objects: Objects, tile: Tile, seed: int) -> Columns:
    """The columns of `main` for the objects of a tile, all but `tilename`."""
    rng = generator(seed, tile, 2)
    wcs = tile.wcs()
    psf = seeing(np.array([tile.ra]), np.array([tile.dec]))[0] / PIXEL_ARCSEC / 2
    visits = exposures(objects.ra, objects.dec)
    columns: Columns = {"coadd_object_id": objects.ident, **_positions(objects)}
    columns["xwin_image"], columns["ywin_image"] = wcs.all_world2pix(objects.ra, objects.dec, 1)
    columns |= _shapes(objects, psf[2], rng)
    blended = rng.choice([0, 2, 3], objects.ra.size, p=[0.86, 0.09, 0.05])
    for band, name in enumerate(BANDS):
        light = photometry(objects, band, psf[band], rng)
        place = wcs.all_world2pix(*objects.position_in(band), 1)
        measured = (
            _magnitudes(light, columns["ebv_sfd98"] * EXTINCTION[band])
            | _morphology(light, rng)
            | _single_epochs(light, visits[:, band], rng)
            | _centroid(light, place, rng)
            | _flags(light, blended, rng)
        )
        columns |= {key.replace("*", name): values for key, values in measured.items()}
    for suffix, prefix in (("coadd", ""), ("wavg", "wavg_")):
        columns[f"extended_class_{suffix}"] = extended_class(
            columns[f"{prefix}spread_model_i"], columns[f"{prefix}spreaderr_model_i"]
        )
    return columns


def photometry(objects: Objects, band: int, psf: float, rng: np.random.Generator) -> Photometry:
    """The light of the objects in one band; `psf` is the half-light radius of the PSF in pixels.

    Flux is in ADU for a zero point of 30; the larger an object, the more sky its aperture takes in.
    """
    true_flux = np.nan_to_num(10 ** (0.4 * (ZERO_POINT - objects.magnitudes[:, band])), nan=0.0)
    radius = objects.radius * np.sqrt(objects.axis_ratio) / PIXEL_ARCSEC
    width = np.hypot(radius, psf)
    limit = 10 ** (0.4 * (ZERO_POINT - depth(objects.ra, objects.dec)[:, band]))
    point_error = np.sqrt((limit / 10.0) ** 2 + true_flux / PHOTONS_PER_ADU)
    error = np.sqrt((limit / 10.0 * 1.2 * width / psf) ** 2 + true_flux / PHOTONS_PER_ADU)
    flux = true_flux + error * rng.normal(size=width.size)
    return Photometry(true_flux, flux, error, point_error, width, psf)


def extended_class(spread: Floats, error: Floats) -> NDArray[np.int16]:
    """Classes 0 to 3 in the manner of DES, from spread_model and its error; -9 where there is none."""
    steps = ((3.0, 0.005), (1.0, 0.003), (-1.0, 0.003))
    score = sum((spread + sigmas * error > limit).astype(np.int16) for sigmas, limit in steps)
    return np.where(np.isfinite(spread), score, -9).astype(np.int16)


def healpix(ra: Floats, dec: Floats, order: int) -> NDArray[np.int64]:
    """The NESTED cells of positions in degrees."""
    cells = lonlat_to_healpix(
        Longitude(ra, units.deg), Latitude(dec, units.deg), np.uint8(order), num_threads=1
    )
    return np.asarray(cells, dtype=np.int64)


def _positions(objects: Objects) -> Columns:
    ra, dec = np.round(objects.ra, 6) % 360.0, np.round(objects.dec, 6)
    lon, lat = galactic(objects.ra, objects.dec)
    finest = healpix(ra, dec, 14)
    return {
        "ra": ra,
        "dec": dec,
        "alphawin_j2000": objects.ra,
        "deltawin_j2000": objects.dec,
        "galactic_l": lon,
        "galactic_b": lat,
        "ebv_sfd98": ebv(objects.ra, objects.dec),
        # A parent cell in the NESTED scheme is its children's number without the last two bits.
        **{f"hpix_{2**order}": finest >> (2 * (14 - order)) for order in (5, 6, 10, 12, 14)},
    }


def _shapes(objects: Objects, psf: float, rng: np.random.Generator) -> Columns:
    major = np.hypot(0.9 * objects.radius / PIXEL_ARCSEC, 0.85 * psf)
    minor = np.hypot(0.9 * objects.radius * objects.axis_ratio / PIXEL_ARCSEC, 0.85 * psf)
    noise = rng.normal(1.0, 0.02, (3, major.size))
    a, b = major * noise[0], minor * noise[1]
    angle = np.where(objects.radius > 0.0, objects.angle, rng.uniform(-90.0, 90.0, a.size))
    return {
        "a_image": np.maximum(a, b),
        "b_image": np.minimum(a, b),
        "theta_j2000": (angle + 90.0 + 4.0 * rng.normal(size=a.size)) % 180.0 - 90.0,
        "kron_radius": np.clip(3.5 + 1.2 * (noise[2] - 1.0) * 10 + 0.3 * objects.sersic, 3.5, None),
    }


def _magnitudes(light: Photometry, dust: Floats) -> Columns:
    magnitude, error = _as_magnitude(light.flux, light.error, light.detected)
    return {
        "mag_auto_*": magnitude,
        "magerr_auto_*": error,
        "mag_auto_*_dered": magnitude - dust,
        "flux_auto_*": light.flux,
        "fluxerr_auto_*": light.error,
    }


def _as_magnitude(flux: Floats, error: Floats, detected: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Magnitudes and their errors, NaN where not detected."""
    seen = np.where(detected, flux, np.nan)
    return ZERO_POINT - 2.5 * np.log10(seen), 1.085736 * error / seen


def _morphology(light: Photometry, rng: np.random.Generator) -> Columns:
    spread, error = _spread_model(light, light.signal, rng)
    size = light.width * (1.0 + 0.3 * rng.normal(size=spread.size) / (light.signal + 3.0))
    doubt = 0.5 * light.signal**-1
    likeness = 1.0 / (1.0 + np.exp((spread - 0.004) / (0.0012 + error)))
    seen = np.where(light.detected, 1.0, np.nan)
    return {
        "spread_model_*": spread * seen,
        "spreaderr_model_*": error * seen,
        "class_star_*": np.clip(likeness * (1 - doubt) + 0.5 * doubt, 0.0, 1.0),
        "flux_radius_*": size,
        "fwhm_image_*": 2.0 * size * rng.normal(1.0, 0.03, size.size),
    }


def _spread_model(light: Photometry, signal: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """spread_model saturates for objects much larger than the PSF; its error falls with the signal."""
    error = 0.0003 + 0.04 / signal
    truth = 0.03 * light.excess / (0.6 + light.excess)
    return truth + error * rng.normal(size=signal.size), error


def _single_epochs(light: Photometry, visits: NDArray[np.int16], rng: np.random.Generator) -> Columns:
    """Weighted averages of the PSF fits to those exposures in which the object is seen by itself."""
    alone = light.true_flux / light.point_error / np.sqrt(visits)
    epochs = rng.binomial(visits, 0.95 / (1.0 + np.exp((4.5 - alone) / 0.8)))
    error = light.point_error * np.sqrt(visits / np.clip(epochs, 1, None))
    flux = light.true_flux / (1.0 + light.excess) ** 0.6 + error * rng.normal(size=error.size)
    detected = (epochs > 0) & (flux > error)
    magnitude, magnitude_error = _as_magnitude(flux, error, detected)
    spread, spread_error = _spread_model(light, np.clip(light.true_flux / error, 1.0, None), rng)
    return {
        "wavg_mag_psf_*": magnitude,
        "wavg_magerr_psf_*": magnitude_error,
        "wavg_spread_model_*": np.where(detected, spread, np.nan),
        "wavg_spreaderr_model_*": np.where(detected, spread_error, np.nan),
        "nepochs_*": np.where(detected, epochs, 0),
    }


def _centroid(light: Photometry, place: tuple[Floats, Floats], rng: np.random.Generator) -> Columns:
    wobble = np.where(light.detected, 0.8 * light.width / light.signal, np.nan)
    x, y = place
    return {
        "xwin_image_*": x + wobble * rng.normal(size=x.size),
        "ywin_image_*": y + wobble * rng.normal(size=y.size),
    }


def _flags(light: Photometry, blended: NDArray[np.int64], rng: np.random.Generator) -> Columns:
    """Blending is a matter of the detection image; neighbours, saturation and bad pixels of each band."""
    count = blended.size
    saturated = light.true_flux > 10 ** (0.4 * (ZERO_POINT - SATURATION_MAG))
    flags = blended | (rng.random(count) < NEIGHBOUR_RATE) | np.where(saturated, 4, 0)
    bad = saturated | (rng.random(count) < BAD_PIXEL_RATE)
    return {
        "flags_*": flags,
        "imaflags_iso_*": np.where(bad, rng.choice(_IMAGE_FLAGS, count), 0),
    }
