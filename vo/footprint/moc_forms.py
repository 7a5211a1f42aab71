"""The forms of a MOC: those of the standard, and a row of a table that tells its size as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from vo import formats
from vo.catalog import Column, arrow_schema
from vo.formats import Format
from vo.moc import Moc, ascii_text, fits_bytes, json_text
from vo.result import Result
from vo.votable.document import Notes

COLUMNS = (
    Column("moc", "char", "*", xtype="moc", ucd="pos.outline", description="The coverage (MOC 2.0, ICRS)"),
    Column("moc_order", "int", description="Its finest order", ucd="meta.number"),
    Column("area", "double", unit="deg**2", ucd="phys.angArea", description="Its area"),
    Column("sky_fraction", "double", description="The part of the sky that it covers", ucd="stat.value"),
    Column("cells", "long", description="Cells of which it is made", ucd="meta.number"),
)
"""What is told of a MOC in a row."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form by its media type."""

    media_type: str
    extension: str
    write: Callable[[Moc, Notes], bytes]


_FORMS: Mapping[str, Form] = {
    "fits": Form("application/fits", "fits", lambda moc, _: fits_bytes(moc)),
    "json": Form("application/json", "json", lambda moc, _: json_text(moc).encode()),
    "ascii": Form("text/plain;charset=us-ascii", "txt", lambda moc, _: ascii_text(moc).encode() + b"\n"),
}
_NAMES: Mapping[str, str] = {
    "application/fits": "fits",
    "image/fits": "fits",
    "application/json": "json",
    "text/plain": "ascii",
    "txt": "ascii",
}


def form_named(name: str | None) -> Form:
    """The form of a RESPONSEFORMAT: FITS unless told."""
    plain = "fits" if name is None else name.partition(";")[0].strip().lower()
    known = _FORMS.get(_NAMES.get(plain, plain))
    return _as_row(formats.find(name)) if known is None else known


def _as_row(known: Format) -> Form:
    def write(moc: Moc, notes: Notes) -> bytes:
        values = (
            ascii_text(moc),
            moc.order,
            moc.area_deg2,
            moc.sky_fraction,
            sum(map(len, moc.cells().values())),
        )
        schema = arrow_schema(COLUMNS)
        arrays = [pa.array([value], field.type) for value, field in zip(values, schema, strict=True)]
        return b"".join(
            known.write(Result(COLUMNS, iter([pa.RecordBatch.from_arrays(arrays, schema=schema)])), notes)
        )

    return Form(known.media_type, known.extension, write)
