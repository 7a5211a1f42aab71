"""What a worker compiles before it takes jobs is all that they need: a loop compiled later lets one wait."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_runs_of_anomalies_meet_warm_loops() -> None:
    """Columns of Arrow, in one piece, read-only, and in several: with and without weights, every scaling."""
    program = Path(__file__).with_name("warm_loops.py")
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
