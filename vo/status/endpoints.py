"""`/status` for people and programs, `/metrics` for Prometheus."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

from vo.dali import json_body, prefers_page
from vo.page import POLICY
from vo.status import metrics
from vo.status.shown import as_json, as_page
from vo.status.state import Observer, Status

_FRESH = {"Cache-Control": "no-cache", "Vary": "Accept"}
_PAGE = {**_FRESH, "Content-Security-Policy": POLICY}


def routes() -> list[Route]:
    """The routes, from the root."""
    return [
        Route("/status", show_status),
        Route("/status/page.js", script),
        Route("/metrics", show_metrics),
    ]


async def show_status(request: Request) -> Response:
    """The state of the service: 200 while it works, if only in part, and 503 when it is down."""
    status, context = await _look(request), request.app.state.context
    code = HTTPStatus.SERVICE_UNAVAILABLE if status.word == "down" else HTTPStatus.OK
    if prefers_page(request):
        url = f"{context.base_url(request)}/status"
        return HTMLResponse(as_page(status, context.config.title, url), code, _PAGE)
    media_type, body = json_body(as_json(status, context.config.title))
    return Response(body, code, _FRESH, media_type=media_type)


async def show_metrics(request: Request) -> Response:
    """The metrics: also of a service that is down, as far as they are known."""
    document = metrics.document(await _look(request), request.app.state.registry)
    return Response(document, headers={**_FRESH, "Content-Type": metrics.MEDIA_TYPE})


async def script(_: Request) -> Response:
    """The script of the page."""
    return FileResponse(Path(__file__).with_name("page.js"), media_type="text/javascript")


async def _look(request: Request) -> Status:
    observer: Observer = request.app.state.observer
    return await run_in_threadpool(observer.look)
