"""The services of images, DataLink and SODA, described for clients that find images (DataLink 1.1, 4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from vo.catalog import Column
from vo.images.collection import PLANES, ImageFile
from vo.images.tables import LINKS, identifies_images
from vo.votable.descriptor import Input, descriptor
from vo.votable.document import field_id

LINKS_PATH = LINKS.partition("?")[0]
"""The resource with the links of images, below the service's root."""

LINKS_STANDARD = "ivo://ivoa.net/std/DataLink#links-1.1"
"""The identifier of what it does."""

CUTOUT_PATHS = {"sync": "/soda/sync", "async": "/soda/async"}
"""The resources that cut images, below the service's root."""

PICTURE_PATH = "/cutout"
"""The resource that draws pictures of images, below the service's root."""

CUTOUT_STANDARDS = {name: f"ivo://ivoa.net/std/SODA#{name}-1.0" for name in CUTOUT_PATHS}
"""The identifiers of what they do (SODA 1.0, 2.5)."""

KINDS = ("DATA", "HEADER")
"""Whether a file has pixels."""

YES_OR_NO = ("0", "1")
"""The values of a parameter that is a switch."""

_ID = Input("ID", "Identifier of the image: its obs_publisher_did", ucd="meta.ref.url;meta.curation")
_SHAPE_UCD = "pos.outline;obs"
_POS = Input(
    "POS",
    "What to cut out: CIRCLE lon lat radius, RANGE lon lon lat lat or POLYGON lon lat ... (ICRS, degrees)",
    ucd=_SHAPE_UCD,
)
_CIRCLE = Input(
    "CIRCLE",
    "A circle to cut out: longitude, latitude, radius (ICRS)",
    "double",
    "3",
    xtype="circle",
    unit="deg",
    ucd=_SHAPE_UCD,
)
_POLYGON = Input(
    "POLYGON",
    "A polygon to cut out: longitude and latitude of each vertex (ICRS)",
    "double",
    "*",
    xtype="polygon",
    unit="deg",
    ucd=_SHAPE_UCD,
)
_BAND = Input(
    "BAND",
    "Wavelengths in vacuum, of which the image must have some",
    "double",
    "2",
    xtype="interval",
    unit="m",
    ucd="em.wl;stat.interval",
)
_TIME = Input(
    "TIME",
    "Times (MJD, UTC), of which the image must have some",
    "double",
    "2",
    xtype="interval",
    unit="d",
    ucd="time.interval;obs.exposure",
)
_PLANES = Input(
    "PLANES",
    "What the file has, one HDU each, separated by commas: the image alone by default",
    ucd="meta.code.class",
    options=PLANES,
)
_MASKED = Input(
    "MASKED", "1: pixels outside the shape are blanked (NaN or BLANK)", ucd="meta.code", options=YES_OR_NO
)
_KIND = Input("KIND", "HEADER: no pixels, only what the header says", ucd="meta.code.class", options=KINDS)
_PACKED = Input(
    "PACKED",
    "1: pixels are compressed in tiles, as by fpack (RICE_1), which rounds to 1/16 of the noise",
    ucd="meta.code",
    options=YES_OR_NO,
)

CUTOUT_INPUTS = (_ID, _POS, _CIRCLE, _POLYGON, _BAND, _TIME, _PLANES, _MASKED, _KIND, _PACKED)
"""The parameters of SODA that lead to pixels of some image; POL does not, as no polarization was measured."""


def services_for(columns: Sequence[Column], base_url: str) -> tuple[Mapping[int, str], tuple[str, ...]]:
    """DataLink and SODA for results with identifiers of images: the ID of the column, and the descriptors."""
    for index, column in enumerate(columns):
        if identifies_images(column):
            ref = field_id(columns, index)
            return {index: ref}, (_links(base_url, ref), cutout_service(base_url, ref))
    return {}, ()


def cutout_service(base_url: str, ref: str, *, resource: str = "sync", xml_id: str | None = None) -> str:
    """The descriptor of SODA, sync or async, where the FIELD with the ID `ref` has identifiers of images."""
    return descriptor(
        "cutouts" if resource == "sync" else "cutouts as jobs",
        CUTOUT_STANDARDS[resource],
        base_url + CUTOUT_PATHS[resource],
        (replace(_ID, ref=ref), *CUTOUT_INPUTS[1:]),
        xml_id=xml_id,
    )


def cutouts_of(image: ImageFile, base_url: str, ref: str, xml_id: str) -> str:
    """The descriptor of SODA for one image, with the ranges in which there are pixels (SODA 1.0, 4.2)."""
    return descriptor(
        f"cutouts of {image.obs_publisher_did}",
        CUTOUT_STANDARDS["sync"],
        base_url + CUTOUT_PATHS["sync"],
        (replace(_ID, ref=ref), *_ranges(image)),
        xml_id=xml_id,
    )


def _links(base_url: str, ref: str) -> str:
    return descriptor("links", LINKS_STANDARD, base_url + LINKS_PATH, (replace(_ID, ref=ref),))


def _ranges(image: ImageFile) -> Iterator[Input]:
    """The parameters that make a difference for an image."""
    yield _POS
    yield replace(_CIRCLE, high=_numbers(image.ra, image.dec, image.fov / 2))
    yield replace(_POLYGON, high=_numbers(*image.outline))
    for interval, low, high in ((_BAND, image.em_min, image.em_max), (_TIME, image.t_min, image.t_max)):
        if low is not None and high is not None:
            yield replace(interval, low=_numbers(low), high=_numbers(high))
    yield replace(_PLANES, options=tuple(image.planes))
    yield from (_MASKED, _KIND, _PACKED)


def _numbers(*values: float) -> str:
    return " ".join(map(repr, values))
