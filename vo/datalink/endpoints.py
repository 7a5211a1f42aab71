"""The resources of DataLink 1.1: each endpoint parses, calls and answers."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from vo import vosi
from vo.dali import read_params
from vo.datalink.links import LINKS_TYPE, MOST_IDS, links
from vo.errors import NotFoundError, UsageError
from vo.images.services import LINKS_PATH, LINKS_STANDARD
from vo.resources import availability, context_of, xml
from vo.uws.download import Download


def routes() -> list[Route]:
    """Every route of the service, from the root."""
    return [
        Route(LINKS_PATH, show_links, methods=["GET", "POST"]),
        Route("/datalink/file", file, methods=["GET", "HEAD"]),
        Route("/datalink/capabilities", show_capabilities),
        Route("/datalink/availability", availability),
    ]


async def show_links(request: Request) -> Response:
    """The links of each ID (DataLink 1.1, 2)."""
    context, params = context_of(request), await read_params(request, most=2 * MOST_IDS)
    blocks = await run_in_threadpool(links, params, context.images, context.base_url(request), context.config)
    return StreamingResponse(blocks, headers={"content-type": LINKS_TYPE})


async def file(request: Request) -> Response:
    """The file of an image, whole or in parts."""
    image_id = (await read_params(request)).single("ID")
    if image_id is None:
        raise UsageError("ID is missing: the obs_publisher_did of an image.")
    found = await run_in_threadpool(context_of(request).images.by_ids, [image_id])
    if not found or not await run_in_threadpool(found[0].file.is_file):
        raise NotFoundError(f"There is no image {image_id[:200]!r}.")
    return Download(found[0].file, media_type="application/fits", filename=found[0].file.name)


async def show_capabilities(request: Request) -> Response:
    """Where the links are (DataLink 1.1, 2.4)."""
    base = f"{context_of(request).base_url(request)}/datalink"
    capability = vosi.capability(
        LINKS_STANDARD,
        vosi.interface(f"{base}/links", use="base", role="std", version="1.1"),
    )
    return xml(vosi.capabilities(base, capability))
