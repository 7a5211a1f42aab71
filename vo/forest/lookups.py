"""How several rows at once find the numbers of the nodes they are at, written in the language of LLVM.

The numbers of a tree are a row for each thing that nodes have, in which node i has place i; the root is 1,
and the children of i are 2 i and 2 i + 1. So the lower bits of a node are its place on its level.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]  # it has no types
from numba.core import cgutils
from numba.core.registry import cpu_target

Builder = Any
"""What code of LLVM is written with."""
Kind = Any
"""A type of LLVM."""
Value = Any
"""A value of LLVM, such as a vector with a number for each row."""

Find = Callable[[Value, Kind], list[Value]]
"""From the address of a row of numbers and their kind to those of the nodes, for each group of rows."""

INT, LONG, FLOAT, BIT = ir.IntType(32), ir.IntType(64), ir.FloatType(), ir.IntType(1)
untyped: Any = cgutils
"""Tools of Numba, which say no types."""

_LINE = 64
"""Bytes of a register of AVX-512, which has 16 numbers."""


def has_registers() -> bool:
    """Whether the compiler may use AVX-512 on this machine."""
    return "+avx512f" in cpu_target.target_context.codegen().magic_tuple()[2].split(",")


def vector(kind: Kind, lanes: int) -> Kind:
    """The type of as many numbers as there are lanes."""
    return ir.VectorType(kind, lanes)


def long(value: int) -> Value:
    """An address, or a number to be added to one."""
    return ir.Constant(LONG, value)


def all_of(kind: Kind, value: float) -> Value:
    """A vector of the same number everywhere."""
    return ir.Constant(kind, [ir.Constant(kind.element, value)] * kind.count)


def load(builder: Builder, kind: Kind, at: Value) -> Value:
    """What is at an address that need not be a round one."""
    return builder.load(builder.inttoptr(at, kind.as_pointer()), align=4)


def call(builder: Builder, name: str, kind: Kind, *arguments: Value) -> Value:
    """An instruction by its name."""
    function = ir.FunctionType(kind, [argument.type for argument in arguments])
    return builder.call(untyped.get_or_insert_function(builder.module, function, name), arguments)


def in_registers(builder: Builder, first: int, count: int, nodes: Sequence[Value]) -> Find:
    """Of `count` registers from number `first` on, by permutations of AVX-512: 16, 32, 64 or more numbers.

    VPERMPS finds one of 16 numbers by the four lower bits of its place, VPERMT2PS one of 32 by five; each
    further bit chooses between two that were found.
    """
    chosen = [
        [_has_bit(builder, node, bit) for bit in range(5, 4 + count.bit_length() - 1)] for node in nodes
    ]

    def one(tables: Sequence[Value], node: Value, bits: Sequence[Value]) -> Value:
        kind = tables[0].type
        suffixes = ("sf", "ps") if kind.element == FLOAT else ("si", "d")
        if len(tables) == 1:
            return call(builder, f"llvm.x86.avx512.permvar.{suffixes[0]}.512", kind, tables[0], node)
        pairs = zip(tables[::2], tables[1::2], strict=True)
        name = f"llvm.x86.avx512.vpermi2var.{suffixes[1]}.512"
        found = [call(builder, name, kind, low, node, high) for low, high in pairs]
        return _narrowed(builder, found, bits)

    def find(at: Value, kind: Kind) -> list[Value]:
        places = (builder.add(at, long(_LINE * (first + i))) for i in range(count))
        tables = [load(builder, kind, place) for place in places]
        return [one(tables, node, bits) for node, bits in zip(nodes, chosen, strict=True)]

    return find


def by_choice(builder: Builder, level: int, nodes: Sequence[Value]) -> Find:
    """Of a level near the root: each bit of a place chooses between two numbers."""
    chosen = [[_has_bit(builder, node, bit) for bit in range(level)] for node in nodes]

    def find(at: Value, kind: Kind) -> list[Value]:
        places = (builder.add(at, long(4 * node)) for node in range(1 << level, 2 << level))
        numbers = [_spread(builder, load(builder, kind.element, place), kind) for place in places]
        return [_narrowed(builder, numbers, bits) for bits in chosen]

    return find


def in_memory(builder: Builder, nodes: Sequence[Value]) -> Find:
    """From memory, one by one."""
    offsets = [
        [
            builder.shl(builder.zext(builder.extract_element(node, INT(lane)), LONG), long(2))
            for lane in range(node.type.count)
        ]
        for node in nodes
    ]

    def one(at: Value, kind: Kind, places: Sequence[Value]) -> Value:
        found = ir.Constant(kind, ir.Undefined)
        for lane, place in enumerate(places):
            number = load(builder, kind.element, builder.add(at, place))
            found = builder.insert_element(found, number, INT(lane))
        return found

    return lambda at, kind: [one(at, kind, places) for places in offsets]


def gathered(builder: Builder, nodes: Sequence[Value]) -> Find:
    """From memory, by an instruction of AVX-512."""

    def find(at: Value, kind: Kind) -> list[Value]:
        name = f"llvm.x86.avx512.mask.gather.{'dps' if kind.element == FLOAT else 'dpi'}.512"
        base = builder.inttoptr(at, ir.IntType(8).as_pointer())
        everywhere = all_of(vector(BIT, kind.count), 1)
        return [call(builder, name, kind, all_of(kind, 0), base, node, everywhere, INT(4)) for node in nodes]

    return find


def _has_bit(builder: Builder, node: Value, bit: int) -> Value:
    return builder.icmp_unsigned("!=", builder.and_(node, all_of(node.type, 1 << bit)), all_of(node.type, 0))


def _narrowed(builder: Builder, found: Sequence[Value], bits: Sequence[Value]) -> Value:
    """The one of 2**n vectors that n bits choose, the lowest bit first."""
    for bit in bits:
        pairs = zip(found[::2], found[1::2], strict=True)
        found = [builder.select(bit, high, low) for low, high in pairs]
    return found[0]


def _spread(builder: Builder, number: Value, kind: Kind) -> Value:
    alone = builder.insert_element(ir.Constant(kind, ir.Undefined), number, INT(0))
    first = ir.Constant(vector(INT, kind.count), None)
    return builder.shuffle_vector(alone, ir.Constant(kind, ir.Undefined), first)
