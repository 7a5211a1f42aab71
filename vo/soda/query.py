"""The parameters of a request (SODA 1.0, 3), judged, and the files that their combinations ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Self, TypeVar

from vo.dali import Params
from vo.errors import MultiValuedError, TooLargeError, UsageError
from vo.images.collection import PLANES
from vo.images.services import KINDS, YES_OR_NO
from vo.images.stencil import Circle, Polygon, Range, Stencil
from vo.literals import interval
from vo.shapes import Shape, parse_shape, shape_of_numbers

MOST_FILES = 1_000
"""Files of one job at the most."""

MOST_VERTICES = 1_000
"""Vertices of a polygon at the most."""

STATES = ("I", "Q", "U", "V", "RR", "LL", "RL", "LR", "XX", "YY", "XY", "YX", "POLI", "POLA")
"""States of polarization (ObsCore 1.1, B.6.6.1)."""

FORMATS = ("application/fits", "image/fits", "fits")
"""What RESPONSEFORMAT may be, the default first."""

_LONGEST_TERM = 1_000  # characters

Interval = tuple[float, float]
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Region:
    """A shape as the client wrote it, and which pixels it means."""

    text: str
    stencil: Stencil


@dataclass(frozen=True, slots=True)
class Form:
    """What a file is like: planes as extensions, pixels outside the region blanked, headers alone, packed."""

    planes: tuple[str, ...]
    masked: bool
    header_only: bool
    packed: bool
    media_type: str

    @classmethod
    def from_params(cls, params: Params) -> Self:
        """The form that a request asks for."""
        return cls(
            planes=_planes(params.all("PLANES")),
            masked=_option(params, "MASKED", YES_OR_NO) == "1",
            header_only=_option(params, "KIND", KINDS) == "HEADER",
            packed=_option(params, "PACKED", YES_OR_NO) == "1",
            media_type=_media_type(params.single("RESPONSEFORMAT")),
        )


@dataclass(frozen=True, slots=True)
class Cutout:
    """One file: an image, what of it is wanted, and how; all of POL are one filter (SODA 1.0, 3.3.6)."""

    image_id: str
    region: Region | None
    band: Interval | None
    time: Interval | None
    states: tuple[str, ...]
    form: Form

    @property
    def terms(self) -> tuple[str, ...]:
        """What is wanted of which image, a text for each parameter; a polygon may be cut short."""
        intervals = (("BAND", self.band), ("TIME", self.time))
        return (
            f"ID={self.image_id}",
            *(() if self.region is None else (self.region.text[:_LONGEST_TERM],)),
            *(f"{name}={ends[0]!r} {ends[1]!r}" for name, ends in intervals if ends is not None),
            *(f"POL={state}" for state in self.states),
        )


@dataclass(frozen=True, slots=True)
class Request:
    """Values of parameters, of which each combination is a file."""

    image_ids: tuple[str, ...]
    regions: tuple[Region, ...]
    bands: tuple[Interval, ...]
    times: tuple[Interval, ...]
    states: tuple[str, ...]
    form: Form

    @classmethod
    def from_params(cls, params: Params) -> Self:
        """Read and judge the parameters; those that are not of the service are ignored (DALI 1.1, 2.1)."""
        if params.all("UPLOAD"):
            raise UsageError("UPLOAD is not supported.")
        found = cls(
            image_ids=_image_ids(params.all("ID")),
            regions=tuple(_regions(params)),
            bands=_each(params, "BAND", interval),
            times=_each(params, "TIME", interval),
            states=_each(params, "POL", _state),
            form=Form.from_params(params),
        )
        if found.size > MOST_FILES:
            raise TooLargeError(
                f"The request asks for {found.size:,} files, and may ask for {MOST_FILES:,}.",
                hint="Send several requests.",
            )
        return found

    @property
    def size(self) -> int:
        """How many files there are."""
        size = len(self.image_ids)
        for values in (self.regions, self.bands, self.times):
            size *= max(1, len(values))
        return size

    def single(self) -> Cutout:
        """The one file; MultiValuedError: there are several (SODA 1.0, 3.1)."""
        counts = {"ID": self.image_ids, "CIRCLE, POLYGON or POS": self.regions}
        counts |= {"BAND": self.bands, "TIME": self.times}
        for name, values in counts.items():
            if len(values) > 1:
                raise MultiValuedError(
                    f"{name} has {len(values)} values, and one file has one.",
                    hint="Send a job to /soda/async: it makes a file of each.",
                )
        return next(self.cutouts())

    def cutouts(self) -> Iterator[Cutout]:
        """The file of each combination, those of an image together."""
        values = product(
            self.image_ids, self.regions or (None,), self.bands or (None,), self.times or (None,)
        )
        for image_id, region, band, time in values:
            yield Cutout(image_id, region, band, time, self.states, self.form)


def _image_ids(values: tuple[str, ...]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(values))
    if not found or not all(found):
        raise UsageError("ID is missing: the obs_publisher_did of an image.")
    return found


def _each(params: Params, name: str, read: Callable[[str, str], _Value]) -> tuple[_Value, ...]:
    """The values of a parameter; the same one twice is one."""
    return tuple(dict.fromkeys(read(value, name) for value in params.all(name)))


def _regions(params: Params) -> Iterator[Region]:
    """Those of CIRCLE, POLYGON and POS, which are three ways to say the same (SODA 1.0, 3.3)."""
    for name in ("CIRCLE", "POLYGON"):
        for value in dict.fromkeys(params.all(name)):
            yield _region(name, value, shape_of_numbers(name, name, value.split()))
    for value in dict.fromkeys(params.all("POS")):
        yield _region("POS", value, parse_shape("POS", value))


def _region(name: str, value: str, found: Shape) -> Region:
    stencil = _stencil(found)
    _ = stencil.centre  # a polygon without an inside has none
    return Region(f"{name}={' '.join(value.split())}", stencil)


def _stencil(found: Shape) -> Stencil:
    numbers = found.numbers
    if found.word == "CIRCLE":
        return Circle(*numbers)
    if found.word == "RANGE":
        west, east, south, north = numbers
        return Range((west, east), (south, north))
    if len(numbers) > 2 * MOST_VERTICES:
        raise TooLargeError(f"A POLYGON may have {MOST_VERTICES:,} vertices, not {len(numbers) // 2:,}.")
    return Polygon(numbers)


def _state(value: str, name: str) -> str:
    found = value.strip().upper()
    if found not in STATES:
        raise UsageError(f"{name} must be one of {', '.join(STATES)}, not {value[:40]!r}.")
    return found


def _planes(values: tuple[str, ...]) -> tuple[str, ...]:
    """The planes in the order of PLANES, however they are asked for; the image alone by default."""
    asked = {word.strip().lower() for value in values for word in value.split(",") if word.strip()}
    unknown = sorted(asked - set(PLANES))
    if unknown:
        raise UsageError(f"PLANES may name {', '.join(PLANES)}, not {unknown[0][:40]!r}.")
    return tuple(plane for plane in PLANES if plane in asked) or PLANES[:1]


def _option(params: Params, name: str, options: tuple[str, ...]) -> str:
    """The value of a parameter in capitals, the first of `options` by default."""
    value = (params.single(name) or options[0]).strip().upper()
    if value not in options:
        raise UsageError(f"{name} must be {' or '.join(options)}, not {value[:40]!r}.")
    return value


def _media_type(asked: str | None) -> str:
    found = (asked or FORMATS[0]).strip().lower()
    if found not in FORMATS:
        raise UsageError(f"RESPONSEFORMAT {found[:80]!r} is not known here.", hint=f"Send {FORMATS[0]}.")
    return found if "/" in found else FORMATS[0]
