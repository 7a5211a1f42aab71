"""The resources of SODA 1.0: each endpoint parses, calls and answers; there are none without images."""

from __future__ import annotations

from email.utils import formatdate
from hashlib import blake2b

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request as HttpRequest
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from vo import __version__, vosi
from vo.auth import user_of
from vo.context import Context
from vo.dali import ERROR_FORMS, read_params, tell_errors_as
from vo.examples import requests_page
from vo.images.files import file_key
from vo.images.services import CUTOUT_PATHS, CUTOUT_STANDARDS
from vo.resources import availability, catalog_of, check_images, context_of, xml
from vo.soda.cuts import find_image
from vo.soda.errors import error_text
from vo.soda.examples import examples
from vo.soda.query import Cutout, Request
from vo.uws.conditional import is_known, not_modified
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
        Route("/soda/availability", show_availability),
        Route("/soda/examples", show_examples),
    ]


async def sync(request: HttpRequest) -> Response:
    """One file (SODA 1.0, 2.1) or a part of it, or 304 if the client has it: a job on the lane `sync`."""
    tell_errors_as(request, error_text, forms=ERROR_FORMS)
    context, params = context_of(request), await read_params(request)
    cutout = Request.from_params(params).single()
    told = await run_in_threadpool(_told, cutout, context)
    if request.method != "POST" and is_known(request.headers, told):
        return not_modified(told)
    return SyncResponse(sync_job(SYNC, params, user_of(request), context.config), context, told=told)


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


async def show_availability(request: HttpRequest) -> Response:
    """Whether the service is up."""
    check_images(await catalog_of(request))
    return await availability(request)


async def show_examples(request: HttpRequest) -> Response:
    """Cuts to start from (SODA 1.0, 2.3)."""
    context, lead = context_of(request), "Pieces of one of the images here, each cut as you click."
    shown = examples(await run_in_threadpool(context.images.first))
    return HTMLResponse(requests_page(context.base_url(request), context.config.title, lead, shown))


def _told(cutout: Cutout, context: Context) -> dict[str, str]:
    """What tells the file from others (RFC 9110, 8.8): it depends on the image and on the request alone."""
    image = find_image(cutout.image_id, context)
    key = file_key(image.file)
    tag = blake2b(repr((__version__, key, image, cutout)).encode(), digest_size=16).hexdigest()
    return {"etag": f'"{tag}"', "last-modified": formatdate(key[1] // 10**9, usegmt=True)}
