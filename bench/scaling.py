"""A day of jobs against the scaling rule of the manifests: how long they wait, how many pods there are.

    python bench/scaling.py [LANE ...]

The rule is read from k8s/components/scale as kustomize renders it, the time to drain from the Deployments.
A day is gone through by seconds: jobs come (a steady stream, bursts of hundreds, long runs), pods start,
claim, drain and end as `vo worker` does; every 15 s the autoscaler of Kubernetes decides by its documented
algorithm: the larger of the recommendations within the stabilisation window, limited by the policies. Who
leaves is picked without regard to who is busy. Beside it runs the rule that looks at the queue alone (the
length of the broker's list, as KEDA's Redis scaler does), and half a minute of grace, the default.
"""

from __future__ import annotations

import bisect
import heapq
import math
import random
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from manifests import of_kind, pods, rendered

DAY_S = 86_400
LAST_S = 2 * DAY_S
"""When to give up: a rule may kill long jobs again and again."""

PERIOD_S = 15
"""Seconds between two decisions of the autoscaler (its default)."""

TOLERANCE = 0.1
"""The part by which the number of pods may be off before anything is done (its default)."""

BOOT_S = (20, 60)
"""Seconds until a new pod works: scheduling, image, start."""


@dataclass(frozen=True)
class Policy:
    """How much may change within a period: a number of pods, or per cent of them."""

    kind: str
    value: int
    period_s: int

    def limit(self, pods_then: int, sign: int) -> int:
        """The most, or fewest, pods now if there were `pods_then` at the start of the period."""
        change = self.value if self.kind == "Pods" else math.ceil(pods_then * self.value / 100)
        return pods_then + sign * change


@dataclass(frozen=True)
class Rule:
    """What a ScaledObject and its Deployment say, in numbers."""

    target: float
    least: int
    most: int
    up: tuple[Policy, ...]
    down: tuple[Policy, ...]
    window_s: int
    seats: int
    grace_s: int
    counts_running: bool = True

    @classmethod
    def of(cls, lane: str) -> Rule:
        """The rule of a lane."""
        documents = rendered("scale")
        spec = of_kind(documents, "ScaledObject")[f"worker-{lane}"]["spec"]
        behaviour = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        [pod] = [pod for pod in pods(documents) if pod.labels.get("lane") == lane]
        drain_s = int(pod.environment(documents)["VO_DRAIN_S"])
        [trigger] = spec["triggers"]
        return cls(
            target=float(trigger["metadata"]["targetValue"]),
            least=spec["minReplicaCount"],
            most=spec["maxReplicaCount"],
            up=_policies(behaviour["scaleUp"]),
            down=_policies(behaviour["scaleDown"]),
            window_s=behaviour["scaleDown"]["stabilizationWindowSeconds"],
            seats=int(pod.environment(documents)[f"VO_{lane.upper()}_WORKERS"]),
            grace_s=drain_s,
        )

    def desired(self, active: float, now: int) -> int:
        """The number of pods that the metric asks for, `now` of which there are."""
        if now and abs(active / (self.target * now) - 1) <= TOLERANCE:
            return now
        return min(self.most, max(self.least, math.ceil(active / self.target)))


def _policies(rules: Mapping[str, Any]) -> tuple[Policy, ...]:
    return tuple(Policy(each["type"], each["value"], each["periodSeconds"]) for each in rules["policies"])


class Autoscaler:
    """The algorithm of the HorizontalPodAutoscaler, with its memory."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._advice: deque[tuple[int, int]] = deque()
        self._history: deque[tuple[int, int]] = deque()

    def decide(self, time: int, active: float, now: int) -> int:
        """The number of pods there shall be."""
        rule = self._rule
        self._advice.append((time, rule.desired(active, now)))
        while self._advice[0][0] < time - rule.window_s:
            self._advice.popleft()
        self._history.append((time, now))
        wanted = self._advice[-1][1]
        if wanted < now:
            wanted = min(now, max(advice for _, advice in self._advice))
        if wanted > now:
            return min(wanted, max(policy.limit(self._then(time, policy), 1) for policy in rule.up))
        if wanted < now:
            return max(wanted, min(policy.limit(self._then(time, policy), -1) for policy in rule.down))
        return now

    def _then(self, time: int, policy: Policy) -> int:
        """How many pods there were at the start of the policy's period."""
        times = [at for at, _ in self._history]
        index = bisect.bisect_left(times, time - policy.period_s)
        return self._history[min(index, len(times) - 1)][1]


@dataclass
class Worker:
    """A pod: since when it works, its jobs by their ends, with their times, and when it was told to stop."""

    works_from: int
    jobs: list[tuple[int, int]] = field(default_factory=list)
    told: int | None = None


@dataclass
class Outcome:
    """What became of a day."""

    waits: list[int] = field(default_factory=list)
    pod_seconds: int = 0
    most_pods: int = 0
    killed: int = 0
    handed_back: int = 0
    done: int = 0

    def wait(self, part: float) -> int:
        """The wait that `part` of the jobs stayed below."""
        ordered = sorted(self.waits)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))]

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.done:>6,} jobs; waited {self.wait(0.5):>4} s (half), {self.wait(0.95):>5} s (95 %), "
            f"{self.wait(1):>5} s; {self.pod_seconds / DAY_S:>5.1f} pods, {self.most_pods:>3} at most; "
            f"handed back {self.handed_back}, killed {self.killed}"
        )


Arrivals = Sequence[tuple[int, int]]
"""Jobs by the second at which they come and the seconds that they take."""


def simulate(arrivals: Arrivals, rule: Rule, *, seed: int = 1) -> Outcome:
    """Go through the day, and on until every job has ended, but for a day more at the most.

    A job of a pod that was told to stop has `grace_s`. By then a worker that drains has handed it back, and
    by the rule that does not count running jobs it is killed; either way it starts anew.
    """
    chance = random.Random(seed)
    outcome, scaler = Outcome(), Autoscaler(rule)
    workers = [Worker(0) for _ in range(rule.least)]
    queue: deque[tuple[int, int]] = deque()
    coming, time = deque(sorted(arrivals)), 0
    while time < LAST_S and (coming or queue or any(worker.jobs for worker in workers)):
        while coming and coming[0][0] <= time:
            queue.append(coming.popleft())
        for worker in list(workers):
            _go_on(worker, time, rule, queue, outcome)
            if worker.told is not None and not worker.jobs:
                workers.remove(worker)
        _claim(workers, time, rule, queue, outcome)
        staying = [worker for worker in workers if worker.told is None]
        if time % PERIOD_S == 0:
            running = sum(len(worker.jobs) for worker in workers) if rule.counts_running else 0
            _scale(workers, scaler.decide(time, len(queue) + running, len(staying)), time, chance)
        outcome.pod_seconds += len(workers)
        outcome.most_pods = max(outcome.most_pods, len(workers))
        time += 1
    return outcome


def _go_on(worker: Worker, time: int, rule: Rule, queue: deque[tuple[int, int]], outcome: Outcome) -> None:
    """Let jobs end, and give up those for which a pod that leaves has no more time."""
    while worker.jobs and worker.jobs[0][0] <= time:
        heapq.heappop(worker.jobs)
        outcome.done += 1
    if worker.told is not None and time - worker.told >= rule.grace_s:
        for _, takes in worker.jobs:
            queue.appendleft((time, takes))
        outcome.handed_back += len(worker.jobs) * rule.counts_running
        outcome.killed += len(worker.jobs) * (not rule.counts_running)
        worker.jobs.clear()


def _claim(
    workers: list[Worker], time: int, rule: Rule, queue: deque[tuple[int, int]], outcome: Outcome
) -> None:
    for worker in workers:
        while queue and worker.told is None and worker.works_from <= time and len(worker.jobs) < rule.seats:
            came, takes = queue.popleft()
            outcome.waits.append(time - came)
            heapq.heappush(worker.jobs, (time + takes, takes))


def _scale(workers: list[Worker], wanted: int, time: int, chance: random.Random) -> None:
    """Add pods, or tell some to stop: those that do not work yet first, then any."""
    staying = [worker for worker in workers if worker.told is None]
    workers.extend(Worker(time + chance.randint(*BOOT_S)) for _ in range(wanted - len(staying)))
    chance.shuffle(staying)
    staying.sort(key=lambda worker: worker.works_from <= time)
    for worker in staying[: max(0, len(staying) - wanted)]:
        worker.told = time


def day(lane: str, *, seed: int = 7) -> Arrivals:
    """A day of jobs of a lane, the same for the same seed."""
    chance = random.Random(f"{lane}{seed}")
    return sorted(_TRACES[lane](chance))


def _stream(chance: random.Random, a_day: float, takes: Callable[[], float]) -> Iterator[tuple[int, int]]:
    """Jobs in the rhythm of a working day: four times as many at noon as at night."""
    time = 0.0
    while (time := time + chance.expovariate(a_day / DAY_S * 1.6)) < DAY_S:
        if chance.random() < (1 - 0.6 * math.cos(2 * math.pi * time / DAY_S)) / 1.6:
            yield int(time), max(1, round(takes()))


def _burst(
    chance: random.Random, hour: float, count: int, takes: Callable[[], float]
) -> Iterator[tuple[int, int]]:
    """A script that sends all its jobs within a minute."""
    for _ in range(count):
        yield int(hour * 3600 + chance.random() * 60), max(1, round(takes()))


def _sync(chance: random.Random) -> Iterator[tuple[int, int]]:
    yield from _stream(chance, 60_000, lambda: chance.lognormvariate(0, 1))
    yield from _burst(chance, 10.5, 600, lambda: chance.lognormvariate(1, 0.7))


def _query(chance: random.Random) -> Iterator[tuple[int, int]]:
    yield from _stream(chance, 4_000, lambda: chance.lognormvariate(3, 1.3))
    for hour in (9, 13.5, 21):
        yield from _burst(chance, hour, 300, lambda: chance.lognormvariate(3.5, 1))
    yield from _burst(chance, 15, 6, lambda: chance.uniform(3_600, 9_000))  # beyond the time to drain


def _cutout(chance: random.Random) -> Iterator[tuple[int, int]]:
    yield from _stream(chance, 1_500, lambda: chance.lognormvariate(3, 1))
    yield from _burst(chance, 11, 200, lambda: chance.lognormvariate(4, 0.8))


def _anomaly(chance: random.Random) -> Iterator[tuple[int, int]]:
    yield from _stream(chance, 150, lambda: chance.lognormvariate(5, 1))
    for hour in (8, 14, 20):
        yield from _burst(chance, hour, 25, lambda: chance.uniform(600, 10_800))


_TRACES: Mapping[str, Callable[[random.Random], Iterator[tuple[int, int]]]] = {
    "sync": _sync,
    "query": _query,
    "cutout": _cutout,
    "anomaly": _anomaly,
}


def naive(rule: Rule) -> Rule:
    """The rule that looks at the queue alone, with the window and the grace of Kubernetes' defaults."""
    return replace(rule, counts_running=False, grace_s=30, window_s=300)


def main() -> None:
    """A line a lane and rule."""
    for lane in sys.argv[1:] or _TRACES:
        rule, jobs = Rule.of(lane), day(lane)
        print(f"{lane:<8} by jobs   {simulate(jobs, rule)}", flush=True)
        print(f"{'':<8} by queue  {simulate(jobs, naive(rule))}", flush=True)


if __name__ == "__main__":
    main()
