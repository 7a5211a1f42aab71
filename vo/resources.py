"""What the endpoints of every service reach for, and the resource that all of them have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from vo import vosi
from vo.catalog import Catalog
from vo.context import Context
from vo.errors import NotFoundError
from vo.examples import Example, requests_page
from vo.images.collection import ImageFile
from vo.images.tables import has_obscore

_UP_SINCE = datetime.now(UTC)


def context_of(request: Request) -> Context:
    """What the process works with."""
    context: Context = request.app.state.context
    return context


async def catalog_of(request: Request) -> Catalog:
    """What is published now."""
    return await run_in_threadpool(context_of(request).database.catalog)


def check_images(catalog: Catalog) -> None:
    """NotFoundError where no images are published."""
    if not has_obscore(catalog):
        raise NotFoundError("No images are published here.")


def xml(document: bytes) -> Response:
    """A document of VOSI as a response."""
    return Response(document, media_type=vosi.MEDIA_TYPE)


async def availability(request: Request) -> Response:
    """Whether the service is up: it is when its job store answers (VOSI 1.1, 5)."""
    problem = await run_in_threadpool(context_of(request).problem)
    notes = [] if problem is None else [problem]
    return xml(vosi.availability(up_since=_UP_SINCE, available=problem is None, notes=notes))


async def availability_of_images(request: Request) -> Response:
    """The same of a service that there is only where images are."""
    check_images(await catalog_of(request))
    return await availability(request)


async def examples_of_images(
    request: Request, lead: str, made: Callable[[ImageFile], Iterable[Example]]
) -> Response:
    """Requests to start from (DALI 1.1, 2.3), made from an image that is there; `lead` stands above them."""
    context = context_of(request)
    shown = made(await run_in_threadpool(context.images.first))
    return HTMLResponse(requests_page(context.base_url(request), context.config.title, lead, shown))
