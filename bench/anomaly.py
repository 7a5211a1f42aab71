"""The extended isolation forest beside its peers on the same rows, each in a process of its own.

    python bench/anomaly.py [--rows 100000,1000000,5000000] [--features 2,6,20] [--trees 100,200]
                            [--threads 1,2] [--peers vo,eif] [--environments DIR] [--quality FORESTS]

Peers are installed into virtual environments below DIR (build/anomaly), where they can be built; others are
left out. Rates are millions of rows in a tree a second: of processor time, and by the clock. Peers that would
take minutes score the first rows only. With --quality the scores are compared instead: the ranks of scores of
1,000 trees with those of ours, and areas under the ROC curve of so many forests a side.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from anomaly_peer import FORESTS

HERE = Path(__file__).resolve().parent
PEERS = {
    "eif": ("eif", ("numpy<2", "cython<3", "setuptools<70", "wheel"), ("eif==2.0.2",)),
    "isotree": ("others", (), ()),
    "treeple": ("others", (), ()),
    "coniferest": ("others", (), ()),
    "scikit-learn": ("others", (), ()),
}
"""Of each peer: its environment, what its building needs, the rest."""

OTHERS = ("scikit-learn==1.6.1", "isotree==0.6.1.post10", "pandas", "treeple==0.10.3", "coniferest==0.2.2")
"""treeple 0.10 was built for this scikit-learn."""

MOST = {"eif": 2e6, "isotree": 5e6, "treeple": 5e6, "scikit-learn": 2e7, "coniferest": 5e7}
"""Rows times trees that a peer scores: a second or two."""

AXES = ("vo axes", "vo axes portable", "coniferest", "scikit-learn")


def main() -> None:
    """Print a table for each set of rows."""
    options = _options()
    pythons = {name: python for name in options.peers if (python := _python(name, options.environments))}
    print("left out:", ", ".join(name for name in options.peers if name not in pythons) or "nobody")
    if options.quality:
        _quality(pythons, options.quality)
        return
    for numbers in product(options.rows, options.features, options.trees, options.threads):
        _compare(pythons, *numbers)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in (("rows", "100000,1000000,5000000"), ("features", "2,6,20"), ("trees", "100,200")):
        parser.add_argument(f"--{name}", type=_numbers, default=default)
    parser.add_argument("--threads", type=_numbers, default="1,2")
    parser.add_argument("--peers", type=lambda text: text.split(","), default=list(FORESTS))
    parser.add_argument("--environments", type=Path, default=HERE.parent / "build" / "anomaly")
    parser.add_argument("--quality", type=int, default=0, metavar="FORESTS")
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _python(name: str, environments: Path) -> str | None:
    """The Python that has a forest; None where it cannot be installed."""
    if name not in PEERS:
        return sys.executable
    place, building, package = PEERS[name]
    python = environments / place / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", environments / place], check=True)
        for wanted in (building, package or OTHERS):
            if wanted:
                _install(python, wanted)
    module = {"scikit-learn": "sklearn"}.get(name, name)
    there = subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False)
    return str(python) if there.returncode == 0 else None


def _install(python: Path, packages: tuple[str, ...]) -> None:
    quiet = ["--quiet", "--no-build-isolation"]
    subprocess.run([python, "-m", "pip", "install", *quiet, *packages], capture_output=True, check=False)


def _run(python: str, name: str, *arguments: object) -> dict[str, Any]:
    command = [python, str(HERE / "anomaly_peer.py"), name, *map(str, arguments)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(answer.stdout.splitlines()[-1]))


def _compare(pythons: dict[str, str], rows: int, features: int, trees: int, threads: int) -> None:
    print(f"\n{rows:,} rows, {features} features, {trees} trees, {threads} threads")
    print(
        f"{'':18} {'fit s':>7} {'score s':>8} {'cpu s':>8} {'M/cpu s':>8} {'M/s':>8} {'MB':>6}  vo is ahead"
    )
    rates: dict[str, float] = {}
    for name, python in pythons.items():
        if name == "eif" and threads > 1:
            continue  # it has no threads
        scored = min(rows, int(MOST.get(name, np.inf) / trees) if name in MOST else rows)
        told = _run(python, name, rows, features, trees, threads, scored, 1)
        wall, processor = told["score"]
        walks = scored * trees / 1e6
        rates[name] = walks / processor
        memory = told["memory"] / 1e6
        scale = rows / scored  # the rest takes as long a row
        print(
            f"{name:18} {told['fit'][0]:7.2f} {wall * scale:8.2f} {processor * scale:8.2f}"
            f" {walks / processor:8.1f} {walks / wall:8.1f} {memory:6.0f}  {_ahead(name, rates)}",
            flush=True,
        )


def _ahead(name: str, rates: dict[str, float]) -> str:
    """How many times the rate of a peer ours are, by processor time."""
    if name.startswith("vo"):
        return ""
    ours = [each for each in rates if each.startswith("vo") and (each in AXES) == (name in AXES)]
    return ", ".join(f"{rates[each] / rates[name]:.1f} ({each})" for each in ours)


def _quality(pythons: dict[str, str], forests: int) -> None:
    """Ranks of mean scores beside ours and another seed, areas of single forests with their scatter."""
    print(f"{'':29} {'Spearman':>8} {'itself':>8} {'AUC':>7} {'scatter':>8}")
    with tempfile.TemporaryDirectory() as directory:
        for title, data, strange in _sets():
            np.save(Path(directory) / "data.npy", data)
            means: dict[str, Any] = {}
            for name, python in pythons.items():
                plans = [(1000, 77), (1000, 78), *((100, seed) for seed in range(forests))]
                means[name], again, *found = (
                    _scores(python, name, Path(directory), (*data.shape, trees), seed)
                    for trees, seed in plans
                )
                rank = _spearman(means[name], means.get("vo axes" if name in AXES else "vo", means[name]))
                areas = [_area(scores, strange) for scores in found]
                numbers = rank, _spearman(means[name], again), np.mean(areas), np.std(areas)
                print(f"{title:12} {name:16} {' '.join(f'{n:8.4f}' for n in numbers)}", flush=True)


def _scores(python: str, name: str, directory: Path, shape: tuple[int, int, int], seed: int) -> Any:  # noqa: ANN401
    data, scores = directory / "data.npy", directory / "scores.npy"
    _run(python, name, *shape, 1, shape[0], seed, data, scores)
    return np.load(scores)


def _sets() -> Iterator[tuple[str, Any, Any]]:
    """Rows of which some are strange: around two clouds, off a sine, around a ball in six dimensions."""
    rng = np.random.default_rng(4)
    box = rng.uniform(-6, 16, (100, 2))
    clouds = np.concatenate([rng.normal(0, 1, (1000, 2)), rng.normal(10, 1, (1000, 2)), box])
    yield "clouds", clouds.astype(np.float32), np.arange(2100) >= 2000
    x = rng.uniform(0, 10 * np.pi, 2000)
    wave = np.stack([x, 3 * np.sin(x) + rng.normal(0, 0.3, 2000)], axis=1)
    off = np.stack([rng.uniform(0, 10 * np.pi, 100), rng.uniform(-6, 6, 100)], axis=1)
    yield "sinusoid", np.concatenate([wave, off]).astype(np.float32), np.arange(2100) >= 2000
    ball = np.concatenate([rng.normal(0, 1, (3000, 6)), rng.normal(0, 1.8, (150, 6))])
    yield "ball", ball.astype(np.float32), np.arange(3150) >= 3000


def _ranks(values: Any) -> Any:  # noqa: ANN401  an array
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def _spearman(one: Any, other: Any) -> float:  # noqa: ANN401
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def _area(scores: Any, strange: Any) -> float:  # noqa: ANN401
    ranks, count = _ranks(scores), int(strange.sum())
    return float((ranks[strange].sum() - count * (count + 1) / 2) / count / (len(scores) - count))


if __name__ == "__main__":
    main()
