"""The primitives of the protocol: integers with a length before them, byte strings, error records."""

from __future__ import annotations

from collections.abc import Callable

LONG_LENGTH = 254
NULL_LENGTH = 255
SHORT_LENGTH_LIMIT = 252
CHUNK_BYTES = 32_767


def number(value: int) -> bytes:
    r"""An unsigned integer: one byte with the count of the bytes that follow, big-endian.

    >>> number(0), number(5), number(258)
    (b'\x00', b'\x01\x05', b'\x02\x01\x02')
    """
    size = (value.bit_length() + 7) // 8
    size = {3: 4, 5: 8, 6: 8, 7: 8}.get(size, size)
    return bytes([size]) + value.to_bytes(size, "big")


def octets(value: bytes | None) -> bytes:
    r"""A byte string with its length; None and the empty string look the same, as in Oracle.

    >>> octets(b"abc"), octets(None)
    (b'\x03abc', b'\x00')
    """
    if not value:
        return b"\0"
    if len(value) <= SHORT_LENGTH_LIMIT:
        return bytes([len(value)]) + value
    chunks = (value[start : start + CHUNK_BYTES] for start in range(0, len(value), CHUNK_BYTES))
    return bytes([LONG_LENGTH]) + b"".join(number(len(chunk)) + chunk for chunk in chunks) + b"\0"


def text(value: str) -> bytes:
    """A string of descriptions and key-value pairs: its length twice, then UTF-8."""
    encoded = value.encode()
    return number(len(encoded)) + (octets(encoded) if encoded else b"")


class Request:
    """What a client asks, read front to back; `more` brings the next packet of a request in pieces."""

    def __init__(self, data: bytes, more: Callable[[], bytes]) -> None:
        self._data = data
        self._at = 0
        self._more = more

    @property
    def is_empty(self) -> bool:
        """Whether the packets at hand are used up."""
        return self._at >= len(self._data)

    def raw(self, count: int) -> bytes:
        """The next `count` bytes."""
        while len(self._data) - self._at < count:
            self._data = self._data[self._at :] + self._more()
            self._at = 0
        start, self._at = self._at, self._at + count
        return self._data[start : self._at]

    def byte(self) -> int:
        """The next byte."""
        return self.raw(1)[0]

    def number(self) -> int:
        """An integer with its length before it."""
        return int.from_bytes(self.raw(self.byte() & 0x7F), "big")

    def numbers(self, count: int) -> list[int]:
        """Several such integers."""
        return [self.number() for _ in range(count)]

    def octets(self) -> bytes | None:
        """A byte string with its length."""
        length = self.byte()
        if length in (0, NULL_LENGTH):
            return None
        if length != LONG_LENGTH:
            return self.raw(length)
        found = b""
        while size := self.number():
            found += self.raw(size)
        return found

    def text(self) -> str:
        """A string whose length stands twice."""
        return (self.octets() or b"").decode() if self.number() else ""


ROWID_NONE = bytes(5)


def status(*, in_transaction: bool = False) -> bytes:
    """The end of a call that has nothing to say."""
    return b"\x09" + number(2 if in_transaction else 0) + number(0)


def ending(
    code: int = 0,
    message: str = "",
    *,
    cursor: int = 0,
    rows: int = 0,
    in_transaction: bool = False,
    is_modern: bool = False,
) -> bytes:
    """The record that ends the answer to a statement: an error, or `code` 0, or 1403 for "no more rows"."""
    record = b"".join(
        (
            b"\x04",
            number(2 if in_transaction else 0),
            number(0) * 5,  # sequence, row, short error number, two of arrays
            number(cursor),
            number(0),  # position of the error
            bytes(6),  # kinds, flags and options of a byte each
            ROWID_NONE,
            number(0),  # error of the operating system
            bytes(2),
            number(0) * 3,  # padding, iterations, logical rowid
            number(0) * 3,  # errors, offsets and messages of a batch
            number(code),
            number(rows),
            number(0) * 2 if is_modern else b"",  # kind of the statement, checksum
        )
    )
    return record + (octets(message.encode()) if code else b"")
