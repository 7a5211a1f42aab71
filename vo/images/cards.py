"""What the cards of a header tell about an observation, by the keywords that surveys use."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from astropy.io import fits
from astropy.time import Time

from vo.images.bands import band_in_name, band_of, limits_m

_SECONDS_A_DAY = 86_400.0
_BANDS = ("BAND", "FILTER", "FILTER1", "FILTNAM", "FILTERID", "HIERARCH FPA.FILTERID")
_TILES = ("TILENAME", "TILE", "SKYCELL")
_TILE_IN_NAME = re.compile(r"DES\d{4}[+-]\d{4}")
_SCALES = {"TAI": "tai", "TT": "tt", "TDT": "tt", "TDB": "tdb", "UT1": "ut1"}
_WCS_CARDS = re.compile(
    r"(?:WCSAXES|WCSNAME|NAXIS|NAXIS[12]|CTYPE[12]|CUNIT[12]|CRVAL[12]|CRPIX[12]|CDELT[12]|CROTA[12]"
    r"|CD[12]_[12]|PC[12]_[12]|P[VS][12]_\d+|LONPOLE|LATPOLE|RADESYS|RADECSYS|EQUINOX|EPOCH"
    r"|[AB]P?_(?:ORDER|\d_\d|DMAX)|MJD-OBS|MJDREF|DATE-OBS|TIMESYS|BUNIT)\Z"
)


@dataclass(frozen=True, slots=True)
class Observation:
    """How an image was taken: wavelengths in m, times in MJD (UTC), `exposure` in s, `seeing` in arcsec.

    What the header does not tell is None.
    """

    band: str | None
    em_min: float | None
    em_max: float | None
    exposure: float | None
    t_min: float | None
    t_max: float | None
    tile: str | None
    target: str | None
    facility: str | None
    instrument: str | None
    seeing: float | None
    unit: str | None


def observation(headers: Sequence[fits.Header], name: str) -> Observation:
    """What `headers` tell, the first that has a card counting; `name` is that of the file."""
    filter_text = _text(headers, *_BANDS) or ""
    band = band_of(filter_text) or band_in_name(name)
    limits = limits_m(band, filter_text) or (None, None)
    exposure = _number(headers, "EXPTIME", "EXPOSURE", "TEXPTIME")
    t_min, t_max = _times(headers, exposure)
    named = _TILE_IN_NAME.search(name)
    return Observation(
        band=band,
        em_min=limits[0],
        em_max=limits[1],
        exposure=exposure,
        t_min=t_min,
        t_max=t_max,
        tile=_text(headers, *_TILES) or (named[0] if named else None),
        target=_text(headers, "OBJECT"),
        facility=_text(headers, "TELESCOP", "OBSERVAT"),
        instrument=_text(headers, "INSTRUME"),
        seeing=_number(headers, "PSF_FWHM", "SEEING"),
        unit=_text(headers, "BUNIT"),
    )


def wcs_text(header: fits.Header) -> str:
    """The cards of the WCS and of the image's size, a line of 80 characters each: the same WCS again."""
    return "\n".join(card.image for card in header.cards if _WCS_CARDS.match(card.keyword))


def _times(headers: Sequence[fits.Header], exposure: float | None) -> tuple[float | None, float | None]:
    scale = _SCALES.get((_text(headers, "TIMESYS") or "").upper(), "utc")
    begin = _number(headers, "MJD-BEG", "MJD-OBS", "MJDSTART")
    if begin is None:
        begin = _date(_text(headers, "DATE-BEG", "DATE-OBS"))
    end = _number(headers, "MJD-END", "MJDEND")
    if end is None:
        end = _date(_text(headers, "DATE-END"))
    if end is None and begin is not None and exposure is not None:
        end = begin + exposure / _SECONDS_A_DAY
    return _utc(begin, scale), _utc(end, scale)


def _date(text: str | None) -> float | None:
    try:
        return float(Time(text, format="fits").mjd) if text else None
    except ValueError:
        return None


def _utc(mjd: float | None, scale: str) -> float | None:
    if mjd is None or scale == "utc":
        return mjd
    return float(Time(mjd, format="mjd", scale=scale).utc.mjd)


def _values(headers: Sequence[fits.Header], keywords: Sequence[str]) -> Iterator[object]:
    for keyword in keywords:
        yield from (header[keyword] for header in headers if keyword in header)


def _text(headers: Sequence[fits.Header], *keywords: str) -> str | None:
    texts = (value.strip() for value in _values(headers, keywords) if isinstance(value, str))
    return next((text for text in texts if text and text.isascii()), None)


def _number(headers: Sequence[fits.Header], *keywords: str) -> float | None:
    """The first finite number; some write it as text."""
    for value in _values(headers, keywords):
        try:
            number = float(str(value))
        except ValueError:
            continue
        if math.isfinite(number):
            return number
    return None
