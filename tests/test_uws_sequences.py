"""Any sequence of requests leaves the jobs that UWS 1.1 says."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from asgi import JOBS, Results, Service, serving
from hypothesis import Phase as HypothesisPhase
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule
from lxml import etree

from vo.config import Config
from vo.dali import parse_instant
from vo.uws.job import ACTIVE, MOVES, JobError, JobResult, Phase
from vo.uws.xml import UWS, iso

NS = {"uws": UWS}
RUNNING = (Phase.COMPLETED, Phase.ERROR, Phase.ABORTED, Phase.QUEUED)
VALUES = st.sampled_from(["SELECT 1", "", "é <&>", "\x01"])
NAMES = st.sampled_from(["QUERY", "lang", "a/b"])
USERS = st.sampled_from([None, "bob", "eve"])
LIMIT_S = 1000
KEEP = timedelta(days=2)
BROWSER = "text/html,application/xhtml+xml"
RESULT = JobResult("result", "result.csv", "text/csv", 4)

PHASES = tuple(phase for phase in HypothesisPhase if phase is not HypothesisPhase.explain)
"""Explaining a failure traces every line of every request, for minutes."""

Pairs = tuple[tuple[str, str], ...]


@dataclass
class Expected:
    """What the standard says of a job."""

    owner: str | None
    created: datetime
    destruction: datetime
    parameters: Pairs
    phase: Phase = Phase.PENDING
    duration_s: int = 100
    run_id: str | None = None

    def may(self, to: Phase) -> bool:
        """Whether a move is legal."""
        return to in MOVES.get(self.phase, ())

    def set_parameter(self, name: str, value: str) -> None:
        """Replace a parameter, whose name has no case (DALI 1.1, 4.1)."""
        kept = tuple(pair for pair in self.parameters if pair[0].upper() != name.upper())
        self.parameters = (*kept, (name, value))


class JobList(RuleBasedStateMachine):
    """Clients of several users and a worker, in any order, held against a model of one dict."""

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        folder = Path(self.open.enter_context(tempfile.TemporaryDirectory()))
        config = Config(
            user_header="X-User",
            duration_default_s=100,
            duration_limit_s=LIMIT_S,
            destruction_limit_s=int(KEEP.total_seconds()),
            destruction_default_s=3600,
        )
        self.service = Service(config, Results(folder))
        self.client = self.open.enter_context(serving(self.service.app()))
        self.expected: dict[str, Expected] = {}

    def teardown(self) -> None:
        """End the client."""
        self.open.close()

    def send(self, method: str, path: str, user: str | None, **content: Any) -> httpx.Response:
        """Send a request of a user."""
        headers = {} if user is None else {"X-User": user}
        return self.client(method, f"{JOBS}{path}", headers=headers | content.pop("headers", {}), **content)

    def act(self, method: str, path: str, user: str | None, allowed: bool, **content: Any) -> bool:  # noqa: FBT001  part of the sentence
        """Send a request that changes a job; whether it had to work, which is held against its status."""
        job_id = path.strip("/").partition("/")[0]
        may = self.expected[job_id].owner in (None, user) and allowed
        response = self.send(method, path, user, **content)
        assert response.status_code == (303 if may else 403), response.text
        if may:
            assert response.headers["location"].startswith(JOBS)
        return may

    def keep(self, location: str, expected: Expected) -> str:
        """Take a new job into the model; its times are those that it tells."""
        job_id = location.rpartition("/")[2]
        created = self.tree(f"/{job_id}", expected.owner).findtext("uws:creationTime", None, NS)
        self.expected[job_id] = replace(expected, created=parse_instant(created))
        self.expected[job_id].destruction = self.expected[job_id].created + timedelta(hours=1)
        return job_id

    def tree(self, path: str, user: str | None) -> etree._Element:
        """The document at a path."""
        response = self.send("GET", path, user)
        assert response.status_code == 200, response.text
        return etree.fromstring(response.content)

    @rule(
        target=jobs,
        pairs=st.lists(st.tuples(NAMES, VALUES), max_size=3),
        run=st.booleans(),
        user=USERS,
        run_id=st.sampled_from([None, "", "r <1>"]),
        seconds=st.sampled_from([None, 0, 5, 10**6]),
        as_parts=st.booleans(),
    )
    def create(
        self,
        *,
        pairs: list[tuple[str, str]],
        run: bool,
        user: str | None,
        run_id: str | None,
        seconds: int | None,
        as_parts: bool,
    ) -> str:
        """POST to the list, as a form or in parts, with controls or without (UWS 1.1, 2.2.3.1)."""
        controls = {"PHASE": "RUN" if run else None, "RUNID": run_id, "EXECUTIONDURATION": seconds}
        sent = [*pairs, *((name, str(value)) for name, value in controls.items() if value is not None)]
        form: dict[str, Any] = {}
        for name, value in sent:
            form.setdefault(name, []).append(value)
        parts = [(name, (None, value)) for name, values in form.items() for value in values]
        response = self.send("POST", "", user, **({"files": parts} if as_parts and parts else {"data": form}))
        assert response.status_code == 303, response.text
        grouped = tuple((n, value) for n, values in form.items() for value in values if n not in controls)
        expected = Expected(user, datetime.min, datetime.min, grouped, run_id=run_id or None)  # noqa: DTZ901  told by the job
        expected.phase = Phase.QUEUED if run else Phase.PENDING
        if seconds is not None:
            expected.duration_s = min(seconds or LIMIT_S, LIMIT_S)
        return self.keep(response.headers["location"], expected)

    @rule(target=jobs, job_id=jobs, user=USERS)
    def rerun(self, job_id: str, user: str | None) -> Any:  # noqa: ANN401  what the bundle takes
        """A job that has ended can be run again, as a new one of whoever asks."""
        old = self.expected[job_id]
        response = self.send("POST", f"/{job_id}/rerun", user)
        if old.owner not in (None, user) or old.phase in ACTIVE:
            assert response.status_code == 403
            return multiple()
        assert response.status_code == 303
        return self.keep(response.headers["location"], replace(old, owner=user, phase=Phase.QUEUED))

    @rule(job_id=jobs, user=USERS, wish=st.sampled_from(["RUN", "ABORT"]))
    def steer(self, job_id: str, user: str | None, wish: str) -> None:
        """PHASE=RUN is possible once, PHASE=ABORT until the job ended."""
        expected = self.expected[job_id]
        to = Phase.QUEUED if wish == "RUN" else Phase.ABORTED
        allowed = expected.phase is Phase.PENDING if wish == "RUN" else expected.may(to)
        if self.act("POST", f"/{job_id}/phase", user, allowed, data={"PHASE": wish}):
            expected.phase = to

    @rule(job_id=jobs, user=USERS, name=NAMES, value=VALUES, way=st.sampled_from(["list", "PUT", "POST"]))
    def set_parameter(self, job_id: str, user: str | None, name: str, value: str, way: str) -> None:
        """Parameters change while the job is PENDING, together or one by one."""
        expected = self.expected[job_id]
        method, path, content = {
            "list": ("POST", "/parameters", {"data": {name: value}}),
            "PUT": ("PUT", f"/parameters/{name}", {"content": value.encode()}),
            "POST": ("POST", f"/parameters/{name}", {"data": {"VALUE": value}}),
        }[way]
        if self.act(method, f"/{job_id}{path}", user, expected.phase is Phase.PENDING, **content):
            expected.set_parameter(name, value)

    @rule(job_id=jobs, user=USERS, seconds=st.sampled_from([0, 1, 77, LIMIT_S, 10**9]))
    def set_duration(self, job_id: str, user: str | None, seconds: int) -> None:
        """The duration changes until the job has ended, and is cut; 0 is as long as may be."""
        expected = self.expected[job_id]
        data = {"EXECUTIONDURATION": str(seconds)}
        if self.act("POST", f"/{job_id}/executionduration", user, expected.phase in ACTIVE, data=data):
            expected.duration_s = min(seconds or LIMIT_S, LIMIT_S)

    @rule(job_id=jobs, user=USERS, hours=st.sampled_from([2, 24, 99]))
    def set_destruction(self, job_id: str, user: str | None, hours: int) -> None:
        """The time of destruction changes in every phase, and is cut."""
        expected = self.expected[job_id]
        wanted = expected.created + timedelta(hours=hours)
        if self.act("POST", f"/{job_id}/destruction", user, True, data={"DESTRUCTION": iso(wanted)}):  # noqa: FBT003
            expected.destruction = min(wanted, expected.created + KEEP)

    @rule(
        job_id=jobs,
        user=USERS,
        run_id=st.sampled_from(["", "new", "é"]),
        child=st.sampled_from(["runid", "parameters"]),
    )
    def rename(self, job_id: str, user: str | None, run_id: str, child: str) -> None:
        """RUNID changes in every phase."""
        if self.act("POST", f"/{job_id}/{child}", user, True, data={"RUNID": run_id}):  # noqa: FBT003
            self.expected[job_id].run_id = run_id or None

    @rule(
        job_id=jobs,
        user=USERS,
        wrong=st.sampled_from(["phase", "executionduration", "destruction", "runid", ""]),
    )
    def send_nonsense(self, job_id: str, user: str | None, wrong: str) -> None:
        """What cannot be understood is refused in every phase."""
        response = self.send("POST", f"/{job_id}/{wrong}".rstrip("/"), user, data={"NONSENSE": "1"})
        assert response.status_code == (400 if self.expected[job_id].owner in (None, user) else 403)

    @rule(job_id=jobs, end=st.sampled_from(RUNNING))
    def work(self, job_id: str, end: Phase) -> None:
        """A worker takes a job that is queued, and ends it another time."""
        expected = self.expected[job_id]
        if expected.phase is Phase.QUEUED:
            expected.phase = self.service.store.move(job_id, Phase.EXECUTING).phase
        elif expected.phase is Phase.EXECUTING:
            ends: dict[Phase, dict[str, Any]] = {
                Phase.COMPLETED: {"results": (RESULT,)},
                Phase.ERROR: {"error": JobError("No <table>.")},
            }
            expected.phase = self.service.store.move(job_id, end, **ends.get(end, {})).phase

    @rule(job_id=consumes(jobs), by_post=st.booleans(), user=USERS)
    def delete(self, job_id: str, by_post: bool, user: str | None) -> None:  # noqa: FBT001  rules get their arguments by name
        """DELETE or ACTION=DELETE, in any phase."""
        content = {"data": {"ACTION": "DELETE"}} if by_post else {}
        user = user if self.expected[job_id].owner is None else self.expected[job_id].owner
        self.act("POST" if by_post else "DELETE", f"/{job_id}", user, True, **content)  # noqa: FBT003
        assert self.send("GET", f"/{job_id}", user).status_code == 404
        assert self.send("DELETE", f"/{job_id}", user).status_code == 404
        del self.expected[job_id]

    @rule(job_id=jobs, user=USERS)
    def look(self, job_id: str, user: str | None) -> None:
        """Documents, atoms and page tell what the model knows, to those who may know it."""
        expected = self.expected[job_id]
        if expected.owner not in (None, user):
            assert self.send("GET", f"/{job_id}", user).status_code == 403
            return
        job = self.tree(f"/{job_id}", user)
        told = {
            name: job.findtext(f"uws:{name}", None, NS) for name in ("phase", "runId", "executionDuration")
        }
        assert told == {
            "phase": expected.phase,
            "runId": expected.run_id,
            "executionDuration": str(expected.duration_s),
        }
        assert parse_instant(job.findtext("uws:destruction", "", NS)) == expected.destruction
        names = [entry.get("id") for entry in job.findall("uws:parameters/uws:parameter", NS)]
        assert names == [name for name, _ in expected.parameters]
        for name, value in expected.parameters:
            shown = self.send("GET", f"/{job_id}/parameters/{name}", user).text.split("\n")
            assert value in shown
        assert self.send("GET", f"/{job_id}/phase", user).text == expected.phase
        assert self.send("GET", f"/{job_id}/owner", user).text == (expected.owner or "")
        is_failed = expected.phase is Phase.ERROR
        assert self.send("GET", f"/{job_id}/error", user).status_code == (200 if is_failed else 404)
        has_result = job.find("uws:results/uws:result", NS) is not None
        assert has_result == (expected.phase is Phase.COMPLETED)
        page = self.send("GET", f"/{job_id}", user, headers={"Accept": BROWSER})
        assert expected.phase in page.text

    @rule(job_id=jobs, phase=st.sampled_from(sorted(Phase)))
    def wait_in_vain(self, job_id: str, phase: Phase) -> None:
        """WAIT answers at once when the job is not in PHASE, or will not change (UWS 1.1, 2.2.1.3)."""
        expected = self.expected[job_id]
        if expected.phase == phase and phase in ACTIVE:
            return
        job = self.tree(f"/{job_id}?WAIT=-1&PHASE={phase}", expected.owner)
        assert job.findtext("uws:phase", None, NS) == expected.phase

    @rule(
        user=USERS,
        phases=st.sets(st.sampled_from(sorted(Phase)), max_size=3),
        last=st.sampled_from([None, 1, 3]),
        nth=st.sampled_from([None, 0, 1, 2]),
    )
    def filter(self, user: str | None, phases: set[Phase], last: int | None, nth: int | None) -> None:
        """The list shows exactly the caller's jobs that pass every filter, newest first."""
        times = sorted({expected.created for expected in self.expected.values()})
        after = None if nth is None or nth >= len(times) else times[nth]
        query = [f"PHASE={phase}" for phase in phases]
        query += [f"LAST={last}"] if last else []
        query += [f"AFTER={iso(after)}"] if after else []
        listed = self.tree(f"?{'&'.join(query)}", user)
        newest = sorted(
            (
                (expected.created, job_id)
                for job_id, expected in self.expected.items()
                if expected.owner == user
                and (not phases or expected.phase in phases)
                and (after is None or expected.created > after)
            ),
            reverse=True,
        )
        assert [entry.get("id") for entry in listed] == [job_id for _, job_id in newest[:last]]
        for entry in listed:
            expected = self.expected[entry.get("id")]
            assert entry.findtext("uws:phase", None, NS) == expected.phase
            assert entry.findtext("uws:runId", None, NS) == expected.run_id

    @invariant()
    def runnable_jobs_are_active(self) -> None:
        """What waits for a worker or has one is what the sweep sees."""
        runnable = (Phase.QUEUED, Phase.EXECUTING)
        assert {job.id for job in self.service.store.active()} == {
            job_id for job_id, expected in self.expected.items() if expected.phase in runnable
        }


TestJobList = JobList.TestCase
TestJobList.settings = settings(max_examples=30, stateful_step_count=25, deadline=None, phases=PHASES)
