"""FITS binary tables as a source of rows (FITS 4.0, 7.3): ranges of rows, whole columns of them at once."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from astropy.io import fits

from vo.errors import LoadError

Array = np.ndarray[Any, Any]

_SIGNATURE = b"SIMPLE  ="
_FORM = re.compile(r"\s*([0-9]*)([A-Z])")
_CODES: Mapping[str, str] = {
    "L": "S1",
    "B": "u1",
    "I": ">i2",
    "J": ">i4",
    "K": ">i8",
    "E": ">f4",
    "D": ">f8",
}
"""The NumPy types of the TFORMs that hold numbers (FITS 4.0, table 18)."""

_SIZES: Mapping[str, int] = {"X": 0, "C": 8, "M": 16, "P": 8, "Q": 16}
"""The bytes an element of the other TFORMs takes in a row: they can be passed over and not be read."""

_SIGN_FLIPS: Mapping[tuple[str, float], str] = {
    ("B", -128.0): "i1",
    ("I", 2.0**15): "u2",
    ("J", 2.0**31): "u4",
    ("K", 2.0**63): "u8",
}
"""The TZEROs that stand for the other signedness (FITS 4.0, table 19), and what they make."""


@dataclass(frozen=True, slots=True)
class _Field:
    """One column of the table as its header cards describe it."""

    name: str
    form: str
    code: str
    repeat: int
    scale: float
    zero: float
    null: int | None
    unit: str

    @property
    def dtype(self) -> str:
        """The NumPy type of the column's bytes in a row."""
        if self.code in _CODES:
            return _CODES[self.code] if self.repeat == 1 else f"({self.repeat},){_CODES[self.code]}"
        if self.code == "A":
            return f"S{self.repeat}"
        return f"V{(self.repeat + 7) // 8 if self.code == 'X' else self.repeat * _SIZES[self.code]}"


class FitsFile:
    """A binary table of a FITS file: the one whose EXTNAME is the table's name, else the first."""

    def __init__(self, path: Path, table: str) -> None:
        self._path = path
        header, self._start = _chosen(path, table)
        self.rows: int | None = int(header["NAXIS2"])
        self._fields = [_field(header, number, path) for number in range(1, header["TFIELDS"] + 1)]
        self._dtype = np.dtype([(f"f{i}", field.dtype) for i, field in enumerate(self._fields)])
        self.names = tuple(field.name for field in self._fields)
        self.hints: Mapping[str, Mapping[str, str]] = {
            field.name: {"ivoa:unit": field.unit} for field in self._fields if field.unit
        }
        if self._dtype.itemsize != header["NAXIS1"]:
            raise LoadError(f"{path.name}: its TFORMs do not fill a row of {header['NAXIS1']} bytes.")
        missing = self._start + header["NAXIS1"] * header["NAXIS2"] - path.stat().st_size
        if missing > 0:
            raise LoadError(
                f"{path.name} is cut off: {missing:,} bytes of its {self.rows:,} rows are missing."
            )

    def batches(self, names: Sequence[str], batch_rows: int) -> Iterator[pa.RecordBatch]:
        """The columns `names`, in that order and in the types of the file."""
        wanted = [self.names.index(name) for name in names]
        for index in wanted:
            if self._fields[index].code in _SIZES:
                field = self._fields[index]
                raise LoadError(
                    f"{self._path.name}: column {field.name} of TFORM {field.form} cannot be read."
                )
        left = self.rows or 0
        with self._path.open("rb") as file:
            file.seek(self._start)
            while left:
                rows = np.fromfile(file, self._dtype, min(left, batch_rows))
                left -= len(rows)
                arrays = [_arrow(rows[f"f{index}"], self._fields[index]) for index in wanted]
                yield pa.RecordBatch.from_arrays(arrays, names=list(names))


def _chosen(path: Path, table: str) -> tuple[fits.Header, int]:
    """The header of the binary table to read, and where in the file its rows begin."""
    with path.open("rb") as raw:
        if raw.read(len(_SIGNATURE)) != _SIGNATURE:  # astropy would see through compression, we would not
            raise LoadError(f"{path.name} is not a FITS file (a compressed one must be unpacked first).")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what astropy finds odd does not concern the rows
            with fits.open(path, mode="readonly", lazy_load_hdus=False) as file:
                found = [hdu for hdu in file if isinstance(hdu, fits.BinTableHDU)]
                found.sort(key=lambda hdu: hdu.name.lower() != table.lower())
                if found:
                    return found[0].header.copy(), int(found[0].fileinfo()["datLoc"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LoadError(f"{path.name} is not a whole FITS file: {error}") from error
    raise LoadError(
        f"{path.name} has no binary table.", hint="A FITS table is read from a BINTABLE extension."
    )


def _field(header: fits.Header, number: int, path: Path) -> _Field:
    form = str(header.get(f"TFORM{number}", ""))
    match = _FORM.match(form)
    if match is None or not (match[2] in _CODES or match[2] in _SIZES or match[2] == "A"):
        raise LoadError(f"{path.name}: TFORM{number} is {form!r}, which is no format of a binary table.")
    return _Field(
        name=str(header.get(f"TTYPE{number}", f"col{number}")).strip(),
        form=form.strip(),
        code=match[2],
        repeat=int(match[1] or 1),
        scale=float(header.get(f"TSCAL{number}", 1.0)),
        zero=float(header.get(f"TZERO{number}", 0.0)),
        null=header.get(f"TNULL{number}"),
        unit=str(header.get(f"TUNIT{number}", "")).strip(),
    )


def _arrow(raw: Array, field: _Field) -> pa.Array:
    """The values of a column, native and scaled; TNULL, undefined truths and blank texts become NULL."""
    if field.code == "A":
        return _texts(raw)
    if field.code == "L":
        values, unknown = raw == b"T", (raw != b"T") & (raw != b"F")
    else:
        unknown = raw == field.null if field.null is not None and raw.dtype.kind in "iu" else None
        values = _scaled(raw, field)
    flat = pa.array(values.reshape(-1), mask=None if unknown is None else unknown.reshape(-1))
    return flat if raw.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, raw.shape[1])


def _scaled(raw: Array, field: _Field) -> Array:
    native = raw.astype(raw.dtype.newbyteorder("="))
    flipped = _SIGN_FLIPS.get((field.code, field.zero)) if field.scale == 1.0 else None
    if flipped is not None:
        # Adding half the range is turning the highest bit round.
        return (native.view(f"u{native.itemsize}") ^ (1 << (8 * native.itemsize - 1))).view(flipped)
    if (field.scale, field.zero) == (1.0, 0.0):
        return native
    return native.astype(np.float64) * field.scale + field.zero


def _texts(raw: Array) -> pa.Array:
    """Texts end at the first NUL and lose blanks at the end (FITS 4.0, 7.3.3.1).

    FITS has no NULL for texts: an empty one is taken for it.
    """
    if raw.dtype.itemsize == 0:
        return pa.nulls(len(raw), pa.string())
    letters = np.array(raw).view(np.uint8).reshape(len(raw), raw.dtype.itemsize)
    letters[np.logical_or.accumulate(letters == 0, axis=1)] = 0
    texts = np.strings.rstrip(letters.view(raw.dtype).reshape(-1), b" ")
    return pa.array(texts, mask=texts == b"").cast(pa.string())
