"""The resources of watches: their numbers, and their anomalies as Server-Sent Events (HTML, 9.2)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict
from typing import Any, TypeVar

from redis import Redis
from redis import asyncio as aioredis
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from vo.errors import TransientError, UsageError
from vo.resources import context_of
from vo.watch.streams import Keys, newest, watch_numbers, watches

_Found = TypeVar("_Found")

MOST_LISTENERS = 200
"""Clients that one web server tells of anomalies at the same time."""

_LOOK_S, _BEAT_S = 1.0, 15.0
_AT_A_TIME = 100
_room = asyncio.Semaphore(MOST_LISTENERS)
_EVENT_ID = re.compile(r"[0-9]{1,15}(-[0-9]{1,15})?\Z")


def routes() -> list[Route]:
    """Every route, from the root."""
    return [
        Route("/anomaly/watch", show_watches),
        Route("/anomaly/watch/{name}", show_watch),
        Route("/anomaly/watch/{name}/events", events),
    ]


async def show_watches(request: Request) -> Response:
    """All watches with their numbers."""
    found = await run_in_threadpool(_with_state, request, watches)
    return JSONResponse([asdict(each) for each in found])


async def show_watch(request: Request) -> Response:
    """One watch with its numbers."""
    name = Keys(request.path_params["name"]).name
    found = await run_in_threadpool(_with_state, request, watch_numbers, name)
    return JSONResponse(asdict(found))


async def events(request: Request) -> Response:
    """The anomalies as they are found; `Last-Event-ID` or SINCE says which the client had last."""
    keys = Keys(request.path_params["name"])
    since = request.headers.get("last-event-id") or request.query_params.get("since") or "$"
    if since != "$" and not _EVENT_ID.match(since):
        raise UsageError(f"{since[:40]!r} is no id of an event.", hint="Send that of the last one, or 0.")
    await run_in_threadpool(_with_state, request, watch_numbers, keys.name)
    if since == "$":  # whoever has seen the head of the answer misses nothing from then on
        since = await run_in_threadpool(_with_state, request, newest, keys)
    if _room.locked():
        raise TransientError("Too many clients are being told of anomalies.", retry_after_s=30)
    return StreamingResponse(
        _told(context_of(request).config.state_url, keys, since, lambda: request.app.state.door.is_closing),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _told(url: str, keys: Keys, since: str, is_leaving: Callable[[], bool]) -> AsyncIterator[bytes]:
    """The events from `since` on, and a comment now and then, by which a client that left is noticed.

    They end when the web server leaves: clients come back by themselves, to another one.
    """
    async with _room, aioredis.Redis.from_url(url, decode_responses=True) as redis:
        last = since
        try:
            yield f": anomalies of {keys.name}\n\n".encode()
            silent_s = 0.0
            while not is_leaving():
                found: Any = await redis.xread(
                    {keys.found: last}, count=_AT_A_TIME, block=int(_LOOK_S * 1000)
                )
                silent_s = 0.0 if found else silent_s + _LOOK_S
                if silent_s >= _BEAT_S:
                    silent_s = 0.0
                    yield b": nothing new\n\n"
                for number, fields in found[0][1] if found else ():
                    last = number
                    yield _event(number, fields)
        except RedisError:
            yield b"event: end\ndata: The stream does not answer.\n\n"


def _event(number: str, fields: dict[str, str]) -> bytes:
    data = f'{{"score": {fields["score"]}, "entry": "{fields["entry"]}", "row": {fields["row"]}}}'
    return f"id: {number}\nevent: anomaly\ndata: {data}\n\n".encode()


def _with_state(request: Request, look: Callable[..., _Found], *arguments: Any) -> _Found:
    """What `look` finds in the state of the service."""
    with Redis.from_url(context_of(request).config.state_url, decode_responses=True) as state:
        return look(state, *arguments)
