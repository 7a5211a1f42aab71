"""The resources of SIA 2.0: each endpoint parses, calls and answers; there are none without images."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vo import vosi
from vo.auth import user_of
from vo.dali import VOTABLE_TYPE, read_params, tell_errors_as
from vo.errors import VOError
from vo.resources import (
    availability_of_images,
    catalog_of,
    check_images,
    context_of,
    examples_of_images,
    xml,
)
from vo.sia.examples import examples
from vo.sia.execute import QUERY_PATH, STANDARD_ID
from vo.sia.query import ImageSearch
from vo.uws.job import SYNC_LANE
from vo.uws.kind import JobKind
from vo.uws.stream import SyncResponse, sync_job
from vo.votable.document import error_document

SYNC = JobKind(name="sia-sync", path=QUERY_PATH, lane=SYNC_LANE)


def routes() -> list[Route]:
    """Every route of the service, from the root."""
    return [
        Route(QUERY_PATH, query, methods=["GET", "POST"]),
        Route("/sia/v2/capabilities", show_capabilities),
        Route("/sia/v2/availability", availability_of_images),
        Route("/sia/v2/examples", show_examples),
    ]


async def query(request: Request) -> Response:
    """Images that meet all that is asked (SIA 2.0, 2.1): a job on the lane `sync`, like a query of TAP."""
    tell_errors_as(request, error_votable)
    context, params = context_of(request), await read_params(request)
    check_images(await catalog_of(request))
    ImageSearch.from_params(params, context.config)  # what is wrong with the request is told right here
    return SyncResponse(sync_job(SYNC, params, user_of(request), context.config), context)


async def show_capabilities(request: Request) -> Response:
    """What the service can do (SIA 2.0, 2.3)."""
    check_images(await catalog_of(request))
    base_url = context_of(request).base_url(request)
    url = f"{base_url}/sia/v2"
    interface = vosi.interface(f"{base_url}{QUERY_PATH}", use="base", role="std", version="2.0")
    return xml(vosi.capabilities(url, vosi.capability(STANDARD_ID, interface), vosi.examples(url)))


async def show_examples(request: Request) -> Response:
    """Searches to start from (SIA 2.0, 2.2)."""
    return await examples_of_images(request, "Searches that find at least one of the images here.", examples)


def error_votable(error: VOError) -> tuple[str, bytes]:
    """Media type and document of an error, whose text begins with its label (SIA 2.0, 3.2)."""
    return VOTABLE_TYPE, error_document(f"{error.code}: {error}")
