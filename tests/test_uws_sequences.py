"""Any sequence of requests leaves the jobs that UWS 1.1 says."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from asgi import JOBS, Results, Service, serving
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from lxml import etree

from vo.config import Config
from vo.uws.job import ACTIVE, MOVES, Phase
from vo.uws.xml import UWS

NS = {"uws": UWS}
RUNNING = (Phase.COMPLETED, Phase.ERROR, Phase.ABORTED, Phase.QUEUED)
VALUES = st.sampled_from(["SELECT 1", "", "é"])


@dataclass
class Expected:
    """What the standard says of a job."""

    phase: Phase = Phase.PENDING
    parameters: dict[str, str] = field(default_factory=dict)
    duration_s: int = 3600

    def may(self, to: Phase) -> bool:
        """Whether a move is legal."""
        return to in MOVES.get(self.phase, ())


class JobList(RuleBasedStateMachine):
    """Clients and a worker, in any order, held against a model of one dict."""

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        folder = Path(self.open.enter_context(tempfile.TemporaryDirectory()))
        self.service = Service(Config(), Results(folder))
        self.client = self.open.enter_context(serving(self.service.app()))
        self.expected: dict[str, Expected] = {}

    def teardown(self) -> None:
        """End the client."""
        self.open.close()

    def post(self, path: str, data: dict[str, str], *, allowed: bool = True) -> str:
        """POST, and hold the status against what is allowed; the Location."""
        response = self.client("POST", f"{JOBS}{path}", data=data)
        assert response.status_code == (303 if allowed else 403)
        return response.headers.get("location", "")

    @rule(target=jobs, value=VALUES, run=st.booleans())
    def create(self, value: str, run: bool) -> str:  # noqa: FBT001  rules get their arguments by name
        """POST to the list, with PHASE=RUN or without."""
        location = self.post("", {"QUERY": value} | ({"PHASE": "RUN"} if run else {}))
        job_id = location.rpartition("/")[2]
        self.expected[job_id] = Expected(Phase.QUEUED if run else Phase.PENDING, {"QUERY": value})
        return job_id

    @rule(job_id=jobs)
    def run(self, job_id: str) -> None:
        """PHASE=RUN is possible once."""
        expected = self.expected[job_id]
        self.post(f"/{job_id}/phase", {"PHASE": "RUN"}, allowed=expected.phase is Phase.PENDING)
        if expected.phase is Phase.PENDING:
            expected.phase = Phase.QUEUED

    @rule(job_id=jobs)
    def abort(self, job_id: str) -> None:
        """PHASE=ABORT is possible until the job ended."""
        expected = self.expected[job_id]
        self.post(f"/{job_id}/phase", {"PHASE": "ABORT"}, allowed=expected.may(Phase.ABORTED))
        if expected.may(Phase.ABORTED):
            expected.phase = Phase.ABORTED

    @rule(job_id=jobs, name=st.sampled_from(["QUERY", "LANG"]), value=VALUES)
    def set_parameter(self, job_id: str, name: str, value: str) -> None:
        """Parameters change while the job is PENDING."""
        expected = self.expected[job_id]
        self.post(f"/{job_id}/parameters", {name: value}, allowed=expected.phase is Phase.PENDING)
        if expected.phase is Phase.PENDING:
            expected.parameters[name] = value

    @rule(job_id=jobs, seconds=st.integers(1, 100))
    def set_duration(self, job_id: str, seconds: int) -> None:
        """The duration changes until the job has ended."""
        expected = self.expected[job_id]
        allowed = expected.phase in ACTIVE
        self.post(f"/{job_id}/executionduration", {"EXECUTIONDURATION": str(seconds)}, allowed=allowed)
        if allowed:
            expected.duration_s = seconds

    @rule(job_id=jobs, end=st.sampled_from(RUNNING))
    def work(self, job_id: str, end: Phase) -> None:
        """A worker takes a job that is queued, and ends it another time."""
        expected = self.expected[job_id]
        if expected.phase is Phase.QUEUED:
            expected.phase = self.service.store.move(job_id, Phase.EXECUTING).phase
        elif expected.phase is Phase.EXECUTING:
            expected.phase = self.service.store.move(job_id, end).phase

    @rule(job_id=consumes(jobs), by_post=st.booleans())
    def delete(self, job_id: str, by_post: bool) -> None:  # noqa: FBT001
        """DELETE or ACTION=DELETE, in any phase."""
        if by_post:
            self.post(f"/{job_id}", {"ACTION": "DELETE"})
        else:
            assert self.client("DELETE", f"{JOBS}/{job_id}").status_code == 303
        del self.expected[job_id]
        assert self.client("GET", f"{JOBS}/{job_id}").status_code == 404

    @rule(job_id=jobs)
    def look(self, job_id: str) -> None:
        """The job document and the phase tell what the model knows."""
        expected = self.expected[job_id]
        job = etree.fromstring(self.client("GET", f"{JOBS}/{job_id}").content)
        parameters = job.findall("uws:parameters/uws:parameter", NS)
        assert {entry.get("id"): entry.text or "" for entry in parameters} == expected.parameters
        assert job.findtext("uws:executionDuration", namespaces=NS) == str(expected.duration_s)
        assert job.findtext("uws:phase", namespaces=NS) == expected.phase
        assert self.client("GET", f"{JOBS}/{job_id}/phase").text == expected.phase

    @rule(phases=st.sets(st.sampled_from(sorted(Phase)), max_size=3))
    def filter(self, phases: set[Phase]) -> None:
        """The list shows exactly the jobs in the phases asked for."""
        query = "&".join(f"PHASE={phase}" for phase in phases)
        listed = etree.fromstring(self.client("GET", f"{JOBS}?{query}").content)
        assert {entry.get("id"): entry.findtext("uws:phase", namespaces=NS) for entry in listed} == {
            job_id: expected.phase
            for job_id, expected in self.expected.items()
            if not phases or expected.phase in phases
        }

    @invariant()
    def runnable_jobs_are_active(self) -> None:
        """What waits for a worker or has one is what the sweep sees."""
        runnable = (Phase.QUEUED, Phase.EXECUTING)
        assert {job.id for job in self.service.store.active()} == {
            job_id for job_id, expected in self.expected.items() if expected.phase in runnable
        }


TestJobList = JobList.TestCase
TestJobList.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
