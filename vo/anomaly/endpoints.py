"""The resources of anomaly detection: each endpoint parses, calls and answers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from vo.anomaly import model_endpoints as models
from vo.anomaly.capabilities import capabilities
from vo.anomaly.pages import service_page
from vo.page import POLICY
from vo.resources import availability, catalog_of, context_of, xml
from vo.uws.endpoints import uws_routes
from vo.uws.kind import JobKind

ASYNC = JobKind(name="anomaly", path="/anomaly/async", lane="anomaly", takes_files=True)


def routes() -> list[Route]:
    """Every route of the service, from the root."""
    return [
        Route("/anomaly", home),
        Route("/anomaly/", home),
        Route("/anomaly/capabilities", show_capabilities),
        Route("/anomaly/availability", availability),
        *models.routes(),
        *uws_routes(ASYNC),
    ]


async def home(request: Request) -> Response:
    """The page for people."""
    context = context_of(request)
    page = service_page(context.base_url(request), context.config.title, await catalog_of(request))
    return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})


async def show_capabilities(request: Request) -> Response:
    """What the service can do (VOSI 1.1, 4)."""
    return xml(capabilities(context_of(request).base_url(request)))
