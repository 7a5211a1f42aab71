"""The geometry of queries beside brute force in 80 bits: random cases of every size, every answer judged.

    python bench/geometry.py [CASES] [SEED]

CASES (100,000) are asked through columns, a fiftieth of them in numbers as well.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1] / "tests")  # bench has an adql of its own

from adql.geometry_cases import Verdict, judged, judged_cones, judged_polygons  # noqa: E402

CHUNK = 10_000


def main() -> None:
    """Judge, print a table; the process fails if an answer was wrong."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    started = time.monotonic()
    verdicts = [judged(min(CHUNK, count - first), seed + first) for first in range(0, count, CHUNK)]
    verdicts += [judged_cones(count // 50, 500, seed), judged_polygons(count // 50, seed)]
    _print(verdicts, time.monotonic() - started)
    sys.exit(any(verdict.wrong for verdict in verdicts))


def _print(verdicts: list[Verdict], seconds: float) -> None:
    right, uncertain = Counter[str](), Counter[str]()
    wrong = Counter(name for verdict in verdicts for name, *_ in verdict.wrong)
    for verdict in verdicts:
        right += verdict.right
        uncertain += verdict.uncertain
    print(f"{'':26} {'right':>10} {'on a border':>12} {'wrong':>6}")
    for name in {**right, **wrong}:
        print(f"{name:26} {right[name]:10,} {uncertain[name]:12,} {wrong[name]:6,}")
    print(f"{sum(right.values()) + sum(wrong.values()):,} answers judged in {seconds:.0f} s")
    for verdict in verdicts:
        for name, given, answer in verdict.wrong[:3]:
            print(name, answer, given)


if __name__ == "__main__":
    main()
