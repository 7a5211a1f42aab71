"""Rows down a tree, several at once, written in the language of LLVM.

Each way of looking numbers up does the same arithmetic in the same order for each row, so that all give the
same result. Every machine has the portable one; AVX-512, where the compiler finds it, has one of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]  # it has no types
from numba import types

from vo.forest.instructions import instruction
from vo.forest.lookups import (
    FLOAT,
    INT,
    Builder,
    Find,
    Kind,
    Value,
    all_of,
    by_choice,
    call,
    gathered,
    has_registers,
    in_memory,
    in_registers,
    load,
    long,
    untyped,
    vector,
)

LINE = 16
"""Numbers that a row of a tree has at least, and by which shorter trees are told from deeper ones."""

ROWS = 64
"""Rows come in multiples of this."""


_tuple: Any = types.Tuple  # it has no types
_THREE = _tuple((types.int64,) * 3)


@dataclass(frozen=True)
class _Way:
    """How groups of rows find numbers: on `levels`, in the leaves of trees of some depths, elsewhere."""

    lanes: int
    groups: int
    level: Callable[[Builder, int, Sequence[Value]], Find]
    levels: range
    leaf: Callable[[Builder, int, Sequence[Value]], Find]
    leaves: range
    deeper: Callable[[Builder, Sequence[Value]], Find]


def _register_level(builder: Builder, level: int, nodes: Sequence[Value]) -> Find:
    first = (1 << level) // LINE
    return in_registers(builder, first, max(first, 1), nodes)


def _register_leaf(builder: Builder, depth: int, nodes: Sequence[Value]) -> Find:
    return in_registers(builder, 0, (1 << depth) // LINE, nodes)


_PORTABLE = _Way(8, 2, by_choice, range(3), by_choice, range(0), in_memory)
_WIDE = _Way(16, 4, _register_level, range(8), _register_leaf, range(4, 9), gathered)


@dataclass(frozen=True)
class _Walk:
    """The code of a walk while it is written: its arguments are addresses and numbers."""

    builder: Builder
    way: _Way
    sparse: bool
    table: Value
    n_cut: Value
    depth: Value
    rows: Value
    stride: Value
    sums: Value

    def write(self) -> None:
        """Down all levels, and the path lengths of the leaves to the sums."""
        b = self.builder
        nodes = [untyped.alloca_once_value(b, all_of(self._kind(INT), 1)) for _ in range(self.way.groups)]
        leaves = b.append_basic_block("leaves")
        for level in self.way.levels:
            deeper = b.append_basic_block(f"level{level}")
            b.cbranch(b.icmp_signed(">", self.depth, long(level)), deeper, leaves)
            b.position_at_end(deeper)
            here = [b.load(node) for node in nodes]
            self._descend(self.way.level(b, level, here), nodes)
        with untyped.for_range_slice(b, long(len(self.way.levels)), self.depth, long(1)):
            self._descend(self.way.deeper(b, [b.load(node) for node in nodes]), nodes)
        b.branch(leaves)
        b.position_at_end(leaves)
        self._end([b.load(node) for node in nodes])

    def _kind(self, element: Kind) -> Kind:
        return vector(element, self.way.lanes)

    def _row(self, number: Value) -> Value:
        """The address of a row of the table."""
        places = self.builder.shl(long(4), self.depth)
        short = self.builder.icmp_signed("<", places, long(4 * LINE))
        size = self.builder.select(short, long(4 * LINE), places)
        return self.builder.add(self.table, self.builder.mul(number, size))

    def _descend(self, find: Find, nodes: Sequence[Value]) -> None:
        """From nodes to their children."""
        b, floats, ints = self.builder, self._kind(FLOAT), self._kind(INT)
        totals = [untyped.alloca_once(b, floats) for _ in nodes]
        for total in totals:
            b.store(all_of(floats, 0.0), total)
        with untyped.for_range(b, self.n_cut) as loop:
            values = self._scattered(find, loop.index) if self.sparse else self._aligned(loop.index)
            weights = find(self._row(loop.index), floats)
            for total, weight, value in zip(totals, weights, values, strict=True):
                name = f"llvm.fma.v{self.way.lanes}f32"
                b.store(call(b, name, floats, weight, value, b.load(total)), total)
        for total, threshold, node in zip(totals, find(self._row(self.n_cut), floats), nodes, strict=True):
            right = b.zext(b.fcmp_unordered(">=", b.load(total), threshold), ints)
            b.store(b.add(b.shl(b.load(node), all_of(ints, 1)), right), node)

    def _aligned(self, feature: Value) -> list[Value]:
        """The values of a feature that all nodes cut."""
        b = self.builder
        row = b.add(self.rows, b.mul(feature, self.stride))
        starts = (b.add(row, long(4 * self.way.lanes * group)) for group in range(self.way.groups))
        return [load(b, self._kind(FLOAT), start) for start in starts]

    def _scattered(self, find: Find, place: Value) -> list[Value]:
        """The values of the features that are at a place of the cuts of the nodes."""
        b, ints = self.builder, self._kind(INT)
        features = find(self._row(b.add(b.add(self.n_cut, long(2)), place)), ints)
        width = b.trunc(b.lshr(self.stride, long(2)), INT)
        widths = b.insert_element(ir.Constant(ints, ir.Undefined), width, INT(0))
        widths = b.shuffle_vector(widths, ir.Constant(ints, ir.Undefined), all_of(ints, 0))
        at = []
        for group, feature in enumerate(features):
            lanes = range(self.way.lanes * group, self.way.lanes * (group + 1))
            at.append(b.add(b.mul(feature, widths), ir.Constant(ints, [INT(lane) for lane in lanes])))
        return self.way.deeper(b, at)(self.rows, self._kind(FLOAT))

    def _end(self, nodes: Sequence[Value]) -> None:
        """Add path lengths: the leaf at place 2**depth + i has that of place i, in a short row its own."""
        b = self.builder
        paths, done = self._row(b.add(self.n_cut, long(1))), b.append_basic_block("done")
        for depth in self.way.leaves:
            here, other = b.append_basic_block("here"), b.append_basic_block("other")
            b.cbranch(b.icmp_signed("<=", self.depth, long(depth)), here, other)
            b.position_at_end(here)
            self._add(self.way.leaf(b, depth, nodes)(paths, self._kind(INT)))
            b.branch(done)
            b.position_at_end(other)
        places = b.shl(long(4), self.depth)
        before = b.select(b.icmp_signed("<", places, long(4 * LINE)), long(0), places)
        self._add(self.way.deeper(b, nodes)(b.sub(paths, before), self._kind(INT)))
        b.branch(done)
        b.position_at_end(done)

    def _add(self, lengths: Sequence[Value]) -> None:
        b, ints = self.builder, self._kind(INT)
        for group, length in enumerate(lengths):
            at = b.inttoptr(b.add(self.sums, long(4 * self.way.lanes * group)), ints.as_pointer())
            b.store(b.add(b.load(at, align=4), length), at, align=4)


def _walking(way: _Way, *, sparse: bool, possible: Callable[[], bool]) -> Callable[..., None]:
    """An instruction that adds path lengths to sums, called with (table, n_cut, depth), (rows, stride, sums).

    The table of a tree has rows of max(LINE, 2**depth) numbers: weights for each of `n_cut` features,
    thresholds, path lengths and, where it is sparse, which features are cut. Features of the rows lie
    `stride` bytes apart. Where the instruction is not possible it does nothing.
    """

    def walk(_typing: Value, _tree: Value, _rows: Value) -> tuple[Any, Callable[..., Any]]:
        def generate(context: Any, builder: Builder, _signature: Any, values: Any) -> Any:  # noqa: ANN401  Numba's
            if possible():
                tree, rows = (untyped.unpack_tuple(builder, value) for value in values)
                _Walk(builder, way, sparse, *tree, *rows).write()
            return context.get_dummy_value()

        return types.void(_THREE, _THREE), generate

    return instruction(walk)


def _always() -> bool:
    return True


PORTABLE_ROWS, WIDE_ROWS = (way.lanes * way.groups for way in (_PORTABLE, _WIDE))
portable = _walking(_PORTABLE, sparse=False, possible=_always)
portable_sparse = _walking(_PORTABLE, sparse=True, possible=_always)
wide = _walking(_WIDE, sparse=False, possible=has_registers)
wide_sparse = _walking(_WIDE, sparse=True, possible=has_registers)
