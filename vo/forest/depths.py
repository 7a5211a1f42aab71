"""How deep rows lie in a forest, and the scores that follow from it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from vo.compiled import compiled
from vo.errors import UsageError
from vo.forest import walk
from vo.forest.lookups import has_registers
from vo.forest.settings import PATH_UNIT, average_paths
from vo.forest.trees import Forest

_BLOCK = 4096
"""Rows that are the work of a thread at a time."""

_NEAR = 6144
"""Values of rows that, with a tree, stay in the nearest cache."""

_SPARSE = {False: 4, True: 10}
"""Without and with AVX-512, to look up which feature is cut costs as much as to add up so many."""

_TREES = 32
"""Trees whose path lengths, of at most 16 + c(65536) < 39 edges, add up to less than 2**31."""


def depths(
    forest: Forest, columns: NDArray[np.float32], *, threads: int = 1, wide: bool | None = None
) -> NDArray[np.int64]:
    """The sum of each row's path lengths over the trees, in PATH_UNIT; `columns` has shape (features, rows).

    Sums of parts of a forest add up to those of the whole, exactly. `wide` is whether AVX-512 is used; left
    out, it is where it can be, and the sums are the same.
    """
    columns = np.asarray(columns, np.float32)
    if columns.ndim != 2 or len(columns) != forest.n_features:  # noqa: PLR2004  features, rows
        raise UsageError(f"The forest knows {forest.n_features} features, the rows have {len(columns)}.")
    sums = np.zeros(columns.shape[1], np.int64)
    wide = has_registers() and wide is not False
    sparse = _SPARSE[wide] * forest.features.shape[1] < forest.n_features
    tables = forest.sparse_tables if sparse else forest.tables
    shape = forest.depth, forest.features.shape[1] if sparse else forest.n_features
    columns = np.ascontiguousarray(columns)
    in_blocks(
        lambda rows: _add_depths(tables, shape, (wide, sparse), columns, rows.start, sums[rows]),
        len(sums),
        threads,
    )
    return sums


def scores(sums: NDArray[np.int64], ntrees: int, sample_size: int) -> NDArray[np.float64]:
    """Anomaly scores s = 2^(-E[h] / c(n)) between 0 and 1, from sums of path lengths over `ntrees` trees.

    Liu, Ting & Zhou 2008, eq. 2; Hariri, Carrasco Kind & Brunner 2019, eq. 1.
    """
    average = PATH_UNIT * ntrees * float(average_paths(sample_size)[sample_size])
    return np.exp2(sums / -average)


def in_blocks(work: Callable[[slice], None], n_rows: int, threads: int) -> None:
    """Have `work` done on all rows, in blocks, by so many threads."""
    blocks = [slice(start, min(start + _BLOCK, n_rows)) for start in range(0, n_rows, _BLOCK)]
    if threads == 1 or len(blocks) == 1:
        for block in blocks:
            work(block)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, blocks))


@compiled
def _add_depths(
    tables: NDArray[np.float32],
    shape: tuple[int, int],
    way: tuple[bool, bool],
    columns: NDArray[np.float32],
    first: int,
    sums: NDArray[np.int64],
) -> None:
    """Copies of rows that stay in the nearest cache, through trees whose sums fit into 32 bits."""
    n_rows = min(_NEAR // (len(columns) + 2), len(sums)) // walk.ROWS * walk.ROWS + walk.ROWS
    near, sums_here = np.zeros((len(columns), n_rows), np.float32), np.empty(n_rows, np.int32)
    for start in range(0, len(sums), n_rows):
        rows = min(n_rows, len(sums) - start)
        part = sums_here[: -(-rows // walk.ROWS) * walk.ROWS]
        for feature in range(len(columns)):
            for row in range(rows):
                near[feature, row] = columns[feature, first + start + row]
        for tree in range(0, len(tables), _TREES):
            part[:] = 0
            _walk_trees(tables[tree : tree + _TREES], shape, way, near, part)
            for row in range(rows):
                sums[start + row] += part[row]


@compiled
def _walk_trees(
    tables: NDArray[np.float32],
    shape: tuple[int, int],
    way: tuple[bool, bool],
    rows: NDArray[np.float32],
    part: NDArray[np.int32],
) -> None:
    depth, n_cut = shape
    stride, at, sums, size = rows.strides[0], rows.ctypes.data, part.ctypes.data, 4 * len(part)
    for number in range(len(tables)):
        tree = tables[number].ctypes.data, n_cut, depth
        if way == (True, True):
            for row in range(0, size, 4 * walk.WIDE_ROWS):
                walk.wide_sparse(tree, (at + row, stride, sums + row))
        elif way == (True, False):
            for row in range(0, size, 4 * walk.WIDE_ROWS):
                walk.wide(tree, (at + row, stride, sums + row))
        elif way == (False, True):
            for row in range(0, size, 4 * walk.PORTABLE_ROWS):
                walk.portable_sparse(tree, (at + row, stride, sums + row))
        else:
            for row in range(0, size, 4 * walk.PORTABLE_ROWS):
                walk.portable(tree, (at + row, stride, sums + row))
