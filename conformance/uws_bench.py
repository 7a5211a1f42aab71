"""The bench on which the scenarios of UWS put jobs, by plain HTTP and as plain XML."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

import httpx
from lxml import etree
from service import LONG_QUERY, Service

QUICK_QUERY = "SELECT TOP 5 ra, dec FROM sim1.main"
"""The very short job."""

WRONG_QUERY = "SELECT colour FROM sim1.main"
"""The job that fails before it reaches the database."""

FAILING_QUERY = "SELECT CAST('x' AS INTEGER) AS n FROM sim1.main"
"""The job that fails in the database."""

_PAIRS = (
    "SELECT AVG(SIN(a.ra + b.dec + c.ra)) AS x FROM (SELECT TOP 10000 ra FROM sim1.main) AS a, "
    "(SELECT TOP 10000 dec FROM sim1.main) AS b, (SELECT TOP {n} ra FROM sim1.main) AS c"
)
SHORT_QUERY = _PAIRS.format(n=10)
"""The short job: some ten seconds. The work is a billion sines, whatever the size of the release."""

LASTING_QUERY = _PAIRS.format(n=60)
"""The long job: six times as long."""

BLOCKED_S = 1.5
"""Seconds after which a request with WAIT=2 must have blocked; one that need not wait is quicker."""

UWS = {"uws": "http://www.ivoa.net/xml/UWS/v1.0"}
HREF = "{http://www.w3.org/1999/xlink}href"


class Bench:
    """The jobs of one scenario, deleted when it ends."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.made: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Delete the jobs made so far."""
        while self.made:
            self.service.delete(self.made.pop())

    def create(self, query: str = QUICK_QUERY, **params: str) -> str:
        """The path of a new job."""
        self.made.append(self.service.create(query, **params))
        return self.made[-1]

    def job_in(self, phase: str) -> str:
        """A job that has come to `phase`."""
        query = {"EXECUTING": LONG_QUERY, "QUEUED": LONG_QUERY, "ERROR": WRONG_QUERY}.get(phase, QUICK_QUERY)
        if phase == "QUEUED":
            for _ in range(3):
                self.create(query, PHASE="RUN")
        job = self.create(query, **({} if phase in ("PENDING", "ABORTED") else {"PHASE": "RUN"}))
        if phase == "ABORTED":
            self.service.post(f"{job}/phase", PHASE="ABORT")
        self.service.await_phase(job, phase)
        return job

    def listed(self, **params: object) -> list[str]:
        """The paths of those jobs of this scenario that the list shows, in its order."""
        root = self.tree("/tap/async", **params)
        assert root.get("version") == "1.1", "the list has no version 1.1"
        paths = [entry.get(HREF).removeprefix(self.service.url) for entry in root.iterfind("uws:jobref", UWS)]
        return [path for path in paths if path in self.made]

    def tree(self, path: str, **params: object) -> etree._Element:
        """The XML document at `path`."""
        answer = self.service.get(path, **params)
        assert answer.status_code == 200, f"{path} {params}: status {answer.status_code}"
        return etree.fromstring(answer.content)

    def value(self, job: str, name: str) -> str:
        """The text of an element of the job."""
        return str(self.tree(job).findtext(f"uws:{name}", "", UWS))

    def phase(self, job: str) -> str:
        """The phase of the job."""
        return self.service.get(f"{job}/phase").text

    def wait(self, job: str, **params: object) -> float:
        """The seconds that a request for the job took."""
        started = time.monotonic()
        self.tree(job, **params)
        return time.monotonic() - started


def redirects(answer: httpx.Response, path: str) -> None:
    """Expect that the answer points to `path`."""
    assert answer.status_code == 303, f"status {answer.status_code}"
    assert answer.headers["location"].partition("?")[0].endswith(path), answer.headers["location"]


def refused(answer: httpx.Response, status: int) -> None:
    """Expect that the answer has the `status` of a refusal."""
    assert answer.status_code == status, f"{answer.request.url}: status {answer.status_code}, not {status}"


@contextmanager
def later(seconds: float, action: Callable[[], object]) -> Iterator[None]:
    """Do something after some seconds, while the block runs."""
    timer = threading.Timer(seconds, action)
    timer.start()
    try:
        yield
    finally:
        timer.join()
