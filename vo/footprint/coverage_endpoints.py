"""The resources of MOCs and maps: each endpoint parses, calls and answers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vo.auth import user_of
from vo.dali import Params, prefers_page, read_params
from vo.footprint.tables import JOBS_PATH, MAP_PATH, MOC_PATH
from vo.resources import context_of
from vo.uws.endpoints import uws_routes
from vo.uws.job import SYNC_LANE
from vo.uws.kind import JobKind
from vo.uws.stream import SyncResponse, sync_job

MOC = JobKind(name="footprint-moc", path=MOC_PATH, lane=SYNC_LANE)
MAP = JobKind(name="footprint-map", path=MAP_PATH, lane=SYNC_LANE)
ASYNC = JobKind(name="footprint", path=JOBS_PATH, lane="query", takes_files=True)


def coverage_routes() -> list[Route]:
    """The routes of MOCs and maps, from the root."""
    return [
        Route(MOC.path, moc, methods=["GET", "POST"]),
        Route(MAP.path, sky_map, methods=["GET", "POST"]),
        *uws_routes(ASYNC),
    ]


async def moc(request: Request) -> Response:
    """A MOC: a job on the lane `sync`."""
    context = context_of(request)
    params = await read_params(request, file_bytes=context.config.upload_bytes)
    job = sync_job(MOC, params, user_of(request), context.config)
    return SyncResponse(job, context, files=params.files)


async def sky_map(request: Request) -> Response:
    """A map: a job on the lane `sync`; people who do not say in which form get a picture."""
    context, params = context_of(request), await read_params(request)
    if not params.all("RESPONSEFORMAT") and prefers_page(request):
        params = Params((*params.pairs, ("RESPONSEFORMAT", "png")))
    return SyncResponse(sync_job(MAP, params, user_of(request), context.config), context)
