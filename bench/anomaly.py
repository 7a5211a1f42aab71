"""The extended isolation forest beside its peers on the same rows, each in a process of its own.

    python bench/anomaly.py [--rows 100000,1000000,5000000] [--features 2,6,20] [--trees 100,200]
                            [--threads 1,2] [--peers vo,eif] [--environments DIR]

Peers are installed into virtual environments below DIR (build/anomaly), where they can be built; others are
left out. Rates are millions of rows in a tree a second: of processor time, and by the clock. Peers that would
take minutes score the first rows only. bench/anomaly_quality.py compares what they find.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import numpy as np
from anomaly_environments import ENVIRONMENTS, python_of, run
from anomaly_peer import FORESTS

MOST = {"eif": 2e6, "isotree": 5e6, "treeple": 5e6, "scikit-learn": 2e7, "coniferest": 5e7}
"""Rows times trees that a peer scores: a second or two."""

AXES = ("vo axes", "vo axes portable", "coniferest", "scikit-learn")


def main() -> None:
    """Print a table for each set of rows."""
    options = _options()
    pythons = {name: python for name in options.peers if (python := python_of(name, options.environments))}
    print("left out:", ", ".join(name for name in options.peers if name not in pythons) or "nobody")
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
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS)
    return parser.parse_args()


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


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
        told = run(python, name, rows, features, trees, threads, scored, 1)
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


if __name__ == "__main__":
    main()
