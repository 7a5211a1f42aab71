"""The peers of the forest, each in a virtual environment with what it needs, and a process for each run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parent / "build" / "anomaly"

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


def python_of(name: str, environments: Path) -> str | None:
    """The Python that has a forest; None where it cannot be installed, which is tried again each time."""
    if name not in PEERS:
        return sys.executable
    place, building, package = PEERS[name]
    python = environments / place / "bin" / "python"
    if not _has(python, name):
        subprocess.run([sys.executable, "-m", "venv", environments / place], check=True)
        for wanted in (building, package or OTHERS):
            if wanted:
                _install(python, wanted)
    return str(python) if _has(python, name) else None


def _has(python: Path, name: str) -> bool:
    module = {"scikit-learn": "sklearn"}.get(name, name)
    command = [python, "-c", f"import {module}"]
    return python.exists() and subprocess.run(command, capture_output=True, check=False).returncode == 0


def _install(python: Path, packages: tuple[str, ...]) -> None:
    command = [python, "-m", "pip", "install", "--quiet", "--no-build-isolation", *packages]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{' '.join(packages)}: {done.stderr.strip().rpartition(chr(10))[2]}", file=sys.stderr)


def run(python: str, name: str, *arguments: object) -> dict[str, Any]:
    """What bench/anomaly_peer.py tells of a forest, in a process of its own."""
    command = [python, str(HERE / "anomaly_peer.py"), name, *map(str, arguments)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(answer.stdout.splitlines()[-1]))
