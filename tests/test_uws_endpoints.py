"""The resources of a job list, through HTTP: every legal request, and the illegal ones."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asgi import JOBS, ROOT, Client, Queue, Results, Service, serving
from astropy.io.votable import parse
from contracts.job_store import NOON, a_job
from lxml import etree

from vo.config import Config
from vo.uws.job import ACTIVE, Job, JobError, JobResult, Phase
from vo.uws.xml import UWS, iso

NS = {"uws": UWS}
FAILURE = JobError("No table <x>.", code="UsageFault", status=400)
CSV = "text/csv;header=present"


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A service that trusts the header X-User."""
    return Service(Config(user_header="X-User"), Results(tmp_path))


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    """A client of the service."""
    with serving(service.app()) as client:
        yield client


def put(service: Service, phase: Phase, **fields: Any) -> Job:
    """A job in the given phase, with all that belongs to the phase."""
    now = datetime.now(UTC)
    job = a_job(phase=phase, created=now, destruction=now + timedelta(days=7), **fields)
    if phase is Phase.COMPLETED:
        job = replace(
            job, results=(JobResult("result", "result.csv", CSV, 8), JobResult("lost", "lost", CSV))
        )
        path = service.results.root / job.id / "result.csv"
        path.parent.mkdir()
        path.write_bytes(b"a,b\n1,2\n")
    if phase is Phase.ERROR:
        job = replace(job, error=FAILURE)
    service.store.create(job)
    return job


ALL = frozenset({Phase.PENDING, Phase.QUEUED, Phase.EXECUTING, Phase.COMPLETED, Phase.ERROR, Phase.ABORTED})
SOON = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
REQUESTS: list[tuple[str, str, dict[str, str] | None, dict[frozenset[Phase], int]]] = [
    ("GET", "", None, {ALL: 200}),
    ("HEAD", "", None, {ALL: 200}),
    ("GET", "?WAIT=0", None, {ALL: 200}),
    ("GET", "?wait=0&phase=EXECUTING", None, {ALL: 200}),
    ("GET", "?WAIT=0&PHASE=executing", None, {ALL: 400}),
    ("GET", "?WAIT=0&PHASE=", None, {ALL: 400}),
    ("GET", "?WAIT=-2", None, {ALL: 400}),
    ("GET", "?WAIT=soon", None, {ALL: 400}),
    ("GET", "?WAIT=1.5", None, {ALL: 400}),
    ("GET", "?WAIT=1&WAIT=1", None, {ALL: 400}),
    ("GET", "?WAIT=0&PHASE=RUNNING", None, {ALL: 400}),
    ("PUT", "", None, {ALL: 405}),
    ("POST", "", {"QUERY": "SELECT 1"}, {ALL: 400}),
    ("POST", "", {"PHASE": "RUN"}, {ALL: 400}),
    ("POST", "", {"ACTION": "RUN"}, {ALL: 400}),
    ("POST", "", {"ACTION": "DELETE"}, {ALL: 303}),
    ("POST", "", {"action": "delete"}, {ALL: 303}),
    ("DELETE", "", None, {ALL: 303}),
    ("GET", "/phase", None, {ALL: 200}),
    ("GET", "/phase?PHASE=ABORT", None, {ALL: 200}),
    ("POST", "/phase", {"PHASE": "RUN"}, {frozenset({Phase.PENDING}): 303, ALL - {Phase.PENDING}: 403}),
    ("POST", "/phase", {"phase": "run"}, {frozenset({Phase.PENDING}): 303, ALL - {Phase.PENDING}: 403}),
    ("POST", "/phase", {"PHASE": "ABORT"}, {ACTIVE: 303, ALL - ACTIVE: 403}),
    ("POST", "/phase", {"PHASE": "COMPLETED"}, {ALL: 400}),
    ("POST", "/phase", {}, {ALL: 400}),
    ("DELETE", "/phase", None, {ALL: 405}),
    ("GET", "/executionduration", None, {ALL: 200}),
    ("POST", "/executionduration", {"EXECUTIONDURATION": "60"}, {ACTIVE: 303, ALL - ACTIVE: 403}),
    ("POST", "/executionduration", {"EXECUTIONDURATION": "-1"}, {ALL: 400}),
    ("POST", "/executionduration", {"EXECUTIONDURATION": "1.5"}, {ALL: 400}),
    ("POST", "/executionduration", {}, {ALL: 400}),
    ("GET", "/destruction", None, {ALL: 200}),
    ("POST", "/destruction", {"DESTRUCTION": SOON}, {ALL: 303}),
    ("POST", "/destruction", {"DESTRUCTION": "2001-01-01T00:00:00Z"}, {ALL: 400}),
    ("POST", "/destruction", {"DESTRUCTION": "tomorrow"}, {ALL: 400}),
    ("POST", "/destruction", {}, {ALL: 400}),
    ("GET", "/quote", None, {ALL: 200}),
    ("GET", "/owner", None, {ALL: 200}),
    ("GET", "/error", None, {frozenset({Phase.ERROR}): 200, ALL - {Phase.ERROR}: 404}),
    ("GET", "/parameters", None, {ALL: 200}),
    ("POST", "/parameters", {"Q": "1"}, {frozenset({Phase.PENDING}): 303, ALL - {Phase.PENDING}: 403}),
    ("POST", "/parameters", {"PHASE": "RUN"}, {ALL: 400}),
    ("POST", "/parameters", {"DESTRUCTION": SOON}, {ALL: 400}),
    ("GET", "/parameters/QUERY", None, {ALL: 200}),
    ("GET", "/parameters/query", None, {ALL: 200}),
    ("GET", "/parameters/NONE", None, {ALL: 404}),
    ("GET", "/results", None, {ALL: 200}),
    ("GET", "/results/result", None, {frozenset({Phase.COMPLETED}): 200, ALL - {Phase.COMPLETED}: 404}),
    ("GET", "/results/lost", None, {ALL: 404}),
    ("GET", "/results/none", None, {ALL: 404}),
    ("POST", "/results", {}, {ALL: 405}),
    ("GET", "/nonsense", None, {ALL: 404}),
]
CASES = [
    (method, path, data, phase, status)
    for method, path, data, expected in REQUESTS
    for phases, status in expected.items()
    for phase in sorted(phases)
]


@pytest.mark.parametrize(("method", "path", "data", "phase", "status"), CASES)
def test_every_request_in_every_phase(
    service: Service,
    client: Client,
    method: str,
    path: str,
    data: dict[str, str] | None,
    phase: Phase,
    status: int,
) -> None:
    """Each request has its status in each phase; one that is refused changes nothing."""
    job = put(service, phase, parameters=(("QUERY", "SELECT 1"),))
    response = client(method, f"{JOBS}/{job.id}{path}", data=data)
    assert response.status_code == status
    if status == 303:
        assert response.headers["location"] in (f"{JOBS}/{job.id}", f"{JOBS}?LAST=100")
    if status >= 400 or method in ("GET", "HEAD"):
        assert service.store.get(job.id) == job
        assert service.queue.jobs == []


@pytest.mark.parametrize(("method", "path", "data", "_"), REQUESTS)
def test_a_job_that_is_not_there(
    client: Client, method: str, path: str, data: dict[str, str] | None, _: object
) -> None:
    """Every request about an unknown job is 404, or 405 where the method is wrong anyway."""
    assert client(method, f"{JOBS}/nobody{path}", data=data).status_code in (404, 405)


@pytest.mark.parametrize(("method", "path", "data", "_"), REQUESTS)
def test_a_job_of_somebody_else(
    service: Service, client: Client, method: str, path: str, data: dict[str, str] | None, _: object
) -> None:
    """Every request about a foreign job is 403 and changes nothing (UWS 1.1, 3)."""
    job = put(service, Phase.PENDING, owner="eve")
    response = client(method, f"{JOBS}/{job.id}{path}", data=data, headers={"X-User": "bob"})
    assert response.status_code in (403, 404 if path == "/nonsense" else 403, 405)
    assert "SELECT" not in response.text
    assert service.store.get(job.id) == job


def test_a_job_of_another_kind_is_not_here(service: Service, client: Client) -> None:
    """A job is found below its own list only."""
    job = put(service, Phase.PENDING, kind="soda")
    assert client("GET", f"{JOBS}/{job.id}").status_code == 404
    assert client("GET", JOBS).content.count(b"jobref") == 0


def created(service: Service, client: Client, data: dict[str, Any], **headers: str) -> Job:
    """The job that a POST to the list leaves."""
    response = client("POST", JOBS, data=data, headers=headers)
    assert response.status_code == 303
    url, _, job_id = response.headers["location"].rpartition("/")
    assert url == JOBS
    return service.store.get(job_id)


def test_a_new_job_is_pending(service: Service, client: Client) -> None:
    """Parameters are kept as sent and not judged; times and limits are those of the settings."""
    before = datetime.now(UTC)
    job = created(service, client, {"query": ["SELECT rubbish", "2"], "Nonsense": ""})
    assert job.parameters == (("query", "SELECT rubbish"), ("query", "2"), ("Nonsense", ""))
    assert (job.phase, job.owner, job.kind, job.lane) == (Phase.PENDING, None, "tap", "query")
    assert before - timedelta(milliseconds=1) < job.created <= datetime.now(UTC)
    assert job.destruction - job.created == timedelta(seconds=service.config.destruction_default_s)
    assert job.duration_s == service.config.duration_default_s
    assert service.queue.jobs == []


def test_a_new_job_belongs_to_its_creator(service: Service, client: Client) -> None:
    """The owner is the authenticated user (UWS 1.1, 3)."""
    job = created(service, client, {}, **{"X-User": "bob"})
    assert job.owner == "bob"
    assert client("GET", f"{JOBS}/{job.id}/owner", headers={"X-User": "bob"}).text == "bob"


def test_a_new_job_may_run_at_once(service: Service, client: Client) -> None:
    """PHASE=RUN among the parameters queues the job; control parameters are none of the job's own."""
    job = created(
        service,
        client,
        {"Phase": "run", "RUNID": "r1", "EXECUTIONDURATION": "9", "DESTRUCTION": SOON, "QUERY": "SELECT 1"},
    )
    assert (job.phase, job.run_id, job.duration_s, iso(job.destruction)[:19]) == (
        Phase.QUEUED,
        "r1",
        9,
        SOON[:19],
    )
    assert job.parameters == (("QUERY", "SELECT 1"),)
    assert [queued.id for queued in service.queue.jobs] == [job.id]


@pytest.mark.parametrize(
    "data",
    [
        {"PHASE": "ABORT"},
        {"PHASE": ""},
        {"PHASE": ["RUN", "RUN"]},
        {"DESTRUCTION": "2001-01-01"},
        {"DESTRUCTION": "never"},
        {"EXECUTIONDURATION": "-5"},
        {"RUNID": ["a", "b"]},
        {"RUNID": "\x00"},
    ],
)
def test_bad_controls_create_nothing(service: Service, client: Client, data: dict[str, Any]) -> None:
    """Control parameters are judged at creation, and a job that is refused is not there."""
    assert client("POST", JOBS, data=data).status_code == 400
    assert service.store.list(kind="tap", owner=None) == ()


@pytest.mark.parametrize("at_creation", [True, False])
def test_a_job_that_cannot_be_queued_fails(service: Service, client: Client, *, at_creation: bool) -> None:
    """When the broker is down the client is told to come back, and no job is left in QUEUED."""
    service.queue = Queue(is_down=True)
    if at_creation:
        response = client("POST", JOBS, data={"PHASE": "RUN"})
    else:
        job = created(service, client, {})
        response = client("POST", f"{JOBS}/{job.id}/phase", data={"PHASE": "RUN"})
    assert (response.status_code, response.headers["retry-after"]) == (503, "7")
    (entry,) = service.store.list(kind="tap", owner=None)
    failed = service.store.get(entry.id)
    assert failed.phase is Phase.ERROR
    assert failed.error is not None
    assert failed.error.kind == "transient"


@pytest.mark.parametrize(
    ("limit", "wanted", "effective"),
    [(100, 50, 50), (100, 500, 100), (100, 0, 100), (0, 500, 500), (0, 0, 0)],
)
def test_durations_are_cut(service: Service, client: Client, limit: int, wanted: int, effective: int) -> None:
    """The effective executionDuration is shown; 0 is unlimited on both sides (UWS 1.1, 2.1.4)."""
    service.configure(duration_limit_s=limit)
    job = created(service, client, {})
    client("POST", f"{JOBS}/{job.id}/executionduration", data={"EXECUTIONDURATION": str(wanted)})
    assert client("GET", f"{JOBS}/{job.id}/executionduration").text == str(effective)
    assert created(service, client, {"EXECUTIONDURATION": str(wanted)}).duration_s == effective


def test_destructions_are_cut(service: Service, client: Client) -> None:
    """A destruction beyond the limit is cut, and the effective time shown."""
    service.configure(destruction_limit_s=3600)
    job = created(service, client, {})
    client("POST", f"{JOBS}/{job.id}/destruction", data={"DESTRUCTION": "9999-12-31T23:59:59Z"})
    assert client("GET", f"{JOBS}/{job.id}/destruction").text == iso(job.created + timedelta(hours=1))


def test_parameters_are_replaced_by_name(service: Service, client: Client) -> None:
    """A POST to /parameters sets what it names, in any case, and keeps the rest."""
    job = created(service, client, {"QUERY": ["1", "2"], "LANG": "ADQL", "RUNID": "r"})
    client("POST", f"{JOBS}/{job.id}/parameters", data={"query": "3", "UPLOAD": ["a", "b"]})
    changed = service.store.get(job.id)
    assert changed.parameters == (("LANG", "ADQL"), ("query", "3"), ("UPLOAD", "a"), ("UPLOAD", "b"))
    assert changed.run_id == "r"
    client("POST", f"{JOBS}/{job.id}/parameters", data={"RUNID": "s"})
    assert service.store.get(job.id) == replace(changed, run_id="s")
    assert client("GET", f"{JOBS}/{job.id}/parameters/upload").text == "a\nb"


def test_parameters_cannot_grow_for_ever(service: Service, client: Client) -> None:
    """All parameters of a job together stay below the limit of a request."""
    service.configure(request_bytes=100)
    job = created(service, client, {"A": "x" * 60})
    assert client("POST", f"{JOBS}/{job.id}/parameters", data={"B": "x" * 60}).status_code == 413
    assert service.store.get(job.id) == job


def listed(client: Client, query: str = "", **headers: str) -> list[str]:
    """The ids on the job list."""
    response = client("GET", f"{JOBS}{query}", headers=headers)
    assert response.status_code == 200
    return [entry.get("id") for entry in etree.fromstring(response.content).findall("uws:jobref", NS)]


def test_the_list_is_filtered(service: Service, client: Client) -> None:
    """PHASE is a union, AFTER is later than, LAST is the newest; together they are AND-ed."""
    ids = {}
    for hours, phase in enumerate([Phase.PENDING, Phase.QUEUED, Phase.ERROR, Phase.ARCHIVED, Phase.PENDING]):
        job = a_job(phase=phase, created=NOON + timedelta(hours=hours))
        service.store.create(job)
        ids[hours] = job.id
    after = iso(NOON + timedelta(hours=1))
    for query, hours in {
        "": [4, 2, 1, 0],
        "?PHASE=ARCHIVED": [3],
        "?PHASE=PENDING&phase=ERROR": [4, 2, 0],
        "?LAST=2": [4, 2],
        f"?AFTER={after}": [4, 2],
        f"?AFTER={after}&LAST=1&PHASE=ERROR&PHASE=QUEUED": [2],
        "?AFTER=2015": [4, 2, 1, 0],
        "?AFTER=2026-03-01T13:00": [4, 2],
        "?AFTER=2026-03-02": [],
        "?LAST=99&IGNORED=1": [4, 2, 1, 0],
    }.items():
        assert listed(client, query) == [ids[hour] for hour in hours]


def test_the_list_is_the_callers_own(service: Service, client: Client) -> None:
    """A user sees his jobs, the public those of nobody (UWS 1.1, 3)."""
    mine, public = put(service, Phase.PENDING, owner="bob"), put(service, Phase.PENDING)
    assert listed(client, **{"X-User": "bob"}) == [mine.id]
    assert listed(client, **{"X-User": "eve"}) == []
    assert listed(client) == [public.id]


def test_an_error_is_a_document(service: Service, client: Client) -> None:
    """The error resource is a VOTable with status 200; the job shows its summary (TAP 1.1, 3.3)."""
    job = put(service, Phase.ERROR)
    response = client("GET", f"{JOBS}/{job.id}/error")
    assert response.headers["content-type"] == "application/x-votable+xml"
    (resource,) = parse(io.BytesIO(response.content)).resources
    assert [(info.name, info.value, info.content) for info in resource.infos] == [
        ("QUERY_STATUS", "ERROR", "No table <x>.")
    ]
    shown = etree.fromstring(client("GET", f"{JOBS}/{job.id}").content)
    assert shown.findtext("uws:errorSummary/uws:message", namespaces=NS) == "No table <x>."


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("", "application/xml"),
        ("/parameters", "application/xml"),
        ("/results", "application/xml"),
        ("/phase", "text/plain; charset=utf-8"),
        ("/executionduration", "text/plain; charset=utf-8"),
        ("/destruction", "text/plain; charset=utf-8"),
        ("/quote", "text/plain; charset=utf-8"),
        ("/owner", "text/plain; charset=utf-8"),
    ],
)
def test_containers_are_xml_and_atoms_text(
    service: Service, client: Client, path: str, media_type: str
) -> None:
    """The types are those of UWS 1.1 (2.2.2), and no proxy may keep them."""
    job = put(service, Phase.PENDING, quote=NOON)
    response = client("GET", f"{JOBS}/{job.id}{path}")
    assert (response.headers["content-type"], response.headers["cache-control"]) == (media_type, "no-cache")


def test_the_schemas_are_served(client: Client) -> None:
    """The schemas that documents name are there, under the names that they use for each other."""
    for name in ("info.xsd", "job.xsd"):
        response = client("GET", f"{ROOT}/uws/{name}")
        assert response.headers["content-type"].startswith("application/xml")
        assert etree.fromstring(response.content).tag.endswith("schema")


def test_a_deleted_job_leaves_no_results(service: Service, client: Client) -> None:
    """DELETE removes the record and the files, also of a job that runs, and wakes its worker."""
    heard: list[tuple[str, Phase]] = []
    service.store.subscribe(lambda job_id, phase: heard.append((job_id, phase)))
    job = put(service, Phase.EXECUTING)
    client("DELETE", f"{JOBS}/{job.id}")
    assert client("GET", f"{JOBS}/{job.id}").status_code == 404
    assert service.results.removed == [job.id]
    assert heard == [(job.id, Phase.ABORTED)]
