"""How columns stand in a FITS binary table, once all their values have been seen (FITS 4.0, 7.3)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vo.catalog import Column, Datatype
from vo.errors import UsageError
from vo.votable.arrays import bounds, is_list, is_null, numpy_type, values
from vo.votable.binary import fixed_count, missing_word, words_of
from vo.votable.cells import elements

_LETTERS: dict[Datatype, str] = {
    "boolean": "L",
    "unsignedByte": "B",
    "short": "I",
    "int": "J",
    "long": "K",
    "float": "E",
    "double": "D",
}
_BYTES = {"L": 1, "B": 1, "I": 2, "J": 4, "K": 8, "E": 4, "D": 8}
_LIMITS: dict[Datatype, tuple[int, int]] = {
    "unsignedByte": (0, 255),
    "short": (-(2**15), 2**15 - 1),
    "int": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
}
_WIDER: dict[Datatype, Datatype] = {"unsignedByte": "short", "short": "int", "int": "long"}
_LOWEST = range(-(2**63), -(2**63) + 64)
"""Numbers that may stand for NULL in a column that has the first and the last of 64 bits."""
_TIME_WIDTH = 26
"""Letters of a time with microseconds."""


class Measure:
    """What the values of a column ask of it: told every batch in turn."""

    def __init__(self, column: Column) -> None:
        self.column = column
        self.elements, self.longest = 0, 0
        self._has_null = False
        self._range: tuple[int, int] | None = None
        self._lowest: set[int] = set()

    @property
    def is_variable(self) -> bool:
        """Whether the cells are arrays of any length, which FITS keeps in its heap."""
        return is_list(self.column.arrow_type()) and fixed_count(self.column) is None

    def see(self, array: pa.Array) -> None:
        """Take the values of a batch into account."""
        self._has_null = self._has_null or bool(array.null_count)
        if pa.types.is_string(array.type):
            self.longest = max(self.longest, pc.max(pc.binary_length(array)).as_py() or 0)
        elif self.is_variable:
            self.elements += pc.sum(pc.list_value_length(array)).as_py() or 0
            self.longest = max(self.longest, pc.max(pc.list_value_length(array)).as_py() or 0)
        elif self.column.datatype in _LIMITS and not pa.types.is_timestamp(array.type):
            self._widen(array.flatten() if is_list(array.type) else array)

    def _widen(self, numbers: pa.Array) -> None:
        found = pc.min_max(numbers).as_py()
        if found["min"] is not None:
            low, high = self._range or (found["min"], found["max"])
            self._range = min(low, found["min"]), max(high, found["max"])
            if found["min"] < _LOWEST.stop:
                low_ones = numbers.filter(pc.less(numbers, _LOWEST.stop))
                self._lowest.update(pc.unique(low_ones).to_pylist())

    def result(self) -> FitsColumn:
        """How the column is kept."""
        column = self.column
        if self.is_variable:
            letter = _LETTERS[column.datatype]
            descriptor = replace(column, datatype="long", arraysize="2", xtype=None)
            tform, heap = f"1Q{letter}({self.longest})", self.elements * _BYTES[letter]
            return FitsColumn(column, descriptor, tform, is_variable=True, heap=heap)
        if column.is_string:
            width = _TIME_WIDTH if column.xtype == "timestamp" else max(1, self.longest)
            return FitsColumn(column, replace(column, datatype="char", arraysize=str(width)), f"{width}A")
        return self._of_numbers()

    def _of_numbers(self) -> FitsColumn:
        datatype, null = self.column.datatype, None
        absent = 0 if datatype == "boolean" else missing_word(self.column)  # 0 is a logical's NULL (7.3.3.1)
        if self._has_null and datatype in _LIMITS:
            datatype, null = self._free_number(datatype)
            absent = null % 2**64
        stored = replace(self.column, datatype=datatype)
        count = fixed_count(self.column)
        return FitsColumn(self.column, stored, f"{count}{_LETTERS[datatype]}", null=null, absent=absent)

    def _free_number(self, datatype: Datatype) -> tuple[Datatype, int]:
        """A number that no value has, in the same type or in the next that has one."""
        lowest, highest = _LIMITS[datatype]
        used = self._range or (0, 0)
        if used[0] > lowest:
            return datatype, lowest
        if used[1] < highest:
            return datatype, highest
        if datatype in _WIDER:
            return self._free_number(_WIDER[datatype])
        free = next((number for number in _LOWEST if number not in self._lowest), None)
        if free is None:
            raise UsageError(
                f"Column {self.column.name} leaves no 64-bit integer that could stand for NULL in FITS.",
                hint="Ask for another format.",
            )
        return datatype, free


@dataclass(frozen=True, slots=True)
class FitsColumn:
    """A column of the file: `stored` is how its fields are laid, `tform` and `null` how they are declared.

    `absent` are the bits of a missing number, `heap` the bytes that the column has in the heap.
    """

    column: Column
    stored: Column
    tform: str
    null: int | None = None
    absent: int = 0
    is_variable: bool = False
    heap: int = 0

    @property
    def element_size(self) -> int:
        """Bytes of an element in the heap."""
        return _BYTES[_LETTERS[self.column.datatype]]

    def heap_bytes(self, array: pa.Array) -> bytes:
        """The elements of variable arrays, the high byte first."""
        _, flat = elements(self.column, array)
        return words_of(values(flat, numpy_type(flat.type))).byteswap().tobytes()

    @property
    def size(self) -> int:
        """Bytes in a row."""
        count = fixed_count(self.stored) or 1
        return count if self.stored.is_string else count * _BYTES[_LETTERS[self.stored.datatype]]

    def cards(self, number: int, name: str) -> Iterator[tuple[str, str | int]]:
        """The keywords that declare the column; TUCD and TUTYP are of common use."""
        column = self.column
        words = {"TTYPE": name, "TFORM": self.tform, "TUNIT": column.unit, "TNULL": self.null}
        if column.arraysize and "x" in column.arraysize and not self.is_variable:
            words["TDIM"] = f"({column.arraysize.replace('x', ',')})"
        words |= {"TUCD": column.ucd, "TUTYP": column.utype, "TCOMM": column.description}
        for word, value in words.items():
            if value is not None:
                yield f"{word}{number}", _printable(value) if isinstance(value, str) else value


def _printable(text: str) -> str:
    """Text as a header may hold it (FITS 4.0, 4.2.1): printable ASCII."""
    return " ".join(text.split()).encode("ascii", "backslashreplace").decode()


def in_ascii(array: pa.StringArray) -> pa.StringArray:
    r"""Text as FITS may hold it (FITS 4.0, 3.3.2): other characters are escaped as in Python, as \xe9.

    Whole columns at a time: the first byte of each character tells how long its escape is.
    """
    ends = bounds(array).astype(np.int64)
    buffer = array.buffers()[2]
    if buffer is None:
        return array
    used = np.frombuffer(buffer, np.uint8)[ends[0] : ends[-1]]
    if not (used & 0x80).any():
        return array
    letters = np.append(0, np.cumsum(_ESCAPED[used]))
    data = used.tobytes().decode("utf-8", "replace").encode("ascii", "backslashreplace")
    offsets = letters[ends - ends[0]].astype(np.int32)
    plain = pa.Array.from_buffers(pa.string(), len(array), [None, pa.py_buffer(offsets), pa.py_buffer(data)])
    return pc.if_else(pa.array(is_null(array)), None, plain)


_ESCAPED = np.zeros(256, np.int64)
_ESCAPED[:0x80] = 1
_ESCAPED[0xC2:0xC4] = len(r"\xe9")
_ESCAPED[0xC4:0xF0] = len(r"\u20ac")
_ESCAPED[0xF0:] = len(r"\U0001f600")
