"""The resources of the footprint service: each endpoint parses, calls and answers."""

from __future__ import annotations

from contextlib import ExitStack

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from vo.auth import user_of
from vo.dali import Params, prefers_page, read_params
from vo.footprint.answers import Answer, search_answer, tile_answer
from vo.footprint.capabilities import capabilities
from vo.footprint.coverage_endpoints import coverage_routes
from vo.footprint.index import TILES, check_published
from vo.footprint.pages import footprint_page
from vo.footprint.positions import PositionTable
from vo.page import POLICY
from vo.resources import availability, catalog_of, context_of, xml
from vo.uws.endpoints import uws_routes
from vo.uws.job import SYNC_LANE
from vo.uws.kind import JobKind
from vo.uws.stream import SyncResponse, sync_job

SYNC = JobKind(name="tiles-sync", path=TILES, lane=SYNC_LANE)
ASYNC = JobKind(name="tiles", path=f"{TILES}/async", lane="query", takes_files=True)


def routes() -> list[Route]:
    """Every route of the service, from the root."""
    return [
        Route("/footprint", home),
        Route(TILES, search, methods=["GET", "POST"]),
        *uws_routes(ASYNC),
        Route(f"{TILES}/{{name}}", tile),
        *coverage_routes(),
        Route("/footprint/capabilities", show_capabilities),
        Route("/footprint/availability", availability),
    ]


async def home(request: Request) -> Response:
    """The page for people."""
    context, catalog = context_of(request), await catalog_of(request)
    shown = footprint_page(context.base_url(request), context.config.title, catalog)
    return HTMLResponse(shown, headers={"Content-Security-Policy": POLICY})


async def search(request: Request) -> Response:
    """The tiles of places, of names, or all; of a table of positions, those of each row."""
    context = context_of(request)
    sent = await read_params(request, file_bytes=context.config.upload_bytes)
    params = _with_format(sent, request)
    if params.files or params.all("UPLOAD"):
        return await _tiles_of_table(request, params)
    return _answered(await run_in_threadpool(search_answer, params, context, context.base_url(request)))


async def _tiles_of_table(request: Request, params: Params) -> Response:
    """A job on the lane `sync`, which brings its file along."""
    context = context_of(request)
    with ExitStack() as unless_answered:
        unless_answered.callback(params.close)
        check_published(await catalog_of(request))
        PositionTable.from_params(params, [file.name for file in params.files], context.config)
        job = sync_job(SYNC, params, user_of(request), context.config)
        unless_answered.pop_all()  # the response closes the files
    return SyncResponse(job, context, files=params.files)


async def tile(request: Request) -> Response:
    """All about one tile."""
    context, params = context_of(request), _with_format(await read_params(request), request)
    name = request.path_params["name"]
    return _answered(await run_in_threadpool(tile_answer, name, params, context, context.base_url(request)))


def _with_format(params: Params, request: Request) -> Params:
    """The parameters; people who do not say in which format get a page."""
    if params.all("RESPONSEFORMAT") or not prefers_page(request):
        return params
    return Params((*params.pairs, ("RESPONSEFORMAT", "html")), params.files)


def _answered(answer: Answer) -> Response:
    media_type, body, headers = answer
    return Response(body, headers={"content-type": media_type, "vary": "Accept", **headers})


async def show_capabilities(request: Request) -> Response:
    """What the service can do with what is published now."""
    return xml(capabilities(context_of(request).base_url(request), await catalog_of(request)))
