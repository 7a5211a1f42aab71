"""The scaling rule of the manifests, and a day of jobs: none at work is killed, none waits for long."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from manifests import NoRendererError

PATH = Path(__file__).resolve().parents[1] / "bench" / "scaling.py"


def _module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("scaling", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scaling"] = module  # where its dataclasses look for it
    spec.loader.exec_module(module)
    return module


scaling = _module()

RULE = scaling.Rule(
    target=2,
    least=1,
    most=40,
    up=(scaling.Policy("Percent", 100, 15), scaling.Policy("Pods", 4, 15)),
    down=(scaling.Policy("Pods", 2, 60),),
    window_s=600,
    seats=2,
    grace_s=3600,
)
WAITS_S = {"sync": (1, 120), "query": (300, 600), "cutout": (600, 900), "anomaly": (300, 1800)}
"""Of each lane, the wait that 95 % of its jobs stay below, and all."""


def test_the_rule_is_that_of_kubernetes() -> None:
    """Worked examples of the documentation: ceilings, bounds, and the tolerance of a tenth."""
    assert RULE.desired(200, 1) == 40  # at most
    assert RULE.desired(0, 5) == 1  # at least
    assert RULE.desired(7, 1) == 4  # 3.5 rounded up
    assert RULE.desired(21, 10) == 10  # within the tolerance
    assert RULE.desired(23, 10) == 12


def test_growth_is_limited_by_the_larger_policy() -> None:
    """From one pod four may come at once; from twenty, twenty."""
    scaler = scaling.Autoscaler(RULE)
    assert scaler.decide(0, 1000, 1) == 5
    assert scaling.Autoscaler(RULE).decide(0, 1000, 20) == 40


def test_shrinking_waits_for_the_window_and_is_slow() -> None:
    """For ten minutes the larger advice counts; then two pods a minute go."""
    scaler = scaling.Autoscaler(RULE)
    assert scaler.decide(0, 40, 20) == 20
    for time in range(15, 600, 15):
        assert scaler.decide(time, 0, 20) == 20
    assert scaler.decide(615, 0, 20) == 18
    assert scaler.decide(630, 0, 18) == 18
    assert scaler.decide(690, 0, 18) == 16


def test_a_pod_that_leaves_ends_its_jobs() -> None:
    """It claims nothing more, and is gone once its last job has ended; one that takes longer is run anew."""
    quick = [(0, 30)] * 40
    assert scaling.simulate(quick, RULE).done == 40
    long = scaling.simulate([(0, 5_000), *((0, 60) for _ in range(60))], RULE)
    assert (long.done, long.killed) == (61, 0)


@pytest.mark.parametrize("lane", WAITS_S)
def test_a_day_goes_well(lane: str) -> None:
    """Every job ends; none is killed; waits stay below what the lane promises; pods are few when work is."""
    try:
        rule = scaling.Rule.of(lane)
    except NoRendererError as reason:
        pytest.skip(str(reason))
    jobs = scaling.day(lane)
    outcome = scaling.simulate(jobs, rule)
    most, longest = WAITS_S[lane]
    assert outcome.done == len(jobs)
    assert outcome.killed == 0
    assert outcome.handed_back <= 6  # those that take longer than their lane drains
    assert outcome.wait(0.95) <= most
    assert outcome.wait(1) <= longest
    assert outcome.pod_seconds / scaling.DAY_S < rule.most / 2


def test_the_queue_alone_is_no_measure() -> None:
    """The same day by the length of the list in the broker: jobs at work are killed, by the dozen."""
    jobs = [(60 * i, 1_500) for i in range(40)]
    assert scaling.simulate(jobs, RULE).killed == 0
    assert scaling.simulate(jobs, scaling.naive(RULE)).killed > 10
