"""The resources of TAP 1.1: each endpoint parses, calls and answers."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import replace

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from vo import vosi
from vo.auth import user_of
from vo.dali import Params, read_params
from vo.resources import availability, catalog_of, context_of, xml
from vo.tap import check as checking
from vo.tap import plan as planning
from vo.tap.capabilities import capabilities
from vo.tap.examples import examples
from vo.tap.forms import Answer, Wanted
from vo.tap.pages import examples_page, service_page
from vo.tap.query import TapQuery
from vo.uws.endpoints import Call, uws_routes
from vo.uws.files import reopened
from vo.uws.job import SYNC_LANE, Job
from vo.uws.kind import JobKind
from vo.uws.stream import SyncResponse, sync_job

ASYNC = JobKind(name="tap", path="/tap/async", lane="query", takes_files=True)
SYNC = JobKind(name="tap-sync", path="/tap/sync", lane=SYNC_LANE)


def routes() -> list[Route]:
    """Every route of the service, from the root."""
    return [
        Route("/tap", home),
        Route("/tap/", home),
        Route("/tap/sync", sync, methods=["GET", "POST"]),
        Route("/tap/check", check, methods=["GET", "POST"]),
        Route("/tap/plan", plan, methods=["GET", "POST"]),
        Route(f"{ASYNC.path}/{{job_id}}/check", check_job),
        Route(f"{ASYNC.path}/{{job_id}}/plan", plan_job),
        Route("/tap/tables", tables),
        Route("/tap/tables/{name:path}", table),
        Route("/tap/capabilities", show_capabilities),
        Route("/tap/availability", availability),
        Route("/tap/examples", show_examples),
        *uws_routes(ASYNC),
    ]


async def sync(request: Request) -> Response:
    """A query answered at once (TAP 1.1, 2.3): a job on the lane `sync`, its bytes relayed as they come."""
    context = context_of(request)
    params = await read_params(request, file_bytes=context.config.upload_bytes)
    with ExitStack() as unless_answered:
        unless_answered.callback(params.close)
        TapQuery.from_params(params, context.config)  # what is wrong with the request is told right here
        job = sync_job(SYNC, params, user_of(request), context.config)
        unless_answered.pop_all()  # the response closes the files
    return SyncResponse(job, context, files=params.files)


async def check(request: Request) -> Response:
    """What a query would return, or all that is wrong with it, without running it."""
    params = await read_params(request, file_bytes=context_of(request).config.upload_bytes)
    with closing(params):
        return await _checked(request, params)


async def check_job(request: Request) -> Response:
    """The same for the query of a job, in any phase."""
    job = await Call(ASYNC, request).job()
    params = await _with_query_of_job(request, job)
    with reopened(context_of(request).results, job) as files:
        return await _checked(request, replace(params, files=files))


async def _checked(request: Request, params: Params) -> Response:
    wanted = Wanted.of(request, params, checking.OFFERED)
    config, catalog = context_of(request).config, await catalog_of(request)
    return _answer(await run_in_threadpool(checking.answer, wanted, catalog, config))


async def plan(request: Request) -> Response:
    """What the database would do with a query, without running it."""
    return await _planned(request, await read_params(request))


async def plan_job(request: Request) -> Response:
    """The same for the query of a job, in any phase."""
    return await _planned(request, await _with_query_of_job(request, await Call(ASYNC, request).job()))


async def _planned(request: Request, params: Params) -> Response:
    wanted = Wanted.of(request, params, planning.OFFERED)
    return _answer(await run_in_threadpool(planning.answer, wanted, context_of(request)))


async def _with_query_of_job(request: Request, job: Job) -> Params:
    """The parameters of the job, but the form of the answer is that of the request."""
    form = Params(tuple(pair for pair in (await read_params(request)).pairs if pair[0].upper() in _FORM))
    return Params((*Params(job.parameters).without(*_FORM).pairs, *form.pairs))


_FORM = ("RESPONSEFORMAT", "FORMAT")


def _answer(answer: Answer) -> Response:
    status, media_type, body = answer
    return Response(body, status, media_type=media_type, headers={"Vary": "Accept"})


async def tables(request: Request) -> Response:
    """The table set (VOSI 1.1, 6)."""
    params = await read_params(request)
    return xml(vosi.tables(await catalog_of(request), params.single("detail")))


async def table(request: Request) -> Response:
    """One table of the set."""
    return xml(vosi.table(await catalog_of(request), request.path_params["name"]))


async def show_capabilities(request: Request) -> Response:
    """What the service can do (TAPRegExt 1.0)."""
    context = context_of(request)
    takes_uploads, catalog = context.database.takes_tables, await catalog_of(request)
    return xml(capabilities(context.base_url(request), context.config, catalog, takes_uploads=takes_uploads))


async def show_examples(request: Request) -> Response:
    """Queries to start from (DALI 1.1, 2.3)."""
    context = context_of(request)
    shown = examples(await catalog_of(request))
    return HTMLResponse(examples_page(context.base_url(request), context.config.title, shown))


async def home(request: Request) -> Response:
    """The page for people (TAP 1.1, 2.2)."""
    context = context_of(request)
    params, catalog = await read_params(request), await catalog_of(request)
    page = service_page(
        context.base_url(request),
        context.config.title,
        catalog,
        examples(catalog),
        query=params.single("QUERY") or "",
    )
    return HTMLResponse(page)
