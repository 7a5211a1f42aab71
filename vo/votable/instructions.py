"""What Numba has no name for: bytes at an address, and two instructions of the processor.

Only compiled functions can call these. Small functions that are handed an array count its references at
each call, which costs more than the byte they write; an address they are handed for nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir  # type: ignore[import-untyped]  # it has no types
from numba import types
from numba.extending import intrinsic

_Function = Callable[..., Any]
_BYTE, _WORD, _LONG_WORD = ir.IntType(8), ir.IntType(64), ir.IntType(128)


def _instruction(function: _Function) -> _Function:
    return cast("_Function", intrinsic(function))


@_instruction
def poke(_typing: Any, _address: Any, byte: Any) -> tuple[Any, _Function]:  # noqa: ANN401  types of Numba
    """Write the low byte of an integer to an address."""

    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:  # noqa: ANN401
        low = builder.trunc(values[1], _BYTE) if values[1].type.width > _BYTE.width else values[1]
        builder.store(low, builder.inttoptr(values[0], _BYTE.as_pointer()))
        return context.get_dummy_value()

    return types.void(types.int64, byte), generate


@_instruction
def peek(_typing: Any, _address: Any) -> tuple[Any, _Function]:  # noqa: ANN401
    """The byte at an address."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:  # noqa: ANN401
        return builder.load(builder.inttoptr(values[0], _BYTE.as_pointer()))

    return types.uint8(types.int64), generate


def _swapping(bits: int) -> _Function:
    """An instruction that copies a word of `bits` from one address to another, its bytes in reverse."""
    word = ir.IntType(bits)

    def swap(_typing: Any, _to: Any, _source: Any) -> tuple[Any, _Function]:  # noqa: ANN401  types of Numba
        def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:  # noqa: ANN401
            to, source = (builder.inttoptr(value, word.as_pointer()) for value in values)
            builder.store(builder.bswap(builder.load(source, align=1)), to, align=1)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), generate

    return _instruction(swap)


swap_2, swap_4, swap_8 = _swapping(16), _swapping(32), _swapping(64)


@_instruction
def high_half(_typing: Any, _a: Any, _b: Any) -> tuple[Any, _Function]:  # noqa: ANN401
    """The upper 64 bits of the product of two words of 64 bits."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:  # noqa: ANN401
        product = builder.mul(*(builder.zext(value, _LONG_WORD) for value in values))
        return builder.trunc(builder.lshr(product, ir.Constant(_LONG_WORD, 64)), _WORD)

    return types.uint64(types.uint64, types.uint64), generate


@_instruction
def bit_length(_typing: Any, _word: Any) -> tuple[Any, _Function]:  # noqa: ANN401
    """The place of the highest bit that is set, counted from 1; 0 for none."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:  # noqa: ANN401
        leading_zeros = builder.ctlz(values[0], ir.Constant(ir.IntType(1), 0))
        return builder.sub(ir.Constant(_WORD, 64), leading_zeros)

    return types.int64(types.uint64), generate
