"""One forest, one set of rows, one process: how long it takes, told as a line of JSON.

    python bench/anomaly_peer.py NAME ROWS FEATURES TREES THREADS SCORED SEEDS [DATA.npy SCORES.npy]

bench/anomaly.py calls this with the Python that has the peer. SCORED of the ROWS are scored. Without DATA the
rows are made here, the same for all. SCORES has a row for each of the SEEDS, which are separated by commas.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

SAMPLE = 256
Scorer = Callable[[Any], Any]


def rows(count: int, features: int) -> Any:  # noqa: ANN401  an array
    """Four clouds of different widths in single precision: the same rows every time."""
    rng = np.random.Generator(np.random.PCG64(20))
    made = rng.standard_normal((count, features), dtype=np.float32)
    made *= rng.choice([0.5, 1.0, 2.0], count)[:, None].astype(np.float32)
    return made + 4 * rng.integers(0, 4, count)[:, None].astype(np.float32)


def _size(data: Any) -> int:  # noqa: ANN401
    return min(SAMPLE, len(data))


def _vo(data: Any, trees: int, threads: int, seed: int, *, extension: int | None, wide: bool) -> Scorer:  # noqa: ANN401
    sample, grow, depths = (import_module(f"vo.forest.{name}") for name in ("sample", "grow", "depths"))

    settings = grow.Settings(trees, SAMPLE, extension, seed=seed)
    none = sample.empty(seed, sample.capacity(settings, data.shape[1]), data.shape[1])
    drawn = sample.offered(none, data.T, np.arange(len(data)))
    forest = grow.grow(drawn.columns.astype(np.float32), settings, threads=threads)

    def score(these: Any) -> Any:  # noqa: ANN401
        columns = np.ascontiguousarray(these.T, np.float32)
        sums = depths.depths(forest, columns, threads=threads, wide=wide)
        return depths.scores(sums, trees, _size(data))

    return score


def _eif(data: Any, trees: int, _threads: int, seed: int) -> Scorer:  # noqa: ANN401
    level = data.shape[1] - 1
    forest = import_module("eif").iForest(
        data.astype(np.float64), ntrees=trees, sample_size=_size(data), ExtensionLevel=level, seed=1000 * seed
    )
    return lambda these: forest.compute_paths(X_in=these.astype(np.float64))


def _isotree(data: Any, trees: int, threads: int, seed: int) -> Scorer:  # noqa: ANN401
    forest = import_module("isotree").IsolationForest(
        ndim=data.shape[1],
        ntrees=trees,
        sample_size=_size(data),
        missing_action="fail",
        coefs="normal",
        standardize_data=False,
        nthreads=threads,
        random_seed=seed,
    )
    return forest.fit(data).predict


def _treeple(data: Any, trees: int, threads: int, seed: int) -> Scorer:  # noqa: ANN401
    forest = import_module("treeple").ExtendedIsolationForest(
        n_estimators=trees,
        max_samples=_size(data),
        feature_combinations=data.shape[1],
        n_jobs=threads,
        random_state=seed,
    )
    scored = forest.fit(data)
    return lambda these: -scored.score_samples(these)


def _sklearn(data: Any, trees: int, threads: int, seed: int) -> Scorer:  # noqa: ANN401
    forest = import_module("sklearn.ensemble").IsolationForest(
        n_estimators=trees, max_samples=_size(data), n_jobs=threads, random_state=seed
    )
    scored = forest.fit(data)
    return lambda these: -scored.score_samples(these)


def _coniferest(data: Any, trees: int, threads: int, seed: int) -> Scorer:  # noqa: ANN401
    forest = import_module("coniferest.isoforest").IsolationForest(
        n_trees=trees, n_subsamples=_size(data), n_jobs=threads, random_seed=seed
    )
    scored = forest.fit(data)
    return lambda these: -scored.score_samples(these)


FORESTS: dict[str, Callable[[Any, int, int, int], Scorer]] = {
    "vo": lambda *a: _vo(*a, extension=None, wide=True),
    "vo portable": lambda *a: _vo(*a, extension=None, wide=False),
    "eif": _eif,
    "isotree": _isotree,
    "treeple": _treeple,
    "vo axes": lambda *a: _vo(*a, extension=0, wide=True),
    "vo axes portable": lambda *a: _vo(*a, extension=0, wide=False),
    "coniferest": _coniferest,
    "scikit-learn": _sklearn,
}


def main() -> None:
    """Fit once and score, twice where loops have to be compiled first."""
    name, *numbers, listed = sys.argv[1:8]
    count, features, trees, threads, scored = map(int, numbers)
    seed, *more = map(int, listed.split(","))
    data = np.load(sys.argv[8]) if len(sys.argv) > 8 else rows(count, features)
    fit = FORESTS[name]
    fit(data[: 4 * SAMPLE], 2, 1, 1)(data[: 4 * SAMPLE])  # compiles, imports
    before = _memory()
    score, fitted = _timed(lambda: fit(data, trees, threads, seed))
    found, took = _timed(lambda: score(data[:scored]))
    told = {"fit": fitted, "score": took, "memory": _memory() - before}
    if len(sys.argv) > 9:
        others = [fit(data, trees, threads, other)(data[:scored]) for other in more]
        np.save(sys.argv[9], np.array([found, *others], np.float64))
    print(json.dumps(told))


def _timed(work: Callable[[], Any]) -> tuple[Any, tuple[float, float]]:
    """What work gives, and its seconds by the clock and of the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work()
    return result, (time.perf_counter() - wall, time.process_time() - processor)


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
