"""The resources of the cone searches, one a table: each endpoint parses, calls and answers."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vo.auth import user_of
from vo.catalog import Table
from vo.dali import Params, read_params, tell_errors_as
from vo.resources import availability, catalog_of, context_of, xml
from vo.scs.capabilities import capabilities
from vo.scs.errors import error_votable
from vo.scs.query import TABLE, ConeSearch, table_named
from vo.uws.job import SYNC_LANE
from vo.uws.kind import JobKind
from vo.uws.stream import SyncResponse, sync_job

SYNC = JobKind(name="scs-sync", path="/scs", lane=SYNC_LANE)


def routes() -> list[Route]:
    """Every route of the service, from the root."""
    return [
        Route("/scs/{table}", search, methods=["GET", "POST"]),
        Route("/scs/{table}/capabilities", show_capabilities),
        Route("/scs/{table}/availability", show_availability),
    ]


async def search(request: Request) -> Response:
    """The rows of a table in a cone (SCS 1.03): a job on the lane `sync`, like a query of TAP."""
    tell_errors_as(request, error_votable)
    context, params = context_of(request), await read_params(request)
    table = await _table(request)
    ConeSearch.from_params(params, table, context.config)  # what is wrong with the request is told right here
    known = Params(((TABLE, table.qualified), *params.without(TABLE).pairs))
    return SyncResponse(sync_job(SYNC, known, user_of(request), context.config), context)


async def show_capabilities(request: Request) -> Response:
    """What the search of this table can do."""
    context, table = context_of(request), await _table(request)
    return xml(capabilities(f"{context.base_url(request)}/scs/{quote(table.qualified)}", context.config))


async def show_availability(request: Request) -> Response:
    """Whether the search of this table is up."""
    await _table(request)
    return await availability(request)


async def _table(request: Request) -> Table:
    return table_named(request.path_params["table"], await catalog_of(request))
