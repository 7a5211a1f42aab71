"""How a web server comes and goes: what probes ask of it, and the time in which it leaves.

Whoever sends requests (a proxy, a Service of Kubernetes) learns only after a while that a server ends. So one
that is told to stop says no on /ready first, goes on taking requests for `VO_LEAVE_S`, has each connection
closed behind its answer, and ends then.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from http import HTTPStatus
from socket import socket
from types import FrameType

import uvicorn
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vo.errors import VOError
from vo.log import logger
from vo.resources import context_of

READY, ALIVE = "/ready", "/alive"
"""The resources of probes."""

_FRESH = {"Cache-Control": "no-store"}

log = logger(__name__)


class Door:
    """Whether a web server still wants requests."""

    def __init__(self) -> None:
        self.is_closing = False

    def closing_connections(self, app: ASGIApp) -> ASGIApp:
        """The application, whose connections end with their answers once the server is leaving."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_last(message: Message) -> None:
                if self.is_closing and message["type"] == "http.response.start":
                    message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
                await send(message)

            await app(scope, receive, send_last if scope["type"] == "http" else send)

        return answer


class LeavingServer(uvicorn.Server):
    """A server that leaves before it ends; a second signal ends it at once.

    `dismiss` lets those go who wait for jobs; it is called in the thread of the event loop.
    """

    def __init__(
        self, config: uvicorn.Config, *, door: Door, leave_s: float, dismiss: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._door = door
        self._leave_s = leave_s
        self._dismiss = dismiss

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Say no on /ready, and end after the time of leaving."""
        if self._door.is_closing or not self.started:
            super().handle_exit(sig, frame)
            return
        self._door.is_closing = True
        log.info("leaving", seconds=self._leave_s)
        timer = threading.Timer(self._leave_s, super().handle_exit, (sig, frame))
        timer.daemon = True
        timer.start()

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Let those go who wait, take nothing more, and finish what has begun."""
        self._dismiss()
        await super().shutdown(sockets)


def routes() -> list[Route]:
    """The routes, from the root."""
    return [Route(READY, ready), Route(ALIVE, alive)]


async def alive(_: Request) -> Response:
    """The event loop turns: without an answer, only a restart helps."""
    return PlainTextResponse("alive\n", headers=_FRESH)


async def ready(request: Request) -> Response:
    """Whether to send requests here; what all servers share may be down, as each can say so itself."""
    problem = await run_in_threadpool(_problem, request)
    if problem is None:
        return PlainTextResponse("ready\n", headers=_FRESH)
    return PlainTextResponse(f"{problem}\n", HTTPStatus.SERVICE_UNAVAILABLE, headers=_FRESH)


def _problem(request: Request) -> str | None:
    door: Door = request.app.state.door
    context = context_of(request)
    if door.is_closing:
        return "This server is about to stop."
    try:
        context.database.catalog()
    except VOError as error:
        return str(error)
    results = context.config.results_dir
    return None if os.access(results, os.W_OK | os.X_OK) else f"{results} cannot be written."
