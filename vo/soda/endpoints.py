"""The resources of SODA 1.0: each endpoint parses, calls and answers; there are none without images."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from vo import vosi
from vo.auth import user_of
from vo.dali import ERROR_FORMS, read_params, tell_errors_as
from vo.images.services import CUTOUT_PATHS, CUTOUT_STANDARDS
from vo.resources import (
    availability_of_images,
    catalog_of,
    check_images,
    context_of,
    examples_of_images,
    xml,
)
from vo.soda.cuts import find_image, told_of
from vo.soda.errors import error_text
from vo.soda.examples import examples
from vo.soda.query import Request
from vo.uws.conditional import asks_whether_known, is_known, not_modified
from vo.uws.endpoints import uws_routes
from vo.uws.job import SYNC_LANE
from vo.uws.kind import JobKind
from vo.uws.stream import SyncResponse, sync_job

SYNC = JobKind(name="soda-sync", path=CUTOUT_PATHS["sync"], lane=SYNC_LANE)
ASYNC = JobKind(name="soda", path=CUTOUT_PATHS["async"], lane="cutout", tell_error=error_text)


def routes() -> list[Route]:
    """Every route of the service, from the root."""
    return [
        Route(SYNC.path, sync, methods=["GET", "POST"]),
        *uws_routes(ASYNC),
        Route("/soda/capabilities", show_capabilities),
        Route("/soda/availability", availability_of_images),
        Route("/soda/examples", show_examples),
    ]


async def sync(request: HttpRequest) -> Response:
    """One file (SODA 1.0, 2.1) or a part of it, or 304 if the client has it: a job on the lane `sync`."""
    tell_errors_as(request, error_text, forms=ERROR_FORMS)
    context, params = context_of(request), await read_params(request)
    cutout = Request.from_params(params).single()
    if request.method != "POST" and asks_whether_known(request.headers):
        told = told_of(cutout, await run_in_threadpool(find_image, cutout.image_id, context))
        if is_known(request.headers, told):
            return not_modified(told)
    return SyncResponse(sync_job(SYNC, params, user_of(request), context.config), context)


async def show_capabilities(request: HttpRequest) -> Response:
    """What the service can do (SODA 1.0, 2.5)."""
    check_images(await catalog_of(request))
    base = context_of(request).base_url(request)
    specific = (
        vosi.capability(
            CUTOUT_STANDARDS[name], vosi.interface(base + path, use="full", role="std", version="1.0")
        )
        for name, path in CUTOUT_PATHS.items()
    )
    return xml(vosi.capabilities(f"{base}/soda", *specific, vosi.examples(f"{base}/soda")))


async def show_examples(request: HttpRequest) -> Response:
    """Cuts to start from (SODA 1.0, 2.3)."""
    return await examples_of_images(request, "Pieces of one of the images here, cut as you click.", examples)
