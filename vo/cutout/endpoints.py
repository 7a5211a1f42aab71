"""The resources of cutouts: each endpoint parses, calls and answers."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from vo.auth import user_of
from vo.cutout.pages import cutout_page
from vo.cutout.query import CutoutQuery, told_of
from vo.dali import Params, prefers_page, read_params
from vo.page import POLICY
from vo.resources import context_of
from vo.uws.conditional import asks_whether_known, is_known, not_modified
from vo.uws.endpoints import uws_routes
from vo.uws.job import SYNC_LANE
from vo.uws.kind import JobKind
from vo.uws.stream import SyncResponse, sync_job

ASYNC = JobKind(name="cutout", path="/cutout/async", lane="cutout", takes_files=True)
SYNC = JobKind(name="cutout-sync", path="/cutout", lane=SYNC_LANE)


def routes() -> list[Route]:
    """Every route of the service, from the root."""
    return [Route(SYNC.path, cutout, methods=["GET", "POST"]), *uws_routes(ASYNC)]


async def cutout(request: Request) -> Response:
    """A cutout: a job on the lane `sync`, or 304 without one; in a browser that asks for nothing, a form."""
    context, sent = context_of(request), await read_params(request)
    if not sent.pairs and prefers_page(request):
        return await _page(request)
    params = _with_format(sent, request)
    query = await run_in_threadpool(CutoutQuery.from_params, params, context.images)
    job = sync_job(SYNC, params, user_of(request), context.config)
    return await _without_body(request, query) or SyncResponse(job, context)


async def _without_body(request: Request, query: CutoutQuery) -> Response | None:
    """304 for a client that has the cutout, and the answer to HEAD; None: it has to be made."""
    if request.method == "HEAD" or (request.method == "GET" and asks_whether_known(request.headers)):
        found = await run_in_threadpool(query.found, context_of(request).images)
        told = told_of(found)
        if is_known(request.headers, told):
            return not_modified(told)
        if request.method == "HEAD":
            head = Response(headers={**told, "accept-ranges": "bytes"}, media_type=found.product.media_type)
            del head.headers["content-length"]  # which is known once it is made
            return head
    return None


async def _page(request: Request) -> Response:
    context = context_of(request)
    shown = await run_in_threadpool(cutout_page, context.base_url(request), context.config, context.images)
    return HTMLResponse(shown, headers={"Content-Security-Policy": POLICY, "Vary": "Accept"})


def _with_format(params: Params, request: Request) -> Params:
    """The parameters with the FORMAT that the client prefers, if it does not say: people get a picture."""
    said = any(value.strip() for value in params.all("FORMAT"))
    if said or any(name.upper().startswith("MAKE_") for name, _ in params.pairs):
        return params
    named = [item.partition(";")[0].strip().lower() for item in request.headers.get("accept", "").split(",")]
    wanted = next((_ACCEPTED[name] for name in named if name in _ACCEPTED), "fits")
    return Params((*params.without("FORMAT").pairs, ("FORMAT", wanted)))


_ACCEPTED = {
    "application/fits": "fits",
    "image/fits": "fits",
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/*": "png",
    "text/html": "png",
}
"""Media types of the header Accept, and the format for those who prefer them."""
