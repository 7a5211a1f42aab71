"""The resources of cutouts: each endpoint parses, calls and answers."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from vo.auth import user_of
from vo.cutout.pages import cutout_page
from vo.cutout.query import Cutout
from vo.dali import Params, prefers_page, read_params
from vo.page import POLICY
from vo.resources import context_of
from vo.uws.conditional import is_known, not_modified
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
        shown = await run_in_threadpool(
            cutout_page, context.base_url(request), context.config, context.images
        )
        return HTMLResponse(shown, headers={"Content-Security-Policy": POLICY, "Vary": "Accept"})
    params = _with_format(sent, request)
    told = (await run_in_threadpool(Cutout.from_params, params, context.images)).told
    if request.method != "POST" and is_known(request.headers, told):
        return not_modified(told)
    if request.method == "HEAD":
        return Response(headers=told)
    return SyncResponse(sync_job(SYNC, params, user_of(request), context.config), context, told=told)


def _with_format(params: Params, request: Request) -> Params:
    """The parameters with the FORMAT that the client prefers, if it does not say: people get a picture."""
    if any(value.strip() for value in params.all("FORMAT")) or any(
        "MAKE_" in name.upper() for name, _ in params.pairs
    ):
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
