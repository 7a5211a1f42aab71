"""What the endpoints of every service reach for, and the resource that all of them have."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from vo import vosi
from vo.catalog import Catalog
from vo.context import Context
from vo.errors import NotFoundError
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
