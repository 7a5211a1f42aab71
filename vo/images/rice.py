"""RICE_1 (FITS 4.0, 10.4.1) as machine code: a tile, only as far as it is needed, whatever its bytes are."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # it has no types
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from vo.compiled import compiled

_Word = np.uint64
_Reader = tuple[np.uint64, np.uint64, np.uint64, np.uint64]
_Out = NDArray[np.int32]

_LITTLE_ENDIAN = sys.byteorder == "little"
_REFILLED = 56  # bits that a refilled register holds at least, and so the longest code of a pixel
_CODES = {1: (3, 6), 2: (4, 14), 4: (5, 25)}
"""Bytes of a pixel → bits of the code in front of a block, and the code of a block that is not packed."""


def padding(block: int) -> int:
    """The readable bytes that must lie behind a tile: the end is looked for only after a block of pixels."""
    return 8 * (block + 4)


def decode(data: NDArray[np.uint8], *, length: int, block: int, width: int, out: NDArray[np.int32]) -> bool:
    """Fill `out` with the first pixels of the tile in `data`; False where the tile is broken.

    The tile is the first `length` bytes, `padding(block)` more lie behind them; `width` is the bytes of a
    pixel (1 without a sign, 2, 4), `block` the pixels that share a code.
    """
    code_bits, raw_code = _CODES[width]
    if length < width or len(data) < length + padding(block):
        return False
    return bool(_decode(data, length, block, 8 * width, code_bits, raw_code, out))


def _intrinsic(function: Any) -> Any:  # noqa: ANN401  what the compiler makes of it
    """An instruction of the machine, called like a function."""
    return intrinsic(function)


@_intrinsic
def _leading_zeros(_typing: Any, _word: Any) -> Any:  # noqa: ANN401
    """The zeros in front of the highest bit of a word that is not 0."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


@_intrinsic
def _word(_typing: Any, _address: Any) -> Any:  # noqa: ANN401
    """The eight bytes at an address, the first of them the highest: one instruction where shifts are 15."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        found = builder.load(builder.inttoptr(arguments[0], ir.IntType(64).as_pointer()), align=1)
        return builder.bswap(found) if _LITTLE_ENDIAN else found

    return types.uint64(types.uint64), generate


# Below everything is a word without a sign: a mixed operation would be one of floating point.
# A reader is: the address of the next byte, a register, how many of its upper bits are valid, the last pixel.


@compiled
def _decode(
    data: NDArray[np.uint8], length: int, block: int, bits: int, code_bits: int, raw_code: int, out: _Out
) -> bool:
    at = np.uint64(data.ctypes.data)
    limit = at + np.uint64(length)
    reader = (at + np.uint64(bits // 8), np.uint64(0), np.uint64(0), _word(at) >> np.uint64(64 - bits))
    for start in range(0, len(out), block):
        pixels = out[start : start + block]
        at, word, held = _refilled(reader[0], reader[1], reader[2])
        code = np.int64(word >> np.uint64(64 - code_bits)) - 1
        reader = (at, word << np.uint64(code_bits), held - np.uint64(code_bits), reader[3])
        if code < 0:
            pixels[:] = _pixel(reader[3], bits)
        elif code == raw_code:
            reader = _read_raw(reader, bits, pixels)
        else:
            reader = _read_packed(reader, np.uint64(code), bits, limit, pixels)
        if reader[0] == 0 or reader[0] - (reader[2] >> np.uint64(3)) > limit:
            return False
    return True


@compiled
def _refilled(at: _Word, word: _Word, held: _Word) -> tuple[_Word, _Word, _Word]:
    word |= _word(at) >> held
    return at + ((np.uint64(63) - held) >> np.uint64(3)), word, held | np.uint64(_REFILLED)


@compiled
def _read_raw(reader: _Reader, bits: int, out: _Out) -> _Reader:
    """Differences as they are."""
    at, word, held, last = reader
    for i in range(len(out)):
        at, word, held = _refilled(at, word, held)
        last += _unfolded(word >> np.uint64(64 - bits))
        word <<= np.uint64(bits)
        held -= np.uint64(bits)
        out[i] = _pixel(last, bits)
    return at, word, held, last


@compiled
def _read_packed(reader: _Reader, split: _Word, bits: int, limit: _Word, out: _Out) -> _Reader:
    """Differences as zeros up to a one, and `split` lower bits; an address of 0 where that cannot be."""
    at, word, held, last = reader
    one, rest = np.uint64(1), np.uint64(63) - split
    for i in range(len(out)):
        at, word, held = _refilled(at, word, held)
        skipped = np.uint64(0)
        zeros = _leading_zeros(word | one)
        if zeros + one + split > np.uint64(_REFILLED):
            at, word, held, skipped = _skipped(at, word, held, limit)
            zeros = _leading_zeros(word | one)
            if at == 0 or zeros + one + split > np.uint64(_REFILLED):
                return np.uint64(0), word, held, last
        word = word << zeros << one
        last += _unfolded(((zeros + skipped) << split) | (word >> one >> rest))
        word <<= split
        held -= zeros + one + split
        out[i] = _pixel(last, bits)
    return at, word, held, last


@compiled
def _skipped(at: _Word, word: _Word, held: _Word, limit: _Word) -> _Reader:
    """The reader where at most seven zeros are left in front of a one, and how many there were more."""
    zeros, some = np.uint64(0), np.uint64(8)
    while word >> (np.uint64(64) - some) == 0:
        if at > limit + some:
            return np.uint64(0), word, held, zeros
        zeros += some
        at, word, held = _refilled(at, word << some, held - some)
    return at, word, held, zeros


@compiled
def _unfolded(number: _Word) -> _Word:
    """The difference that a number stands for: 0, 1, 2, 3 for 0, -1, 1, -2."""
    return (number >> np.uint64(1)) ^ (np.uint64(0) - (number & np.uint64(1)))


@compiled
def _pixel(value: _Word, bits: int) -> np.int32:
    """The pixel of a running sum: bytes without a sign, wider ones with one."""
    if bits == 32:  # noqa: PLR2004
        return np.int32(np.uint32(value))
    return np.int32(np.int16(np.uint16(value))) if bits == 16 else np.int32(np.uint8(value))  # noqa: PLR2004
