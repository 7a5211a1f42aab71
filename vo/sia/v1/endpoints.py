"""The resources of SIA 1.0: each endpoint parses, calls and answers; there are none without images."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vo.auth import user_of
from vo.dali import read_params, tell_errors_as
from vo.errors import VOError
from vo.resources import availability, catalog_of, context_of, xml
from vo.sia.v1.capabilities import capabilities
from vo.sia.v1.execute import QUERY_PATH
from vo.sia.v1.published import largest_image, obscore_of
from vo.sia.v1.query import DEFAULT_FORMAT, ImageQuery
from vo.uws.job import SYNC_LANE
from vo.uws.kind import JobKind
from vo.uws.stream import SyncResponse, sync_job
from vo.votable.document import error_document

SYNC = JobKind(name="sia1-sync", path=QUERY_PATH, lane=SYNC_LANE)


def routes() -> list[Route]:
    """Every route of the service, from the root."""
    return [
        Route(QUERY_PATH, query, methods=["GET", "POST"]),
        Route("/sia/v1/capabilities", show_capabilities),
        Route("/sia/v1/availability", show_availability),
    ]


async def query(request: Request) -> Response:
    """Images in a region (SIA 1.0, 4): a job on the lane `sync`, like a query of TAP."""
    tell_errors_as(request, error_votable)
    context, params = context_of(request), await read_params(request)
    table = obscore_of(await catalog_of(request))
    ImageQuery.from_params(params, table, context.config)  # what is wrong with the request is told right here
    return SyncResponse(sync_job(SYNC, params, user_of(request), context.config), context)


async def show_capabilities(request: Request) -> Response:
    """What the service can do (SIA 1.0, 7.2)."""
    context = context_of(request)
    largest = await run_in_threadpool(largest_image, context.database)
    return xml(capabilities(context.base_url(request), largest, context.config))


async def show_availability(request: Request) -> Response:
    """Whether the service is up."""
    obscore_of(await catalog_of(request))
    return await availability(request)


def error_votable(error: VOError) -> tuple[str, bytes]:
    """Media type and document of an error: QUERY_STATUS says ERROR and what is wrong (SIA 1.0, 4.3)."""
    return DEFAULT_FORMAT, error_document(str(error))
