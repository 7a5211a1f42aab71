"""The resources of the footprint service: each endpoint parses, calls and answers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vo.footprint.capabilities import capabilities
from vo.resources import availability, catalog_of, context_of, xml


def routes() -> list[Route]:
    """Every route of the service, from the root."""
    return [
        Route("/footprint/capabilities", show_capabilities),
        Route("/footprint/availability", availability),
    ]


async def show_capabilities(request: Request) -> Response:
    """What the service can do with what is published now."""
    return xml(capabilities(context_of(request).base_url(request), await catalog_of(request)))
