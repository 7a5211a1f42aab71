"""The client's side of a sync job: submit it, pass its bytes on, abort it if the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Protocol

from redis import asyncio as aioredis
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from vo.auth import User
from vo.config import Config
from vo.dali import File, Params
from vo.errors import ConflictError, NotFoundError, ReportedError, TransientError
from vo.log import is_about
from vo.uws.conditional import Part, part_of
from vo.uws.files import create_with_files
from vo.uws.job import Job, Phase, new_job_id
from vo.uws.kind import JobKind
from vo.uws.relay import Head, RelayReader
from vo.uws.services import Services

KEEP = timedelta(hours=1)
"""How long the record of a sync job is kept; its bytes are gone with the response."""


class RelayServices(Services, Protocol):
    """What a sync response needs of the service's context."""

    @property
    def relay_async(self) -> aioredis.Redis:
        """The Redis server of the relay."""
        ...


def sync_job(kind: JobKind, params: Params, user: User, config: Config) -> Job:
    """A job of `kind`, queued from the start."""
    now = datetime.now(UTC)
    return Job(
        id=new_job_id(),
        kind=kind.name,
        lane=kind.lane,
        created=now,
        destruction=now + KEEP,
        duration_s=config.sync_timeout_s,
        parameters=params.pairs,
        phase=Phase.QUEUED,
        queued=now,
        owner=user.name,
        run_id=params.single("RUNID"),
        account=user.account,
    )


class SyncResponse(Response):
    """A response that runs `job`: an early error is raised with its own status, a late one ends the body.

    Whatever ends it, the job does not outlive it. A result whose size is known at its beginning can be had in
    parts; a job without a result is answered with 204.
    """

    def __init__(
        self,
        job: Job,
        services: RelayServices,
        *,
        files: Sequence[File] = (),
    ) -> None:
        super().__init__()
        self._asked = Headers()
        self._job = job
        self._files = files
        self._services = services
        self._is_complete = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, unless the client leaves first."""
        is_about(self._job)
        if scope["method"] == "GET":  # a range that comes with another method is ignored (RFC 9110, 14.2)
            self._asked = Headers(scope=scope)
        answer = asyncio.create_task(self._answer(send))
        departure = asyncio.create_task(_departure(receive))
        try:
            await asyncio.wait({answer, departure}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                answer.result()
        finally:
            departure.cancel()
            answer.cancel()
            await asyncio.gather(answer, departure, return_exceptions=True)
            if not self._is_complete:
                await asyncio.shield(run_in_threadpool(self._abort))
            for file in self._files:
                file.content.close()
            if self._files:
                await asyncio.shield(run_in_threadpool(self._services.results.remove, self._job.id))

    async def _answer(self, send: Send) -> None:
        services, config = self._services, self._services.config
        reader = RelayReader(
            services.relay_async,
            self._job.id,
            self._is_over,
            directory=config.relay_blocks,
            silent_s=config.lease_s,
        )
        async with reader:
            await run_in_threadpool(self._submit)
            try:
                await self._pass_on(reader, send)
            except ReportedError:
                self._is_complete = True
                raise
            self._is_complete = True

    async def _pass_on(self, reader: RelayReader, send: Send) -> None:
        head = await reader.head()
        if head is None:
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send(_body(b"", more=False))
            return
        part = None if head.size is None else part_of(self._asked, head.headers, head.size)
        await send(_start(head, self._job, part))
        passed, last = 0, head.size if part is None else part.stop
        try:
            async for block in reader.blocks():
                body = block if part is None else part.of(block, passed)
                passed += len(block)
                if not self._is_complete:
                    self._is_complete = last is not None and passed >= last
                    await send(_body(body, more=not self._is_complete))
        except ReportedError:
            if not (head.tells_errors or self._is_complete):
                raise  # the connection breaks, so that nobody takes a part for the whole
        if not self._is_complete:
            await send(_body(b"", more=False))

    def _submit(self) -> None:
        job = create_with_files(self._services, self._job, self._files)
        self._services.queue.submit(job)

    def _abort(self) -> None:
        with suppress(ConflictError, NotFoundError, TransientError):  # else the guard finds nobody waiting
            self._services.store.move(self._job.id, Phase.ABORTED, ended=datetime.now(UTC))

    async def _is_over(self) -> bool:
        return await run_in_threadpool(self._has_ended)

    def _has_ended(self) -> bool:
        """Whether nothing more will come: the job is final, or its worker has been silent for too long."""
        store = self._services.store
        return store.get(self._job.id).is_final or store.is_lost(self._job.id)


async def _departure(receive: Receive) -> None:
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()


def _body(body: bytes, *, more: bool) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


def _start(head: Head, job: Job, part: Part | None) -> Message:
    headers = {
        "content-type": head.media_type,
        "content-disposition": f'inline; filename="{head.name}"',
        "x-job": job.id,
        **head.headers,
    }
    if head.size is not None:
        headers |= {"accept-ranges": "bytes", "content-length": str(head.size)}
    if part is not None:
        headers |= {
            "content-range": part.content_range,
            "content-length": str(part.length),
        }
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    status = 200 if part is None else part.status
    return {"type": "http.response.start", "status": status, "headers": encoded}
