"""What this package asks of the service's context; each attribute may be the real thing or a twin."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

from vo.config import Config
from vo.uws.job import Job
from vo.uws.pace import Pace
from vo.uws.store import JobStore


class JobQueue(Protocol):
    """What carries jobs to workers."""

    def submit(self, job: Job) -> None:
        """Put the job on its lane; TransientError when that cannot be done now."""
        ...


class ResultStore(Protocol):
    """Where the results of jobs lie."""

    def path(self, job_id: str, attempt: int, name: str) -> Path:
        """The file of a result that an attempt left."""
        ...

    def create(self, job_id: str, attempt: int, name: str) -> AbstractContextManager[BinaryIO]:
        """A file to write, there once the block ends well."""
        ...

    def remove(self, job_id: str) -> None:
        """Remove all files of a job."""
        ...


class Services(Protocol):
    """What jobs need of the service's context."""

    @property
    def config(self) -> Config:
        """The settings."""
        ...

    @property
    def store(self) -> JobStore:
        """The jobs."""
        ...

    @property
    def queue(self) -> JobQueue:
        """The way to the workers."""
        ...

    @property
    def pace(self) -> Pace:
        """How long jobs have run of late."""
        ...

    @property
    def results(self) -> ResultStore:
        """The files."""
        ...
