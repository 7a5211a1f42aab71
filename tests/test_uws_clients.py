"""The clients that people use run jobs to their end, over a real socket."""

from __future__ import annotations

import gc
import io
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import uvicorn
from asgi import Queue, Results, Service
from astropy.io.votable import from_table, writeto
from astropy.table import Table
from astroquery.utils.tap.core import TapPlus
from pyvo.dal.exceptions import DALQueryError
from pyvo.dal.tap import AsyncTAPJob

from vo.config import Config
from vo.uws.job import Job, JobError, JobResult, Phase
from vo.uws.memory import MemoryJobStore

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # that of the clients

VOTABLE = "application/x-votable+xml"


@dataclass
class Worker(Queue):
    """A queue whose jobs are run on the spot, in another thread; a query with "bad" fails."""

    store: MemoryJobStore | None = None
    results: Results | None = None

    def submit(self, job: Job) -> None:
        """Run the job."""
        threading.Thread(target=self.work, args=(job,)).start()

    def work(self, job: Job) -> None:
        """Take the job to its end."""
        running = self.store.move(job.id, Phase.EXECUTING, started=datetime.now(UTC))
        end, changes = Phase.ERROR, {"error": JobError("No such thing as 'bad'.")}
        if "bad" not in dict(job.parameters)["QUERY"]:
            path = self.results.root / job.id / "result.vot"
            path.parent.mkdir()
            path.write_bytes(one_row())
            result = JobResult("result", path.name, VOTABLE, path.stat().st_size)
            end, changes = Phase.COMPLETED, {"results": (result,)}
        self.store.move(job.id, end, attempt=running.attempt, ended=datetime.now(UTC), **changes)


def one_row() -> bytes:
    """A VOTable."""
    file = io.BytesIO()
    writeto(from_table(Table({"n": [42]})), file)
    return file.getvalue()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a TAP service of which there is only /async."""
    service = Service(Config(), Results(tmp_path_factory.mktemp("results")))
    service.queue = Worker(store=service.store, results=service.results)
    config = uvicorn.Config(service.app(), lifespan="off", ws="none", log_level="error")
    server = uvicorn.Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()  # clients may connect before the server accepts
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/tap"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Collect the connections that clients leave open here, and not in somebody else's test."""
    yield
    gc.collect()


def test_pyvo_runs_a_job(url: str) -> None:
    """With pyvo one creates, changes, runs, waits for, fetches and deletes a job."""
    job = AsyncTAPJob.create(url, "SELECT 1")
    assert (job.phase, job.query) == ("PENDING", "SELECT 1")
    job.query = "SELECT 42"
    job.execution_duration = 77
    assert (job.query, job.execution_duration.value) == ("SELECT 42", 77)
    job.run().wait(timeout=30)
    job.raise_if_error()
    assert list(job.fetch_result()["n"]) == [42]
    job.delete()


def test_pyvo_sees_a_failure(url: str) -> None:
    """With pyvo one is told the message of a failed job."""
    job = AsyncTAPJob.create(url, "SELECT bad").run().wait(timeout=30)
    with pytest.raises(DALQueryError, match="No such thing as 'bad'"):
        job.raise_if_error()
    job.delete()


def test_pyvo_aborts_a_job(url: str) -> None:
    """A job aborted by pyvo is ABORTED."""
    job = AsyncTAPJob.create(url, "SELECT 1")
    job.abort()
    assert job.phase == "ABORTED"
    job.delete()


def test_astroquery_runs_a_job(url: str) -> None:
    """Astroquery's TapPlus, which sends PHASE=RUN with the creating POST, gets its result."""
    tap = TapPlus(url=url, verbose=False)
    job = tap.launch_job_async("SELECT 42", verbose=False)
    assert list(job.get_results()["n"]) == [42]
    assert [entry.jobid for entry in tap.list_async_jobs()] == [job.jobid]
