"""What became of each row of a table of positions: its file, the pixels it is of, or what was wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import pyarrow as pa

from vo import formats
from vo.catalog import Column, arrow_schema
from vo.result import Result
from vo.votable.document import Notes

FORMS = {"manifest": ("votable/td", "manifest.vot"), "manifest-json": ("json", "manifest.json")}
"""Result → its format, and the name of its file."""

_ROWS = 4_096  # to a batch

COLUMNS = (
    Column(
        "row_number", "int", ucd="meta.id", description="Row of the table of positions, the first being 1"
    ),
    Column("object_id", "unicodeChar", "*", ucd="meta.id", description="The object, as it was named"),
    Column(
        "ra", "double", unit="deg", ucd="pos.eq.ra;meta.main", description="Position, right ascension (ICRS)"
    ),
    Column(
        "dec", "double", unit="deg", ucd="pos.eq.dec;meta.main", description="Position, declination (ICRS)"
    ),
    Column(
        "status",
        "char",
        "*",
        ucd="meta.code.status",
        description="ok; unmatched, as no image shows it; or error",
    ),
    Column("error", "unicodeChar", "*", ucd="meta.code.error", description="What was wrong"),
    Column("file", "char", "*", ucd="meta.id;meta.file", description="Name of the file"),
    Column("format", "char", "*", ucd="meta.code.mime", description="Media type of the file"),
    Column("file_size", "long", unit="byte", ucd="phys.size;meta.file", description="Size of the file"),
    Column("width", "double", unit="arcmin", ucd="phys.angSize", description="Width that was asked for"),
    Column("height", "double", unit="arcmin", ucd="phys.angSize", description="Height that was asked for"),
    Column("release", "char", "*", ucd="meta.dataset", description="Release that the images are of"),
    Column("bands", "char", "*", ucd="instr.bandpass", description="Bands in the order of the file"),
    Column(
        "tiles",
        "char",
        "*",
        ucd="meta.id;obs.field",
        description="Tile whose image has its way, in each band",
    ),
    Column(
        "images",
        "char",
        "*",
        ucd="meta.ref.ivoid",
        description="obs_publisher_did of that image, in each band",
    ),
    Column(
        "boxes",
        "char",
        "*",
        ucd="instr.pixel",
        description="Columns and rows of it, the first being 1, in each band",
    ),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line, its values being those of COLUMNS."""

    row_number: int
    object_id: str | None = None
    ra: float | None = None
    dec: float | None = None
    status: str = "ok"
    error: str | None = None
    file: str | None = None
    format: str | None = None
    file_size: int | None = None
    width: float | None = None
    height: float | None = None
    release: str | None = None
    bands: str | None = None
    tiles: str | None = None
    images: str | None = None
    boxes: str | None = None


def document(lines: Sequence[Line], form: str, notes: Notes) -> Iterator[bytes]:
    """The manifest in one of its forms."""
    with Result(COLUMNS, _batches(lines)) as result:
        for block in formats.find(form).write(result, notes):
            yield bytes(block)


def _batches(lines: Sequence[Line]) -> Iterator[pa.RecordBatch]:
    schema = arrow_schema(COLUMNS)
    names = [each.name for each in fields(Line)]
    for start in range(0, len(lines), _ROWS):
        part = lines[start : start + _ROWS]
        columns = ([getattr(line, name) for line in part] for name in names)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)
