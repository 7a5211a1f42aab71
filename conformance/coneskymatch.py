"""`stilts coneskymatch`: what TOPCAT's windows for searches at many positions do."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path


def found_by_stilts(
    service_type: str, url: str, column: str, places: Sequence[tuple[float, float]], radius: float, *more: str
) -> list[str]:
    """The values of a column in all rows that a service has around the places, in order."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "places.csv"
        table.write_text("ra,dec\n" + "".join(f"{ra},{dec}\n" for ra, dec in places))
        done = subprocess.run(
            [
                "stilts", "coneskymatch", f"in={table}", "ifmt=csv", "ra=ra", "dec=dec", f"sr={radius}",
                "find=all", f"servicetype={service_type}", f"serviceurl={url}", "erract=abort", "ofmt=csv",
                f"ocmd=keepcols {column}", *more,
            ],
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )  # fmt: skip
    return sorted(done.stdout.split()[1:])
