"""What jobs that ended took and gave, added up over all workers: times of their stages, rows, bytes.

The sums are fields of one Redis hash, `vo:tally`, in whole numbers: `rows:<kind>`, `bytes:<kind>`, and of
each timing `count:<kind>:<stage>:<bucket>` and `micros:<kind>:<stage>`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from vo.log import logger
from vo.uws.job import Job
from vo.uws.reachable import reachable

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
"""Upper ends of the buckets in seconds; one more takes what is longer."""

_ADD = """
for i = 1, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
"""

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Times:
    """How long a stage took: jobs in each bucket (the last one is open), and the seconds of all."""

    counts: tuple[int, ...]
    total_s: float


@dataclass(frozen=True, slots=True)
class Totals:
    """All sums: rows and bytes by kind, times by kind and stage."""

    rows: Mapping[str, int]
    bytes: Mapping[str, int]
    times: Mapping[tuple[str, str], Times]


class RedisTally:
    """The sums of all workers; losing one costs a measurement and nothing else."""

    def __init__(self, client: Redis) -> None:
        self._redis: Any = client  # its annotations cannot say that responses are decoded
        self._add = client.register_script(_ADD)

    def note(self, job: Job) -> None:
        """Add what the report of a job that ended says."""
        try:
            self._add(["vo:tally"], [part for pair in increments(job) for part in pair])
        except RedisError as error:
            log.warning("what a job took is not added up", error=str(error))

    def totals(self) -> Totals:
        """The sums so far; TransientError when they cannot be had."""
        with reachable():
            return added_up({name: int(text) for name, text in self._redis.hgetall("vo:tally").items()})


def increments(job: Job) -> Iterator[tuple[str, int]]:
    """The fields to which a job adds, with the amounts."""
    report = job.report
    if report is None:
        return
    if report.unit == "rows":
        yield f"rows:{job.kind}", report.done
    yield f"bytes:{job.kind}", report.bytes
    for stage, seconds in report.timings:
        yield f"count:{job.kind}:{stage}:{bisect_left(BUCKETS_S, seconds)}", 1
        yield f"micros:{job.kind}:{stage}", round(1e6 * seconds)


def added_up(fields: Mapping[str, int]) -> Totals:
    """The sums that the fields hold.

    >>> totals = added_up({"rows:tap": 5, "count:tap:parse:0": 2, "micros:tap:parse": 1500})
    >>> totals.rows["tap"], totals.times["tap", "parse"].total_s
    (5, 0.0015)
    """
    amounts: dict[str, dict[str, int]] = {"rows": {}, "bytes": {}}
    counts: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * (len(BUCKETS_S) + 1))
    micros: dict[tuple[str, str], int] = {}
    for field, amount in fields.items():
        match field.split(":"):
            case ["rows" | "bytes" as what, kind]:
                amounts[what][kind] = amount
            case ["count", kind, stage, bucket]:
                counts[kind, stage][int(bucket)] = amount
            case ["micros", kind, stage]:
                micros[kind, stage] = amount
    times = {key: Times(tuple(counts[key]), micros.get(key, 0) / 1e6) for key in counts}
    return Totals(amounts["rows"], amounts["bytes"], times)
