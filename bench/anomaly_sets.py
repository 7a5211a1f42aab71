"""Rows of which some are strange: made here, or those that come with scikit-learn.

    python bench/anomaly_sets.py NAME FILE.npz

bench/anomaly_quality.py calls this with the Python that has scikit-learn, for the sets in BUNDLED. Rows of
one class are strange, as many of them as are a tenth of the others.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import numpy as np

BUNDLED = {"breast_cancer": 0, "wine": 0, "iris": 2, "digits": 8}
"""Sets in the package itself, and the class that is strange: malignant tumours, a wine, a flower, a digit."""


def clouds(rng: np.random.Generator) -> tuple[Any, Any]:
    """Two clouds, and strange rows anywhere."""
    box = rng.uniform(-6, 16, (100, 2))
    made = [rng.normal(0, 1, (1000, 2)), rng.normal(10, 1, (1000, 2)), box]
    return np.concatenate(made), np.arange(2100) >= 2000


def sinusoid(rng: np.random.Generator) -> tuple[Any, Any]:
    """A sine with some scatter, and strange rows beside it."""
    x = rng.uniform(0, 10 * np.pi, 2000)
    wave = np.stack([x, 3 * np.sin(x) + rng.normal(0, 0.3, 2000)], axis=1)
    off = np.stack([rng.uniform(0, 10 * np.pi, 100), rng.uniform(-6, 6, 100)], axis=1)
    return np.concatenate([wave, off]), np.arange(2100) >= 2000


def ball(rng: np.random.Generator) -> tuple[Any, Any]:
    """A ball in six dimensions, and strange rows in a wider one."""
    made = [rng.normal(0, 1, (3000, 6)), rng.normal(0, 1.8, (150, 6))]
    return np.concatenate(made), np.arange(3150) >= 3000


MADE: Mapping[str, Callable[[np.random.Generator], tuple[Any, Any]]] = {
    "clouds": clouds,
    "sinusoid": sinusoid,
    "ball": ball,
}


def bundled(name: str) -> tuple[Any, Any]:
    """A set of scikit-learn, its columns in units of their deviations."""
    found = getattr(import_module("sklearn.datasets"), f"load_{name}")()
    strange = found.target == BUNDLED[name]
    others = np.flatnonzero(~strange)
    chosen = np.concatenate([others, np.flatnonzero(strange)[: max(5, len(others) // 10)]])
    rows = found.data[chosen].astype(np.float64)
    rows = rows[:, rows.std(axis=0) > 0]
    return (rows - rows.mean(axis=0)) / rows.std(axis=0), strange[chosen]


def main() -> None:
    """Write one of the bundled sets."""
    name, path = sys.argv[1:]
    rows, strange = bundled(name)
    np.savez(path, rows=rows, strange=strange)


if __name__ == "__main__":
    main()
