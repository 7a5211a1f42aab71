"""An HTTP client that talks to an application in this process, and the application of a job list."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request

from vo.config import Config
from vo.dali import EXCEPTION_HANDLERS
from vo.errors import NotFoundError, TransientError
from vo.uws.endpoints import file_routes, uws_routes
from vo.uws.job import Job
from vo.uws.kind import JobKind
from vo.uws.memory import MemoryJobStore
from vo.uws.pace import MemoryPace
from vo.uws.watch import JobWatch, MemoryJobWatch

ROOT = "http://survey.example"
JOBS = f"{ROOT}/tap/async"


class Client:
    """Requests one after the other, in one event loop; redirections are not followed."""

    def __init__(self, app: Starlette) -> None:
        self._runner = asyncio.Runner()
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._http = httpx.AsyncClient(transport=transport, base_url=ROOT)

    def __call__(self, method: str, url: str, **content: Any) -> httpx.Response:
        """Send one request."""
        return self._runner.run(self._http.request(method, url, **content))

    def at_once(self, *urls: str) -> list[httpx.Response]:
        """GET several URLs at the same time."""

        async def gather() -> list[httpx.Response]:
            return await asyncio.gather(*(self._http.get(url) for url in urls))

        return self._runner.run(gather())

    def close(self) -> None:
        """End the event loop."""
        self._runner.run(self._http.aclose())
        self._runner.close()


@contextmanager
def serving(app: Starlette) -> Iterator[Client]:
    """A client of `app`."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    client = Client(app)
    try:
        yield client
    finally:
        client.close()


@dataclass
class Queue:
    """A queue that keeps what it is given, or refuses it."""

    jobs: list[Job] = field(default_factory=list)
    is_down: bool = False

    def submit(self, job: Job) -> None:
        """Keep the job."""
        if self.is_down:
            raise TransientError("The job queue cannot be reached.", retry_after_s=7)
        self.jobs.append(job)


@dataclass
class Results:
    """Results as files below `root`."""

    root: Path
    removed: list[str] = field(default_factory=list)

    def path(self, job_id: str, attempt: int, name: str) -> Path:  # noqa: ARG002  the twin keeps one
        """The file."""
        path = self.root / job_id / name
        if not path.is_file():
            raise NotFoundError(f"Job {job_id} has no file {name}.")
        return path

    def remove(self, job_id: str) -> None:
        """Note that the files were to go."""
        self.removed.append(job_id)


@dataclass
class Service:
    """The context of a service with one job list, all in memory."""

    config: Config
    results: Results
    store: MemoryJobStore = field(default_factory=MemoryJobStore)
    queue: Queue = field(default_factory=Queue)
    pace: MemoryPace = field(default_factory=MemoryPace)
    watch: JobWatch = field(init=False)

    def __post_init__(self) -> None:
        self.watch = MemoryJobWatch(self.store)

    def base_url(self, request: Request) -> str:
        """The root of the service."""
        return str(request.base_url).rstrip("/")

    def configure(self, **settings: Any) -> None:
        """Change settings."""
        self.config = replace(self.config, **settings)

    def app(self) -> Starlette:
        """The application."""
        kind = JobKind("tap", "/tap/async", "query")
        app = Starlette(
            routes=[*uws_routes(kind), *file_routes()], exception_handlers=dict(EXCEPTION_HANDLERS)
        )
        app.state.context = self
        return app


def failing_app(config: Config, error: Callable[[], Exception]) -> Starlette:
    """An application whose every page raises."""

    async def page(_: Request) -> None:
        raise error()

    app = Starlette(exception_handlers=dict(EXCEPTION_HANDLERS))
    app.add_route("/page", page)
    app.state.context = type("Context", (), {"config": config})
    return app
