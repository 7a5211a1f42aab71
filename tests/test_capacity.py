"""The model of capacity: an example by hand, and what may never happen."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[1] / "bench" / "capacity.py"


def test_an_example_by_hand() -> None:
    """3,600 users who ask 60 tiny queries of 0.6 s an hour keep 36 cores busy."""
    spec = importlib.util.spec_from_file_location("capacity", PATH)
    assert spec is not None
    assert spec.loader is not None
    capacity = importlib.util.module_from_spec(spec)
    sys.modules["capacity"] = capacity  # where its dataclasses look for it
    spec.loader.exec_module(capacity)
    costs = capacity.Costs(0.6, 0, 0, 0, million_scored=2, anomaly_run=5)
    found = capacity.needs(3_600, capacity.Survey(1e9), costs, capacity.Habits(), capacity.Machine())
    assert found.cores == pytest.approx({"sync": 36, "query": 0, "cutout": 0, "anomaly": 0.3})
    idle = capacity.Machine(cores=16, busy=0.5)
    assert capacity.needs(3_600, capacity.Survey(1e9), costs, capacity.Habits(), idle).machines == 5
    assert capacity.needs(1, capacity.Survey(1e9), costs, capacity.Habits(), idle).machines == 2


def test_it_runs_with_costs_of_ones_own(tmp_path: Path) -> None:
    """More users, more rows or higher costs never need fewer machines."""
    costs = tmp_path / "costs.json"
    costs.write_text('{"tiny_query": 2, "cutout": 3}')
    tables = []
    for arguments in ((), (str(costs),)):
        command = [sys.executable, str(PATH), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        tables.append([int(line.split()[-1]) for line in done.stdout.splitlines()[3:]])
    cheap, dear = tables
    for machines in tables:
        assert machines[:3] == sorted(machines[:3])
        assert all(many >= few for few, many in zip(machines[:3], machines[3:], strict=True))
    assert all(more >= less for less, more in zip(cheap, dear, strict=True))
    assert dear[2] > cheap[2]
