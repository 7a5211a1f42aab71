"""Whatever is wrong with a request is refused with the status of the standard, named, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asgi import JOBS, ROOT, Client, Results, Service, serving
from contracts.job_store import a_job
from lxml import etree

from vo.config import Config
from vo.uws.job import ACTIVE, Job, JobError, Phase

PENDING = frozenset({Phase.PENDING})
FINAL = frozenset({Phase.COMPLETED, Phase.ERROR, Phase.ABORTED})
ALL = ACTIVE | FINAL
PAST = "2001-01-01T00:00:00Z"
FORM = "application/x-www-form-urlencoded"
LONG = "9" * 30


@dataclass(frozen=True)
class Bad:
    """A request to a resource below a job (or below the root, if it has a slash there) and its refusal.

    `names` must be in the answer's text; `phases` are those in which the request is wrong.
    """

    method: str
    path: str
    status: int
    names: str
    data: Any = None
    phases: frozenset[Phase] = ALL
    content: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        sent = self.data if self.content is None else self.content
        return f"{self.method} {self.path} {sent or ''}"[:70]


def get(path: str, status: int, names: str) -> Bad:
    """A bad GET."""
    return Bad("GET", path, status, names)


def post(path: str, names: str, status: int = 400, *, phases: frozenset[Phase] = ALL, **data: Any) -> Bad:
    """A bad form."""
    return Bad("POST", path, status, names, data, phases)


WAITS = ("-2", "soon", "1.5", "", " ", "1e3", "0x1", LONG, "\uff11", "NaN", "--1", "1&WAIT=1")
PHASES = ("RUNNING", "pending", "", "1345", "PENDING,QUEUED", "RUN", "<b>")
DATES = ("yesterday", "", "2026-13-01", "2026-02-30", "2026-01-01T25:00:00", "2026-01-01T09", "20260101",
         "2026-01-01T00:00:00%2B01:00", "2026-01-01 00:00:00", "-1", "0000-01-01", LONG)  # fmt: skip
LASTS = ("0", "-1", "-254", "few", "1.5", "", LONG, "1&LAST=2")
DURATIONS = ("-1", "1.5", "", "long", "1h", LONG, "NaN", "0x10", " ")

METHODS = {
    "GET": ("/rerun",),
    "POST": ("/quote", "/owner", "/error", "/results", "/results/result"),
    "PUT": ("", "/phase", "/destruction", "/executionduration", "/parameters", "/runid", "/tap/async"),
    "DELETE": ("/phase", "/results", "/results/result", "/parameters", "/parameters/QUERY", "/tap/async"),
    "PATCH": ("", "/parameters/QUERY"),
}

BAD: tuple[Bad, ...] = (
    # Values of WAIT and its PHASE (UWS 1.1, 2.2.1.3)
    *(get(f"?WAIT={value}", 400, "WAIT") for value in WAITS),
    *(get(f"?WAIT=1&PHASE={value}", 400, "PHASE") for value in PHASES),
    get("?WAIT=1&PHASE=PENDING&PHASE=QUEUED", 400, "PHASE"),
    # Filters of the list (UWS 1.1, 2.2.2.1)
    *(get(f"/tap/async?PHASE={value}", 400, "PHASE") for value in PHASES),
    get("/tap/async?PHASE=ERROR&PHASE=wrong", 400, "PHASE"),
    *(get(f"/tap/async?AFTER={value}", 400, "AFTER") for value in DATES),
    get("/tap/async?AFTER=2026&AFTER=2027", 400, "AFTER"),
    *(get(f"/tap/async?LAST={value}", 400, "LAST") for value in LASTS),
    # Moves (UWS 1.1, 2.1.3 and 2.2.3.5)
    post("/phase", "PHASE=RUN", 403, phases=ALL - PENDING, PHASE="RUN"),
    post("/phase", "PHASE=ABORT", 403, phases=FINAL, PHASE="ABORT"),
    *(post("/phase", "PHASE", PHASE=value) for value in ("", "COMPLETED", "RUN ABORT", ["RUN", "RUN"])),
    post("/phase", "PHASE"),
    post("/phase", "PHASE", ACTION="RUN"),
    post("/rerun", "has not ended", 403, phases=ACTIVE),
    post("/rerun", "EXECUTIONDURATION", phases=FINAL, EXECUTIONDURATION="-1"),
    post("/rerun", "DESTRUCTION", phases=FINAL, DESTRUCTION=PAST),
    post("/rerun", "RUNID", phases=FINAL, RUNID="x" * 300),
    # The job itself (UWS 1.1, 2.2.3.2; DALI 1.1, 2.1)
    post("", "ACTION"),
    post("", "ACTION", ACTION=""),
    post("", "ACTION", ACTION="RUN"),
    post("", "ACTION", ACTION=["DELETE", "DELETE"]),
    post("", "ACTION", PHASE="RUN"),
    post("", "ACTION", QUERY="SELECT 1"),
    post("", "ACTION", RUNID="x"),
    # Times and limits (UWS 1.1, 2.2.3.3 and 2.2.3.4)
    *(post("/executionduration", "EXECUTIONDURATION", EXECUTIONDURATION=value) for value in DURATIONS),
    post("/executionduration", "EXECUTIONDURATION", EXECUTIONDURATION=["1", "2"]),
    post("/executionduration", "EXECUTIONDURATION", DURATION="5"),
    post("/executionduration", "EXECUTIONDURATION", 403, phases=FINAL, EXECUTIONDURATION="5"),
    *(post("/destruction", "DESTRUCTION", DESTRUCTION=value.replace("%2B", "+")) for value in (*DATES, PAST)),
    post("/destruction", "DESTRUCTION", DESTRUCTION=["2999", "2999"]),
    post("/destruction", "DESTRUCTION"),
    post("/runid", "RUNID"),
    post("/runid", "RUNID", RUNID="\x00"),
    post("/runid", "RUNID", RUNID="x" * 257),
    post("/runid", "RUNID", RUNID=["a", "b"]),
    # Parameters (UWS 1.1, 2.1.11)
    post("/parameters", "QUERY", 403, phases=ALL - PENDING, QUERY="SELECT 2"),
    post("/parameters", "PHASE", PHASE="RUN"),
    post("/parameters", "DESTRUCTION", DESTRUCTION="2999"),
    post("/parameters", "EXECUTIONDURATION", EXECUTIONDURATION="5"),
    post("/parameters", "RUNID", RUNID="\x01"),
    post("/parameters", "name of a parameter", **{"\x02": "x"}),
    post("/parameters", "parameters", 413, **{f"p{n}": "" for n in range(1001)}),
    post("/parameters", "bytes", 413, QUERY="x" * 3_000_000),
    post("/parameters/QUERY", "QUERY"),
    post("/parameters/QUERY", "QUERY", LANG="ADQL"),
    post("/parameters/QUERY", "QUERY", QUERY=["1", "2"]),
    post("/parameters/PHASE", "PHASE", PHASE="RUN"),
    post("/parameters/QUERY", "QUERY", 403, phases=ALL - PENDING, QUERY="1"),
    Bad("PUT", "/parameters/QUERY", 403, "QUERY", phases=ALL - PENDING, content=b"1"),
    Bad("PUT", "/parameters/QUERY", 400, "UTF-8", content=b"\xff\xfe"),
    Bad("PUT", "/parameters/QUERY", 413, "bytes", content=b"x" * 3_000_000),
    Bad("PUT", "/parameters/DESTRUCTION", 400, "DESTRUCTION", content=b"2999"),
    Bad("PUT", "/parameters/a%00b", 400, "name of a parameter", content=b"x"),
    Bad("PUT", "/parameters/", 400, "name of a parameter", content=b"x"),
    # Bodies
    Bad("POST", "/parameters", 400, "application/json", content=b'{"QUERY": 1}',
        headers={"Content-Type": "application/json"}),
    Bad("POST", "/parameters", 400, "UTF-8", content=b"QUERY=%ff", headers={"Content-Type": FORM}),
    Bad("POST", "/parameters", 400, "multipart", content=b"--x\r\n",
        headers={"Content-Type": "multipart/form-data; boundary=x"}),
    Bad("POST", "/parameters", 400, "multipart", content=b"x",
        headers={"Content-Type": "multipart/form-data"}),
    # Children that do not exist (DALI 1.1, 5.2)
    *(get(f"/{name}", 404, name) for name in ("nonsense", "Phase", "phase/x", "quotes", "error/x")),
    get("/results/none", 404, "'none'"),
    get("/results/..%2F..%2Fx", 404, "results/../../x"),
    get("/parameters/NONE", 404, "'NONE'"),
    Bad("POST", "/nonsense", 404, "nonsense"),
    # Methods
    *(Bad(method, path, 405, method) for method, paths in METHODS.items() for path in paths),
    # Creation (UWS 1.1, 2.2.3.1)
    *(post("/tap/async", "PHASE", PHASE=value) for value in ("ABORT", "", "PENDING", ["RUN", "RUN"])),
    *(post("/tap/async", "EXECUTIONDURATION", EXECUTIONDURATION=value) for value in DURATIONS),
    *(post("/tap/async", "DESTRUCTION", DESTRUCTION=value.replace("%2B", "+")) for value in (*DATES, PAST)),
    post("/tap/async", "RUNID", RUNID="x" * 257),
    post("/tap/async", "RUNID", RUNID="\x00", PHASE="RUN"),
    post("/tap/async", "RUNID", RUNID=["a", "a"]),
)  # fmt: skip
"""Every request that is wrong in itself or in the phases named."""


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A service of the anonymous public."""
    return Service(Config(), Results(tmp_path))


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    """A client of the service."""
    with serving(service.app()) as client:
        yield client


def put(service: Service, phase: Phase) -> Job:
    """A job in the given phase."""
    now = datetime.now(UTC)
    error = JobError("No table.", code="UsageFault", status=400) if phase is Phase.ERROR else None
    job = a_job(phase=phase, created=now, destruction=now + timedelta(days=7), error=error,
                parameters=(("QUERY", "SELECT 1"),))  # fmt: skip
    service.store.create(job)
    return job


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_what_is_wrong_is_refused(service: Service, client: Client, bad: Bad) -> None:
    """The answer has the status, is an error document that names what is wrong, and all stays as it was."""
    jobs = {phase: put(service, phase) for phase in sorted(bad.phases)}
    for phase, job in jobs.items():
        url = f"{ROOT}{bad.path}" if bad.path.startswith("/tap") else f"{JOBS}/{job.id}{bad.path}"
        answer = client(bad.method, url, data=bad.data, content=bad.content, headers=bad.headers)
        assert answer.status_code == bad.status, f"{phase}: {answer.text}"
        status = etree.fromstring(answer.content).find(".//{*}INFO[@name='QUERY_STATUS']")
        assert status.get("value") == "ERROR"
        assert bad.names in status.text
    assert {job.id for job in jobs.values()} == {job.id for job in service.store.list(kind="tap", owner=None)}
    assert [service.store.get(job.id) for job in jobs.values()] == list(jobs.values())
    assert (service.queue.jobs, service.results.removed) == ([], [])


def test_only_what_is_there_can_be_asked(client: Client) -> None:
    """A job that does not exist is 404 for every child and method, and its id is told as text."""
    for bad in BAD:
        if not bad.path.startswith("/tap") and bad.status != 405:
            answer = client(bad.method, f"{JOBS}/no-such-job{bad.path}", data=bad.data, headers=bad.headers)
            assert answer.status_code == 404, str(bad)
    assert client("GET", f"{JOBS}/%3Cb%3E").status_code == 404
    assert b"<b>" not in client("GET", f"{JOBS}/%3Cb%3E").content
