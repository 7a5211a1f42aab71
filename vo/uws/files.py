"""The files that come with the parameters of a job: kept beside its results, and as long."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from vo.dali import File
from vo.errors import UsageError
from vo.uws.job import Job, JobFile
from vo.uws.services import ResultStore, Services

SENT = 0
"""The place of these files in the result store: that of no attempt, as attempts count from 1."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z")


def create_with_files(services: Services, job: Job, files: Iterable[File]) -> Job:
    """Put the job into the store once its files are in its directory; neither is left without the other."""
    try:
        whole = replace(job, files=tuple(_kept(services.results, job.id, files)))
        services.store.create(whole)
    except BaseException:
        services.results.remove(job.id)
        raise
    return whole


def _kept(results: ResultStore, job_id: str, files: Iterable[File]) -> Iterator[JobFile]:
    taken: set[str] = set()
    for file in files:
        if not _NAME.match(file.name):
            raise UsageError(
                f"{file.name[:40]!r} cannot be the name of a file's part.",
                hint="Use up to 64 letters, digits, '_', '-' and '.'.",
            )
        if file.name.upper() in taken:
            raise UsageError(f"Two files are sent as {file.name}.")
        taken.add(file.name.upper())
        name = f"upload.{file.name}"
        with results.create(job_id, SENT, name) as target:
            shutil.copyfileobj(file.content, target)
        yield JobFile(file.name, name, file.size)


@contextmanager
def reopened(results: ResultStore, job: Job) -> Iterator[tuple[File, ...]]:
    """The files of a job as they came, for another job with the same parameters."""
    with ExitStack() as opened:
        yield tuple(
            File(
                file.parameter,
                file.parameter,
                "application/octet-stream",
                opened.enter_context(results.path(job.id, SENT, file.name).open("rb")),
                file.size,
            )
            for file in job.files
        )
