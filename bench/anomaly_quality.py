"""Whether the forest finds what its references find: ranks of scores, and what many forests a side find.

    python bench/anomaly_quality.py [--forests 30] [--trees 1000] [--sets clouds,wine] [--environments DIR]

Fully inclined cuts are held against eif, the package of the paper, cuts along the axes against scikit-learn.
Ranks: Spearman's coefficient between scores of 1,000 trees, the mean of all pairs of four forests a side,
beside that of two forests of the reference, and of two of ours. Areas under the ROC curve: of so many forests
of 100 trees a side, mean and scatter of one. What must hold: ranks agree to 0.98, or as well as two forests
of the reference, but for the scatter of that; the means of the areas are apart by less than the scatter of
one forest. The last column tells how far they are apart in errors of their difference.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
from anomaly_environments import ENVIRONMENTS, HERE, python_of, run
from anomaly_sets import BUNDLED, MADE

PAIRS = (("vo", "eif"), ("vo axes", "scikit-learn"))
RANKS = 0.98
MANY = range(700, 1100, 100)
"""Seeds of the forests of many trees."""


@dataclass(frozen=True)
class Rows:
    """A set, in a file that every forest reads."""

    title: str
    directory: Path
    shape: tuple[int, int]
    strange: Any


@dataclass(frozen=True)
class Found:
    """What a forest found: scores of each lot of many trees, and the areas of the others."""

    many: Any
    areas: Any


def main() -> None:
    """Print a line for each set and pair; end with 1 if one of them does not hold."""
    options = _options()
    pythons = {
        name: python for pair in PAIRS for name in pair if (python := python_of(name, options.environments))
    }
    print(f"{'':29}{'Spearman':>9}{'theirs':>8}{'ours':>8}{'AUC':>9}{'':9}{'theirs':>8}{'':9}{'apart':>6}")
    failed = False
    with tempfile.TemporaryDirectory() as directory:
        for rows in _sets(options.sets, pythons.get("scikit-learn"), Path(directory)):
            for pair in PAIRS:
                if set(pair) <= set(pythons):
                    ours, theirs = (_found(pythons[name], name, rows, options) for name in pair)
                    failed |= not _holds(f"{rows.title:14} {pair[1]:13}", ours, theirs)
    sys.exit(failed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--forests", type=int, default=30)
    parser.add_argument("--trees", type=int, default=1000)
    parser.add_argument("--sets", type=lambda text: text.split(","), default=[*MADE, *BUNDLED])
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS)
    return parser.parse_args()


def _sets(names: list[str], sklearn: str | None, directory: Path) -> Iterator[Rows]:
    for name in names:
        if name in MADE:
            rows, strange = MADE[name](np.random.default_rng(4))
        elif sklearn:
            path = directory / f"{name}.npz"
            subprocess.run([sklearn, HERE / "anomaly_sets.py", name, path], check=True)
            with np.load(path) as kept:
                rows, strange = kept["rows"], kept["strange"]
        else:
            continue
        np.save(directory / "data.npy", rows.astype(np.float32))
        yield Rows(name, directory, rows.shape, strange)


def _found(python: str, name: str, rows: Rows, options: argparse.Namespace) -> Found:
    def scores(trees: int, seeds: range) -> Any:  # noqa: ANN401  an array
        data, kept = rows.directory / "data.npy", rows.directory / "scores.npy"
        run(python, name, *rows.shape, trees, 1, rows.shape[0], ",".join(map(str, seeds)), data, kept)
        return np.load(kept)

    areas = [area(each, rows.strange) for each in scores(100, range(options.forests))]
    return Found(scores(options.trees, MANY), np.array(areas))


def _holds(title: str, ours: Found, theirs: Found) -> bool:
    across = np.array([spearman(*pair) for pair in product(ours.many, theirs.many)])
    within = [np.array([spearman(*pair) for pair in combinations(each.many, 2)]) for each in (theirs, ours)]
    apart = ours.areas.mean() - theirs.areas.mean()
    scatter = [each.areas.std(ddof=1) for each in (ours, theirs)]
    wanted = min(RANKS, within[0].mean() - within[0].std(ddof=1))
    holds = bool(across.mean() >= wanted and abs(apart) <= max(scatter))
    ranks = " ".join(f"{each.mean():8.4f}" for each in (across, *within))
    areas = " ".join(
        f"{each.areas.mean():8.4f} ± {s:.4f}" for each, s in zip((ours, theirs), scatter, strict=True)
    )
    error = np.hypot(*scatter) / np.sqrt(len(ours.areas))
    print(title, ranks, areas, f"{apart / error:6.1f}  {'holds' if holds else 'DOES NOT HOLD'}", flush=True)
    return holds


def _ranks(values: Any) -> Any:  # noqa: ANN401  an array
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def spearman(one: Any, other: Any) -> float:  # noqa: ANN401
    """Spearman's rank correlation."""
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def area(scores: Any, strange: Any) -> float:  # noqa: ANN401
    """The area under the ROC curve (Mann and Whitney's U)."""
    ranks, count = _ranks(scores), int(strange.sum())
    return float((ranks[strange].sum() - count * (count + 1) / 2) / count / (len(scores) - count))


if __name__ == "__main__":
    main()
