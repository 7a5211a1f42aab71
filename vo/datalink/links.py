"""The table of links (DataLink 1.1, 3.2): for each identifier its links, or what is wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

import pyarrow as pa

from vo import formats
from vo.catalog import Column, arrow_schema
from vo.config import Config
from vo.dali import Params
from vo.errors import UsageError
from vo.images.collection import ImageCollection, ImageFile
from vo.images.services import CUTOUT_PATHS, LINKS_STANDARD, PICTURE_PATH, cutout_service, cutouts_of
from vo.images.tables import FILE
from vo.result import Result
from vo.votable.document import Notes

MOST_IDS = 5_000
"""Identifiers of one request; the table says that it is cut when there are more."""

LINKS_TYPE = "application/x-votable+xml;content=datalink"
"""The media type of tables of links (DataLink 1.1, 2.2)."""

COLUMNS = (
    Column("ID", "char", "*", ucd="meta.id;meta.main", description="What was asked for"),
    Column("access_url", "char", "*", ucd="meta.ref.url", description="Where it is had"),
    Column("service_def", "char", "*", ucd="meta.ref", description="The service that has to be called"),
    Column("error_message", "char", "*", ucd="meta.code.error", description="Why there is no link"),
    Column("semantics", "char", "*", ucd="meta.code", description="What the link leads to"),
    Column("description", "char", "*", ucd="meta.note", description="The same for people"),
    Column("content_type", "char", "*", ucd="meta.code.mime", description="Media type"),
    Column("content_length", "long", unit="byte", ucd="phys.size;meta.file", description="Size"),
)
"""The columns that every table of links has, in the order of the standard."""

_FITS = "application/fits"
_ID = "ID"  # of the column with identifiers, by which descriptors name it
_JOBS = "soda-jobs"  # pyvo sorts rows by all columns, and takes the first service: "soda-" and digits
_PICTURE_ARCMIN = 12.0  # the widest there are
_PLANES: Mapping[str, str] = {"mask": "#auxiliary", "weight": "#weight"}
"""What lies over an image, and what it is in the IVOA vocabulary datalink/core."""


@dataclass(frozen=True, slots=True)
class _Link:
    """A row: either a URL, or a service, or an error."""

    ID: str
    semantics: str
    description: str | None = None
    access_url: str | None = None
    service_def: str | None = None
    error_message: str | None = None
    content_type: str | None = None
    content_length: int | None = None


def links(params: Params, images: ImageCollection, base_url: str, config: Config) -> Iterator[bytes]:
    """The answer to a request, in blocks: a VOTable in TABLEDATA, as the standard asks for."""
    _check_form(params.single("RESPONSEFORMAT"))
    asked = tuple(dict.fromkeys(params.all("ID")))
    known = {image.obs_publisher_did.lower(): image for image in images.by_ids(asked[:MOST_IDS])}
    found = [(each, known.get(each.lower())) for each in asked[:MOST_IDS]]
    rows = [row for each, image in found for row in _rows(each, image, base_url, config.cutout_pixels)]
    beyond = [_Link(each, "#this") for each in asked[MOST_IDS : MOST_IDS + 1]]  # seen, and cut
    result = Result(COLUMNS, _batches(rows + beyond), maxrec=len(rows))
    notes = Notes(
        title=config.title,
        standard_id=LINKS_STANDARD,
        resources=tuple(_services(known.values(), base_url)),
        referred={0: _ID},
    )
    return formats.find("votable/td").write(result, notes)


def _check_form(asked: str | None) -> None:
    """RESPONSEFORMAT may be missing, `votable`, or the media type of tables of links (DataLink 1.1, 2.1)."""
    if asked is not None and asked.replace(" ", "").lower() not in _FORMS:
        raise UsageError(f"RESPONSEFORMAT {asked[:80]!r} is not known here.", hint=f"Send {LINKS_TYPE}.")


_FORMS = ("votable", "application/x-votable+xml", LINKS_TYPE)


def _rows(asked: str, image: ImageFile | None, base_url: str, most_pixels: int) -> Iterator[_Link]:
    """The links of one identifier, the image itself first."""
    if image is None:
        yield _Link(asked, "#this", error_message=f"NotFoundFault: there is no image {asked[:200]!r}")
        return
    url = f"{base_url}{FILE}{quote(image.obs_publisher_did, safe='')}"
    yield _Link(asked, "#this", _described("image", image), url, None, None, _FITS, image.file_size)
    cutouts = _described("parts of the image", image)
    yield _Link(asked, "#cutout", cutouts, service_def=_service(image), content_type=_FITS)
    yield _Link(asked, "#cutout", f"{cutouts}, as jobs", service_def=_JOBS, content_type=_FITS)
    if image.naxis1 * image.naxis2 <= most_pixels:
        for plane in filter(image.planes.__contains__, _PLANES):
            query = urlencode({"ID": image.obs_publisher_did, "PLANES": plane})
            url = f"{base_url}{CUTOUT_PATHS['sync']}?{query}"
            yield _Link(asked, _PLANES[plane], _described(plane, image), url, content_type=_FITS)
    url = f"{base_url}{PICTURE_PATH}?{urlencode(_picture(image))}"
    yield _Link(asked, "#preview-image", _described("picture", image), url, content_type="image/jpeg")


def _services(images: Collection[ImageFile], base_url: str) -> Iterator[str]:
    """The descriptors: that of each image has its ranges, for jobs there is one."""
    for image in images:
        yield cutouts_of(image, base_url, _ID, _service(image))
    if images:
        yield cutout_service(base_url, _ID, resource="async", xml_id=_JOBS)


def _service(image: ImageFile) -> str:
    """The ID of the descriptor of cutouts of an image."""
    return "soda-" + hashlib.blake2b(image.obs_publisher_did.encode(), digest_size=8).hexdigest()


def _described(what: str, image: ImageFile) -> str:
    words = (what, f"in {image.band}" if image.band else "", f"of {image.tile}" if image.tile else "")
    return " ".join(filter(None, words))


def _picture(image: ImageFile) -> dict[str, str]:
    """The parameters of a picture of the image, or of its middle where it is too large."""
    sides = (min(pixels * image.pixel_scale / 60, _PICTURE_ARCMIN) for pixels in (image.naxis1, image.naxis2))
    xsize, ysize = (f"{side:.2f}" for side in sides)
    return {"IMAGE": image.obs_publisher_did, "XSIZE": xsize, "YSIZE": ysize, "FORMAT": "jpeg"}


def _batches(rows: Sequence[_Link]) -> Iterator[pa.RecordBatch]:
    schema = arrow_schema(COLUMNS)
    arrays = [
        pa.array([getattr(row, column.name) for row in rows], field.type)
        for column, field in zip(COLUMNS, schema, strict=True)
    ]
    yield pa.RecordBatch.from_arrays(arrays, schema=schema)
