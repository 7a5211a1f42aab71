"""Columns and values as the wire carries them, both ways."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from oracle_wire.wire import number, octets, text

Row = tuple[Any, ...]
UTF8 = 873
LONG = 8
"""The type of binds of text that may be longer than a VARCHAR2."""
UNLIMITED_SCALE = -127


class OraError(Exception):
    """What a backend raises to answer with an ORA number."""

    def __init__(self, code: int, message: str = "as the test wants it") -> None:
        super().__init__(f"ORA-{code:05d}: {message}")
        self.code = code


@dataclass(frozen=True)
class Kind:
    """A type of Oracle: its code on the wire, bytes of a value at the most, and how a value is written."""

    code: int
    size: int
    encode: Callable[[Any], bytes]
    is_text: bool = False


@dataclass(frozen=True)
class Column:
    """A column of an answer; `kind` is a key of KINDS."""

    name: str
    kind: str
    precision: int = 0
    scale: int = 0

    def described(self, position: int, *, is_modern: bool) -> bytes:
        """The column as the description of a result carries it; since 23ai with domain and vector."""
        kind = KINDS[self.kind]
        charset, form = (UTF8, 1) if kind.is_text else (0, 0)
        return b"".join(
            (
                bytes([kind.code, 0]),
                struct.pack("bb", self.precision, self.scale),
                number(kind.size),
                number(0) * 3,  # elements of an array, flags, type identifier
                number(0),
                number(charset),
                bytes([form]),
                number(kind.size if kind.is_text else 0),
                number(0),
                b"\x01",  # NULL is allowed
                bytes([min(len(self.name), 255)]),
                text(self.name) + text("") + text(""),
                number(position),
                number(0),
                (text("") * 2 + number(0) * 2 + bytes(2)) if is_modern else b"",
            )
        )


def NUMBER(name: str, precision: int = 0, scale: int = UNLIMITED_SCALE) -> Column:  # noqa: N802  as in SQL
    """A NUMBER column; without arguments the type of expressions, which the driver takes for doubles."""
    return Column(name, "NUMBER", precision, scale)


@dataclass(frozen=True)
class Answer:
    """What a backend gives for a query; `rows` may be a generator that waits or fails on the way."""

    columns: tuple[Column, ...]
    rows: Iterable[Row]


def encoded(column: Column, value: object, *, as_long: bool) -> bytes:
    """A value in a row; the empty string is NULL, as in Oracle; LOBs asked for as text end in two fields."""
    body = b"\0" if value is None or value == "" else octets(KINDS[column.kind].encode(value))
    return body + number(0) * 2 if as_long else body


def _decimal(value: object) -> bytes:
    """Oracle's NUMBER: an exponent byte, then digits to the base 100."""
    sign, digits, exponent = Decimal(str(value)).as_tuple()
    assert isinstance(exponent, int), f"{value} is not a number"
    written = "".join(map(str, digits)).lstrip("0")
    if not written:
        return b"\x80"
    if exponent % 2:
        written, exponent = written + "0", exponent - 1
    written = written.zfill(len(written) + len(written) % 2)
    pairs = [int(written[at : at + 2]) for at in range(0, len(written), 2)]
    power = 193 + len(pairs) - 1 + exponent // 2
    while pairs[-1] == 0:
        pairs.pop()
    if not sign:
        return bytes([power, *(pair + 1 for pair in pairs)])
    return bytes([power ^ 0xFF, *(101 - pair for pair in pairs), *([102] if len(pairs) < 20 else [])])


def _binary(form: str) -> Callable[[float], bytes]:
    """IEEE numbers so that their bytes sort: positive ones with the sign set, negative ones inverted."""

    def encode(value: float) -> bytes:
        plain = struct.pack(form, value)
        if plain[0] & 0x80:
            return bytes(byte ^ 0xFF for byte in plain)
        return bytes([plain[0] | 0x80]) + plain[1:]

    return encode


def _timestamp(value: datetime) -> bytes:
    parts = (value.month, value.day, value.hour + 1, value.minute + 1, value.second + 1)
    date = bytes([value.year // 100 + 100, value.year % 100 + 100, *parts])
    return date + (struct.pack(">I", value.microsecond * 1000) if value.microsecond else b"")


KINDS = {
    "NUMBER": Kind(2, 22, _decimal),
    "BINARY_DOUBLE": Kind(101, 8, _binary(">d")),
    "BINARY_FLOAT": Kind(100, 4, _binary(">f")),
    "VARCHAR2": Kind(1, 4000, str.encode, is_text=True),
    "TIMESTAMP": Kind(180, 11, _timestamp),
    "CLOB": Kind(112, 4000, str.encode, is_text=True),
}


def decoded(code: int, value: bytes | None) -> object:
    """The Python value of a bind."""
    if value is None:
        return None
    if code == KINDS["NUMBER"].code:
        return _from_decimal(value)
    if code in (KINDS["BINARY_DOUBLE"].code, KINDS["BINARY_FLOAT"].code):
        plain = bytes([value[0] & 0x7F, *value[1:]]) if value[0] & 0x80 else bytes(b ^ 0xFF for b in value)
        return struct.unpack(">d" if len(value) == 8 else ">f", plain)[0]
    if code in (KINDS["VARCHAR2"].code, LONG):
        return value.decode()
    if code == KINDS["TIMESTAMP"].code:
        century, year, month, day, hour, minute, second = value[:7]
        whole = datetime(  # noqa: DTZ001  an Oracle TIMESTAMP has no zone
            (century - 100) * 100 + year - 100, month, day, hour - 1, minute - 1, second - 1
        )
        return whole + timedelta(microseconds=int.from_bytes(value[7:11], "big") // 1000)
    raise OraError(3115, f"binds of type {code} are beyond this double")


def _from_decimal(value: bytes) -> Decimal:
    positive = bool(value[0] & 0x80)
    power = (value[0] if positive else value[0] ^ 0xFF) - 193
    pairs = [byte - 1 if positive else 101 - byte for byte in value[1:] if positive or byte != 102]
    whole = sum(Decimal(pair).scaleb(2 * (power - at)) for at, pair in enumerate(pairs))
    return Decimal(whole if positive else -whole)
