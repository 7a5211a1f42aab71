"""The parameters of an image query (SIA 1.0, 4.1), judged, and the ADQL that they become.

Those of image generation (4.1.2: NAXIS, CFRAME, EQUINOX, CRPIX, CRVAL, CDELT, ROTANG, PROJ) are ignored, as a
service must that hands out pixels as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self, TypeVar

from vo import formats
from vo.catalog import Table, quoted
from vo.config import Config
from vo.dali import Params
from vo.delivery import maxrec_of
from vo.errors import UsageError
from vo.formats import Format
from vo.literals import number
from vo.sia.v1.fields import VERBOSITIES, Field, fields_of
from vo.sia.v1.image_formats import ALL, FITS, GRAPHIC, IMAGE_FORMATS, METADATA, formats_asked
from vo.sia.v1.region import INTERSECT, NOWHERE, Region
from vo.sia.v1.service_types import SERVICE_TYPES, ServiceType
from vo.votable.descriptor import Input

T = TypeVar("T")

DEFAULT_FORMAT = "text/xml"
"""The media type of replies (SIA 1.0, 4.2.2)."""

LARGEST_SIZE = 360.0
"""Degrees of SIZE at the most: as much as there is."""

IMAGE_FORMAT = "image_format"
"""The column of a query with the format that its row is to tell of."""

_DEFAULT_VERB = 2

INPUTS = (
    Input("INPUT:POS", "Right ascension and declination of the middle of a region (ICRS)", unit="deg"),
    Input("INPUT:SIZE", "Width and height of the region, or one number for both", unit="deg", value="0"),
    Input(
        "INPUT:INTERSECT",
        "What an image must do to the region: cover it, lie in it, hold its middle, or overlap it",
        options=tuple(INTERSECT),
        value="OVERLAPS",
    ),
    Input(
        "INPUT:FORMAT",
        "Media types of images, separated by commas; GRAPHIC for pictures, METADATA for this description",
        options=(ALL, *IMAGE_FORMATS, GRAPHIC, METADATA),
        value=ALL,
    ),
    Input(
        "INPUT:TYPE",
        "; ".join(f"{each.name}: {each.description}" for each in SERVICE_TYPES),
        options=tuple(each.name for each in SERVICE_TYPES),
        value=SERVICE_TYPES[0].name,
    ),
    Input(
        "INPUT:VERB",
        "How much is told of an image",
        "int",
        None,
        options=tuple(map(str, VERBOSITIES)),
        value=str(_DEFAULT_VERB),
    ),
    Input("INPUT:MAXREC", "Images that are told of at the most", "int", None),
)
"""The parameters as a metadata query tells of them (SIA 1.0, 7.1)."""


@dataclass(frozen=True, slots=True)
class ImageQuery:
    """Images of `table` that meet `condition`, which is ADQL, a row for each of `image_formats`.

    No region: only the metadata are wanted.
    """

    table: Table
    service_type: ServiceType
    region: Region | None
    condition: str
    image_formats: tuple[str, ...]
    fields: tuple[Field, ...]
    format: Format
    maxrec: int

    @classmethod
    def from_params(cls, params: Params, table: Table, config: Config) -> Self:
        """Read and judge the parameters; others are ignored (SIA 1.0, 4.1)."""
        wanted = formats_asked(params.single("FORMAT"))
        region = None if wanted is None else _region(params)
        lies = _one_of(params, "INTERSECT", INTERSECT, "OVERLAPS")
        types = {each.name: each for each in SERVICE_TYPES}
        return cls(
            table,
            _one_of(params, "TYPE", types, SERVICE_TYPES[0].name),
            region,
            lies(region) if region is not None and wanted else NOWHERE,
            wanted or (FITS,),
            fields_of(table, VERBOSITIES[-1] if region is None else _verbosity(params)),
            format=formats.find(params.single("RESPONSEFORMAT") or DEFAULT_FORMAT),
            maxrec=maxrec_of(params, config),
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of obscore that are asked for."""
        needed = [
            *self.service_type.needs,
            *(name for field in self.fields for name in field.needs),
        ]
        return tuple(name for name in dict.fromkeys(needed) if self.table.column(name) is not None)

    @property
    def adql(self) -> str:
        """The query, made of nothing but names of the catalogue, our own words and numbers."""
        columns = ", ".join(map(quoted, self.names))
        met = (
            f"SELECT {columns} FROM {self.table.qualified} "  # noqa: S608  see above
            f"WHERE dataproduct_type = 'image' AND {self.condition}"
        )
        each = (
            f"SELECT {columns}, '{name}' AS {IMAGE_FORMAT} FROM met"  # noqa: S608  see above
            for name in self.image_formats
        )
        return f"WITH met AS ({met}) {' UNION ALL '.join(each)}"


def _region(params: Params) -> Region:
    ra, dec = _numbers(params, "POS", "12.34,-56.7", (2,))
    size = _numbers(params, "SIZE", "0.1", (1, 2))
    if not (0 <= ra <= 360 and -90 <= dec <= 90):  # noqa: PLR2004  degrees
        raise UsageError(f"POS: ({ra:g}, {dec:g}) is no position in degrees.")
    if not all(0 <= each <= LARGEST_SIZE for each in size):
        raise UsageError(f"SIZE must be between 0 and {LARGEST_SIZE:g} degrees.")
    return Region(ra, dec, size[0], size[-1])


def _numbers(params: Params, name: str, example: str, counts: tuple[int, ...]) -> list[float]:
    text = params.single(name)
    if text is None or not text.strip():
        raise UsageError(f"{name} is missing.", hint=f"Send POS and SIZE in degrees, as {name}={example}.")
    words = text.split(",")
    if len(words) not in counts:
        raise UsageError(
            f"{name} takes {' or '.join(map(str, counts))} numbers, not {len(words)}.",
            hint=f"Separate them by a comma, as in {name}={example}.",
        )
    return [number(word.strip(), name) for word in words]


def _one_of(params: Params, name: str, options: Mapping[str, T], default: str) -> T:
    text = params.single(name)
    text = default if text is None else text.strip()
    known = {option.upper(): value for option, value in options.items()}
    if text.upper() not in known:
        raise UsageError(f"{name} must be {_listed(options)}, not {text[:40]!r}.")
    return known[text.upper()]


def _listed(options: Iterable[str]) -> str:
    *some, last = options
    return f"{', '.join(some)} or {last}" if some else last


def _verbosity(params: Params) -> int:
    verb = params.integer("VERB")
    if verb is None:
        return _DEFAULT_VERB
    if verb not in VERBOSITIES:
        raise UsageError(f"VERB must be {_listed(map(str, VERBOSITIES))}, but is {verb}.")
    return verb
