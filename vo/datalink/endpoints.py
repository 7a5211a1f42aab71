"""The resources of DataLink 1.1: each endpoint parses, calls and answers."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vo import vosi
from vo.dali import read_params
from vo.datalink.links import LINKS_TYPE, links
from vo.errors import NotFoundError, UsageError
from vo.images.collection import ImageCollection
from vo.resources import availability, context_of, xml
from vo.uws.download import Download


def routes() -> list[Route]:
    """Every route of the service, from the root."""
    return [
        Route("/datalink/links", show_links, methods=["GET", "POST"]),
        Route("/datalink/file", file, methods=["GET", "HEAD"]),
        Route("/datalink/capabilities", show_capabilities),
        Route("/datalink/availability", availability),
    ]


async def show_links(request: Request) -> Response:
    """The links of each ID (DataLink 1.1, 2)."""
    context, params = context_of(request), await read_params(request)
    table = await run_in_threadpool(
        links, params, _images(request), context.base_url(request), context.config
    )
    return Response(table, headers={"content-type": LINKS_TYPE})


async def file(request: Request) -> Response:
    """The file of an image, whole or in parts."""
    image_id = (await read_params(request)).single("ID")
    if image_id is None:
        raise UsageError("ID is missing: the obs_publisher_did of an image.")
    found = await run_in_threadpool(_images(request).by_ids, [image_id])
    if not found or not await run_in_threadpool(found[0].file.is_file):
        raise NotFoundError(f"There is no image {image_id[:200]!r}.")
    return Download(found[0].file, media_type="application/fits", filename=found[0].file.name)


async def show_capabilities(request: Request) -> Response:
    """Where the links are (DataLink 1.1, 2.4)."""
    base = f"{context_of(request).base_url(request)}/datalink"
    capability = vosi.capability(
        "ivo://ivoa.net/std/DataLink#links-1.1",
        vosi.interface(f"{base}/links", use="base", role="std", version="1.1"),
    )
    return xml(vosi.capabilities(base, capability))


def _images(request: Request) -> ImageCollection:
    context = context_of(request)
    return ImageCollection(context.database, context.config.images_root)
