"""The table of links (DataLink 1.1, 3.2): for each identifier its links, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from urllib.parse import quote

import pyarrow as pa

from vo import formats
from vo.catalog import Column, arrow_schema
from vo.config import Config
from vo.dali import Params
from vo.errors import UsageError
from vo.images.collection import ImageCollection, ImageFile
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

_Row = tuple[str | None, str | None, None, str | None, str, str | None, str | None, int | None]


def links(params: Params, images: ImageCollection, base_url: str, config: Config) -> bytes:
    """The answer to a request: a VOTable in TABLEDATA, as the standard asks for."""
    _check_form(params.single("RESPONSEFORMAT"))
    asked = tuple(dict.fromkeys(params.all("ID")))
    known = {image.obs_publisher_did.lower(): image for image in images.by_ids(asked[:MOST_IDS])}
    rows = [_row(each, known.get(each.lower()), base_url) for each in asked[:MOST_IDS]]
    result = Result(COLUMNS, _batches(rows), maxrec=MOST_IDS)
    result.overflow = len(asked) > MOST_IDS
    notes = Notes(title=config.title, standard_id="ivo://ivoa.net/std/DataLink#links-1.1")
    return b"".join(formats.find("votable/td").write(result, notes))


def _check_form(asked: str | None) -> None:
    """RESPONSEFORMAT may be missing, `votable`, or the media type of tables of links (DataLink 1.1, 2.1)."""
    if asked is not None and asked.replace(" ", "").lower() not in _FORMS:
        raise UsageError(f"RESPONSEFORMAT {asked[:80]!r} is not known here.", hint=f"Send {LINKS_TYPE}.")


_FORMS = ("votable", "application/x-votable+xml", LINKS_TYPE)


def _row(asked: str, image: ImageFile | None, base_url: str) -> _Row:
    if image is None:
        error = f"NotFoundFault: there is no image {asked[:200]!r}"
        return asked, None, None, error, "#this", None, None, None
    url = f"{base_url}{FILE}{quote(image.obs_publisher_did, safe='')}"
    words = ("image", f"in {image.band}" if image.band else "", f"of {image.tile}" if image.tile else "")
    return asked, url, None, None, "#this", " ".join(filter(None, words)), "application/fits", image.file_size


def _batches(rows: Sequence[_Row]) -> Iterator[pa.RecordBatch]:
    schema = arrow_schema(COLUMNS)
    if rows:
        columns = zip(*rows, strict=True)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
