"""The state of the service in the text format of Prometheus.

Gauges are counted when somebody asks; counters and histograms add up over all workers in Redis, so that
every web server tells the same and a restart loses nothing. What concerns one process alone (its memory, its
requests, who waits at it) is that of the web server that answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate
from operator import attrgetter

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from vo import __version__
from vo.status.state import Status
from vo.uws.census import Census, LaneCensus
from vo.uws.tally import BUCKETS_S, Times, Totals
from vo.watch.streams import WatchNumbers

MEDIA_TYPE = CONTENT_TYPE_PLAIN_0_0_4
"""The media type of the document."""


def document(status: Status, registry: CollectorRegistry) -> bytes:
    """The metrics of the service, then those in `registry`, which are of this process."""
    whole = CollectorRegistry()
    whole.register(_Given(families(status)))
    return generate_latest(whole) + generate_latest(registry)


def process_registry() -> CollectorRegistry:
    """A registry for what concerns this process alone, with its processor time, memory and files."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


class _Given(Collector):
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = tuple(metrics)

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def families(status: Status) -> Iterator[Metric]:
    """Every metric of the service; those that cannot be known now are left out."""
    up = "Whether the job store, the relay and the database answer: 1 or 0."
    yield GaugeMetricFamily("vo_up", up, value=float(status.word != "down"))
    yield _gauge("vo_build_info", "The version of the service.", ("version",), [((__version__,), 1)])
    yield GaugeMetricFamily(
        "vo_waiting_requests", "Requests that wait at this web server for a job to change.", status.waiting
    )
    if status.census is not None:
        yield from _of_census(status.census)
    if status.totals is not None:
        yield from _of_totals(status.totals)
    yield from _of_watches(status.watches)
    if status.results is not None:
        free = status.results.free
        yield GaugeMetricFamily("vo_results_free_bytes", "Free bytes on the disk of results.", free)
    if status.relay_bytes is not None:
        used = status.relay_bytes
        yield GaugeMetricFamily("vo_relay_memory_bytes", "Memory that Redis uses as the relay.", used)


def _of_census(census: Census) -> Iterator[Metric]:
    jobs = [((kind.name, kind.lane, phase.value), n) for (kind, phase), n in census.jobs.items()]
    yield _gauge("vo_jobs", "Jobs in the store.", ("kind", "lane", "phase"), jobs)
    for name, text, value in _OF_A_LANE:
        known = [((lane.name,), value(lane)) for lane in census.lanes]
        yield _gauge(name, text, ("lane",), [(labels, n) for labels, n in known if n is not None])
    ended = CounterMetricFamily("vo_jobs_ended", "Jobs that came to an end.", labels=("kind", "phase"))
    for (kind, phase), count in census.ended.items():
        ended.add_metric((kind, phase.value), count)
    yield ended


_OF_A_LANE: tuple[tuple[str, str, Callable[[LaneCensus], float | None]], ...] = (
    (
        "vo_lane_active_jobs",
        "Jobs that wait for a worker or have one, and open shards: what the number of workers is to follow.",
        lambda lane: lane.active,
    ),
    ("vo_lane_queued_jobs", "Jobs that wait for a worker.", lambda lane: lane.queued),
    ("vo_lane_executing_jobs", "Jobs that have a worker.", lambda lane: lane.executing),
    ("vo_lane_open_shards", "Shards of executing jobs that nobody works on yet.", lambda lane: lane.shards),
    ("vo_lane_oldest_queued_seconds", "Age of the job that waits longest.", lambda lane: lane.oldest_s or 0),
    ("vo_lane_workers", "Workers alive.", lambda lane: lane.workers),
    (
        "vo_lane_processes",
        "Processes of the workers alive: jobs that can run at once.",
        lambda lane: lane.processes,
    ),
    (
        "vo_lane_worker_seen_seconds",
        "Time since the last sign of life of any worker.",
        lambda lane: lane.seen_s,
    ),
)


def _of_watches(watches: Sequence[WatchNumbers]) -> Iterator[Metric]:
    for name, text, value in (
        ("vo_watch_waiting_entries", "Entries that are not scored yet.", attrgetter("waiting")),
        ("vo_watch_lag_seconds", "Age of the oldest entry that is not scored yet.", attrgetter("lag_s")),
    ):
        yield _gauge(name, text, ("watch",), [((watch.name,), value(watch)) for watch in watches])
    for name, text, value in (
        ("vo_watch_rows", "Rows that were scored.", attrgetter("rows")),
        ("vo_watch_found", "Anomalies among them.", attrgetter("found")),
        ("vo_watch_broken", "Entries and rows that could not be scored.", attrgetter("broken")),
        ("vo_watch_trees", "Trees that were renewed.", attrgetter("trees")),
    ):
        family = CounterMetricFamily(name, text, labels=("watch",))
        for watch in watches:
            family.add_metric((watch.name,), value(watch))
        yield family


def _of_totals(totals: Totals) -> Iterator[Metric]:
    for name, text, amounts in (
        ("vo_job_rows", "Rows of results.", totals.rows),
        ("vo_job_bytes", "Bytes of results.", totals.bytes),
    ):
        family = CounterMetricFamily(name, text, labels=("kind",))
        for kind, amount in amounts.items():
            family.add_metric((kind,), amount)
        yield family
    stages = HistogramMetricFamily(
        "vo_job_stage_seconds",
        "Time of jobs in each stage; first-row counts from the start of the run.",
        labels=("kind", "stage"),
    )
    for (kind, stage), times in totals.times.items():
        stages.add_metric((kind, stage), _buckets(times), times.total_s)
    yield stages


def _buckets(times: Times) -> list[tuple[str, float]]:
    """The cumulative buckets of the exposition format."""
    ends = [*(str(float(end)) for end in BUCKETS_S), "+Inf"]
    return list(zip(ends, accumulate(times.counts), strict=True))


def _gauge(
    name: str, text: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in values:
        family.add_metric(key, value)
    return family
