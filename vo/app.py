"""The web application: every route, the one exception handler, and the only list of services."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from vo import __version__, door, home
from vo.access import AccessLog
from vo.anomaly import endpoints as anomaly
from vo.compression import Compression
from vo.config import Config
from vo.context import open_context
from vo.cutout import endpoints as cutout
from vo.dali import EXCEPTION_HANDLERS
from vo.datalink import endpoints as datalink
from vo.door import Door, LeavingServer
from vo.errors import ConfigError
from vo.footprint import endpoints as footprint
from vo.jobs import KINDS_OF_JOB
from vo.scs import endpoints as scs
from vo.sia import endpoints as sia
from vo.sia.v1 import endpoints as sia_v1
from vo.soda import endpoints as soda
from vo.status import endpoints as status
from vo.status.metrics import process_registry
from vo.status.state import Observer
from vo.tap import endpoints as tap
from vo.tap.schema import describe
from vo.uws.endpoints import file_routes
from vo.uws.outcome import outcome_routes
from vo.watch import endpoints as watch

SERVICES = (home, status, door, tap, scs, sia, sia_v1, soda, datalink, cutout, footprint, anomaly, watch)
"""The services, each a module whose `routes` are its resources."""


def create_app(config: Config) -> Starlette:
    """The application; its connections are open between start-up and shutdown."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        with open_context(config, describe) as context:
            app.state.context = context
            await run_in_threadpool(context.database.catalog)
            app.state.observer = Observer(context, KINDS_OF_JOB)
            try:
                yield
            finally:
                app.state.observer.close()
                await context.watch.close()
                await context.relay_async.aclose()

    app = Starlette(
        routes=[
            *file_routes(),
            *outcome_routes(),
            *(route for service in SERVICES for route in service.routes()),
        ],
        exception_handlers=dict(EXCEPTION_HANDLERS),
        # Pages of others, such as Aladin Lite's, read our answers; there are no cookies to protect.
        middleware=[
            Middleware(Compression),
            Middleware(CORSMiddleware, allow_origins=["*"], allow_methods=["*"], expose_headers=["*"]),
        ],
        lifespan=lifespan,
    )
    app.state.registry = process_registry()
    app.state.door = Door()
    return app


def run_web(config: Config) -> None:
    """Serve the application until the process is told to stop, and finish what it has begun."""
    app = create_app(config)
    entrance: Door = app.state.door
    settings = uvicorn.Config(
        entrance.closing_connections(AccessLog(app, app.state.registry)),
        host=config.host,
        port=config.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=config.drain_s,
        server_header=False,
        forwarded_allow_ips=config.proxies,
        headers=[("Server", f"vo/{__version__}")],
    )

    def dismiss() -> None:
        app.state.context.watch.dismiss()

    server = LeavingServer(settings, door=entrance, leave_s=config.leave_s, dismiss=dismiss)
    server.run()
    if not server.started:
        raise ConfigError(f"The web server did not start on {config.host}:{config.port}.")
