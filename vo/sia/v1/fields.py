"""The columns of a reply (SIA 1.0, 4.2.5), with the words of the standard in place of UCDs."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.catalog import Column, Table, arrow_schema
from vo.column_list import column, rows
from vo.sia.v1.archive import Arrays

VERBOSITIES = (0, 1, 2, 3)

_IDENTIFIER = "obs_publisher_did"
_ARCSEC = 3600.0
_LARGEST_INT = 2**31 - 1


Make = Callable[[Arrays], pa.Array]
"""A column made of others: those of obscore, and those that `ServiceType.told` adds."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column that is there from verbosity `verb` on, where obscore has the columns `needs`."""

    verb: int
    column: Column
    needs: tuple[str, ...]
    make: Make


def fields_of(table: Table, verb: int) -> tuple[Field, ...]:
    """The columns of a verbosity that obscore (`table`) allows; the highest has all of its own as well."""
    names = {column.name for column in table.columns}
    made = tuple(field for field in _FIELDS if field.verb <= verb and names.issuperset(field.needs))
    return (*made, *_as_stored(table, verb, {field.column.name for field in made}))


def missing_from(table: Table) -> tuple[str, ...]:
    """The columns of obscore without which a reply would lack what the standard asks for."""
    needed = {name: None for field in _FIELDS if field.verb == 0 for name in field.needs}
    return tuple(name for name in needed if table.column(name) is None)


def as_reply(fields: Sequence[Field], rows: Arrays) -> pa.RecordBatch:
    """The batch of a reply."""
    schema = arrow_schema([field.column for field in fields])
    arrays = [field.make(rows).cast(kind) for field, kind in zip(fields, schema.types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _as_stored(table: Table, verb: int, made: Container[str]) -> Iterator[Field]:
    """The columns of obscore that a reply has as they are: the identifier, or everything."""
    for each in table.columns:
        if each.name not in made and (verb == VERBOSITIES[-1] or (verb and each.name == _IDENTIFIER)):
            yield Field(verb, each, (each.name,), _taken(each.name))


def _taken(name: str) -> Make:
    return lambda rows: rows[name]


def _always(value: object) -> Make:
    return lambda rows: pa.repeat(value, len(rows["title"]))


def _together(*names: str) -> Make:
    """The values of several columns as one array a row; NULL where one of them is."""

    def make(rows: Arrays) -> pa.Array:
        columns = [rows[name] for name in names]
        values = np.column_stack(
            [pc.fill_null(column, 0).to_numpy(zero_copy_only=False) for column in columns]
        )
        known = columns[0].is_valid()
        for each in columns[1:]:
            known = pc.and_(known, each.is_valid())
        flat = pa.array(values.ravel(), columns[0].type)
        return pa.FixedSizeListArray.from_arrays(flat, len(names), mask=pc.invert(known))

    return make


def _middle(first: str, last: str) -> Make:
    return lambda rows: pc.divide(pc.add(rows[first], rows[last]), 2.0)


def _scale(rows: Arrays) -> pa.Array:
    degrees = pc.divide(rows["pixel_scale"], _ARCSEC)
    return _together("scale", "scale")({"scale": degrees})


def _bytes(rows: Arrays) -> pa.Array:
    """The size of the file, NULL where it is beyond the int that the standard asks for."""
    size = pc.multiply(rows["kbyte"], 1000)
    return pc.if_else(pc.less_equal(size, _LARGEST_INT), size, pa.scalar(None, size.type))


_MADE: Mapping[str, Make] = {
    "naxes": _always(2),
    "naxis": _together("naxis1", "naxis2"),
    "scale": _scale,
    "format": _taken("image_format"),
    "dateobs": _middle("t_min", "t_max"),
    "bandpass": _taken("band"),
    "filesize": _bytes,
    "bandpass_unit": _always("meters"),
    "bandpass_refvalue": _middle("em_min", "em_max"),
    "bandpass_hilimit": _taken("em_max"),
    "bandpass_lolimit": _taken("em_min"),
    "coord_frame": _taken("frame"),
    "coord_equinox": _taken("equinox"),
    "coord_projection": _taken("projection"),
    "coord_refpixel": _together("crpix1", "crpix2"),
    "coord_refvalue": _together("crval1", "crval2"),
    "cdmatrix": _together("cd1_1", "cd1_2", "cd2_1", "cd2_2"),
}
"""What columns are made of that are not there by their own name."""


_FIELDS = tuple(
    Field(
        int(row["verb"]),
        column(row),
        tuple(row["needs"].split()),
        _MADE.get(row["column"]) or _taken(row["column"]),
    )
    for row in rows("vo.sia.v1", "fields.csv")
)
