"""What the service tells of itself: right counts, metrics for Prometheus, a page for people."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from contracts.job_store import a_job
from lxml import etree
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis
from service import Service

from vo import __version__
from vo.config import Config
from vo.jobs import LANES
from vo.status import metrics
from vo.status.shown import as_json, as_page
from vo.status.state import Space, Status
from vo.uws.census import Census, LaneCensus, RedisCensus
from vo.uws.job import Phase
from vo.uws.kind import JobKind
from vo.uws.lanes import lanes
from vo.uws.redis_store import RedisJobStore
from vo.uws.report import RunReport
from vo.uws.tally import BUCKETS_S, RedisTally, Times, Totals

QUERY = JobKind("tap", "/tap/async", "query")
SYNC = JobKind("tap-sync", "/tap/sync", "sync")
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9"}

LANE = LaneCensus("query", queued=3, executing=2, oldest_s=7.5, workers=1, processes=2, seen_s=0.4)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BUSY = Status(
    up_since=NOW - timedelta(hours=1),
    now=NOW,
    release="sim1@1+other@2",
    census=Census((LANE,), {(QUERY, Phase.QUEUED): 3}, {("tap", Phase.ERROR): 4}, failed_lately=1),
    totals=Totals({"tap": 50}, {"tap": 9000}, {("tap", "parse"): Times((1,) * (len(BUCKETS_S) + 1), 2.5)}),
    waiting=6,
    results=Space(10, 100),
    relay_bytes=1000,
    problems=(),
)
DOWN = replace(BUSY, census=None, totals=None, relay_bytes=None, problems=("The <job> store is gone.",))


@pytest.fixture
def client(redis_url: str) -> Iterator[Redis]:
    """A client of an empty Redis."""
    with Redis.from_url(redis_url, decode_responses=True) as redis:
        yield redis


def _samples(document: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(document)
        for sample in family.samples
    }


def _value(document: str, name: str, **labels: str) -> float:
    return _samples(document)[name, frozenset(labels.items())]


def test_jobs_are_counted_by_phase(client: Redis) -> None:
    """Whatever moves, is claimed or is deleted, the counts are those of the jobs."""
    store, census = RedisJobStore(client), RedisCensus(client)
    jobs = [a_job(kind="tap", lane="query", owner=f"u{i % 3}", phase=Phase.QUEUED) for i in range(6)]
    for job in jobs:
        store.create(job)
    store.create(a_job(kind="tap-sync", lane="sync"))
    first, second = store.claim("query"), store.claim("query")
    assert first is not None
    assert second is not None
    store.move(first.id, Phase.COMPLETED)
    store.move(second.id, Phase.QUEUED)
    store.move(jobs[4].id, Phase.ERROR)
    store.delete(first.id)
    store.delete(jobs[5].id)
    taken = census.take((QUERY, SYNC))
    counted = {(kind.name, phase.value): n for (kind, phase), n in taken.jobs.items() if n}
    assert counted == {("tap", "QUEUED"): 3, ("tap", "ERROR"): 1, ("tap-sync", "PENDING"): 1}
    assert taken.ended == {("tap", Phase.COMPLETED): 1, ("tap", Phase.ERROR): 1, ("tap", Phase.ABORTED): 1}
    assert taken.failed_lately == 1
    query, sync = taken.lanes
    assert (query.name, query.queued, query.executing, query.active) == ("query", 3, 0, 3)
    assert (sync.name, sync.active, sync.oldest_s) == ("sync", 0, None)


def test_the_oldest_job_has_waited_since_it_was_queued(client: Redis) -> None:
    """The age is that of the longest wait, by the clock of Redis, and not of the job's creation."""
    store = RedisJobStore(client)
    old = a_job(kind="tap", lane="query", created=NOW, phase=Phase.PENDING)
    store.create(old)
    store.move(old.id, Phase.QUEUED)
    waiting = a_job(kind="tap", lane="query", phase=Phase.QUEUED)
    store.create(waiting)
    client.zincrby("vo:census:tap:query:QUEUED", -100, waiting.id)
    (lane,) = RedisCensus(client).take((QUERY,)).lanes
    assert lane.oldest_s == pytest.approx(100, abs=20)


def test_workers_are_seen_while_they_give_signs(client: Redis) -> None:
    """A worker counts with its processes until it has been silent; then the silence is told."""
    census = RedisCensus(client)
    (lane,) = census.take((QUERY,)).lanes
    assert (lane.workers, lane.processes, lane.seen_s) == (0, 0, None)
    census.beat("query", "host:1", 2)
    census.beat("query", "host:2", 3)
    census.beat("query", "host:1", 2)
    (lane,) = census.take((QUERY,)).lanes
    assert (lane.workers, lane.processes) == (2, 5)
    for name in ("host:1/2", "host:2/3"):
        client.zincrby("vo:workers:query", -60, name)
    (lane,) = census.take((QUERY,)).lanes
    assert (lane.workers, lane.processes) == (0, 0)
    assert lane.seen_s == pytest.approx(60, abs=20)


def test_what_jobs_took_adds_up(client: Redis) -> None:
    """Rows, bytes and the time of every stage of all jobs that left a report."""
    tally = RedisTally(client)
    report = RunReport(
        "w:1", 1, done=5, bytes=100, timings=(("queued", 0.001), ("parse", 0.3), ("write", 1e5))
    )
    tally.note(a_job(kind="tap", report=report))
    tally.note(a_job(kind="tap", report=replace(report, done=7, unit="steps")))
    tally.note(a_job(kind="tap"))
    totals = tally.totals()
    assert (totals.rows, totals.bytes) == ({"tap": 5}, {"tap": 200})
    assert {stage: times.total_s for (_, stage), times in totals.times.items()} == {
        "queued": 0.002,
        "parse": 0.6,
        "write": 2e5,
    }
    assert totals.times["tap", "queued"].counts[0] == 2
    assert totals.times["tap", "write"].counts[-1] == 2


@pytest.mark.parametrize("status", [BUSY, DOWN], ids=["busy", "down"])
def test_prometheus_reads_the_metrics(status: Status) -> None:
    """The document is whole, each metric has its help and type, and `promtool` has nothing to say."""
    document = metrics.document(status, CollectorRegistry()).decode()
    families = list(text_string_to_metric_families(document))
    assert all(family.documentation and family.type != "unknown" for family in families)
    assert len({family.name for family in families}) == len(families)
    assert _value(document, "vo_up") == (status.word != "down")
    if shutil.which("promtool"):
        checked = subprocess.run(
            ["promtool", "check", "metrics"], input=document, capture_output=True, text=True, check=False
        )
        assert (checked.returncode, checked.stderr) == (0, "")


def test_metrics_are_what_was_counted() -> None:
    """Each number stands under its labels; buckets are cumulative and agree with the count."""
    document = metrics.document(BUSY, CollectorRegistry()).decode()
    assert _value(document, "vo_lane_active_jobs", lane="query") == 5
    assert _value(document, "vo_lane_oldest_queued_seconds", lane="query") == 7.5
    assert _value(document, "vo_jobs", kind="tap", lane="query", phase="QUEUED") == 3
    assert _value(document, "vo_jobs_ended_total", kind="tap", phase="ERROR") == 4
    assert _value(document, "vo_job_rows_total", kind="tap") == 50
    stage = {"kind": "tap", "stage": "parse"}
    assert _value(document, "vo_job_stage_seconds_bucket", le="0.001", **stage) == 1
    assert _value(document, "vo_job_stage_seconds_bucket", le="+Inf", **stage) == len(BUCKETS_S) + 1
    assert _value(document, "vo_job_stage_seconds_count", **stage) == len(BUCKETS_S) + 1
    assert _value(document, "vo_job_stage_seconds_sum", **stage) == 2.5
    assert _value(document, "vo_build_info", version=__version__) == 1


def test_the_state_has_three_words() -> None:
    """Down without a part that every query needs; degraded with any other problem."""
    assert BUSY.word == "ok"
    assert replace(BUSY, problems=("No worker of the lane query is alive.",)).word == "degraded"
    assert DOWN.word == "down"


@pytest.mark.parametrize("status", [BUSY, DOWN, replace(BUSY, release=None, results=None)])
def test_the_page_is_well_formed(status: Status) -> None:
    """A page is XML whatever is missing, without a script or a style of its own, and shows the problems."""
    shown = as_page(status, "A & B", "http://x/status")
    root = etree.fromstring(shown.encode())
    text = " ".join(root.itertext())
    assert "A & B" in text
    assert all(problem in text for problem in status.problems)
    assert not root.xpath("//*[@style or @onclick]")
    assert all(script.get("src") for script in root.iter("{*}script"))
    json.dumps(as_json(status, "A & B"))


def test_a_running_service_tells_its_state(service: Service) -> None:
    """Programs get JSON with lanes, workers and releases; nothing names a person or a machine."""
    job = service.start_job("SELECT TOP 3 ra FROM sim1.main")
    service.await_phase(job, "COMPLETED")
    answer = service.get("/status")
    told = answer.json()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"
    assert (told["version"], told["status"], told["problems"]) == (__version__, "ok", [])
    assert [release.partition("@")[0] for release in told["releases"]] == ["sim1", "tiles"]
    offered = {lane["name"]: lane for lane in told["lanes"]}
    assert set(offered) == set(LANES)
    for name, lane in offered.items():
        assert (lane["workers"], lane["processes"]) == (1, lanes(Config())[name].workers)
        assert lane["last_seen_s"] < 15
    assert told["results_disk"]["total"] > told["results_disk"]["free"] > 0
    assert told["relay_bytes"] > 0
    assert "owner" not in answer.text


def test_a_person_gets_a_page(service: Service) -> None:
    """A browser gets the page under the policy of all pages, and its script from the service itself."""
    answer = httpx.get(f"{service.url}/status", headers=BROWSER)
    assert answer.headers["content-type"].startswith("text/html")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    (script,) = etree.fromstring(answer.content).iter("{*}script")
    source = httpx.get(script.get("src"))
    assert source.headers["content-type"].startswith("text/javascript")


def test_a_running_service_is_scraped(service: Service) -> None:
    """After a sync query and a job the metrics tell of both, and of the web server's own process."""
    before = service.get("/metrics").text
    assert service.sync("SELECT TOP 7 ra FROM sim1.main").status_code == 200
    service.await_phase(service.start_job("SELECT TOP 3 ra FROM sim1.main"), "COMPLETED")
    answer = service.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    after = answer.text
    done = {"phase": "COMPLETED"}
    for kind, rows in (("tap", 3), ("tap-sync", 7)):
        old = _samples(before).get(("vo_job_rows_total", frozenset({("kind", kind)})), 0)
        assert _value(after, "vo_job_rows_total", kind=kind) >= old + rows
        assert _value(after, "vo_jobs_ended_total", kind=kind, **done) >= 1
        assert _value(after, "vo_job_stage_seconds_count", kind=kind, stage="parse") >= 1
    assert _value(after, "vo_lane_processes", lane="query") == 2
    assert _value(after, "process_resident_memory_bytes") > 1e6
    assert _value(after, "vo_http_request_seconds_count", method="GET", status="200") >= 2


def test_lines_of_the_whole_service_name_the_job(service: Service) -> None:
    """The web server and the worker write one line an event, and the same job stands in those of both."""
    job = service.start_job("SELECT TOP 3 ra FROM sim1.main").rpartition("/")[2]
    service.await_phase(f"/tap/async/{job}", "COMPLETED")
    service.get("/status")
    lines = [line for line in (service.data / "serve.log").read_text().splitlines() if line.startswith("{")]
    events = [event for event in map(json.loads, lines) if event.get("job_id") == job]
    told = {event["event"]: event for event in events}
    assert {"request", "job started", "job ended"} <= set(told)
    assert told["job ended"]["rows"] == 3
    assert told["job ended"]["lane"] == "query"
    assert told["request"]["pid"] != told["job ended"]["pid"]
