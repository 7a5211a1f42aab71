"""The resources of a job list and its jobs (UWS 1.1, 2.2): each endpoint parses, calls and answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from vo.auth import User, user_of
from vo.dali import Params, accepted_form, error_as, prefers_page, read_params, read_text
from vo.errors import UsageError
from vo.log import is_about
from vo.page import POLICY
from vo.uws import actions
from vo.uws.download import Download
from vo.uws.job import ACTIVE, Job, Phase
from vo.uws.kind import JobKind
from vo.uws.pages import job_page, jobs_page
from vo.uws.services import Services
from vo.uws.watch import JobWatch
from vo.uws.xml import (
    Place,
    iso,
    job_document,
    jobs_document,
    parameters_document,
    results_document,
)

FILES: Mapping[str, str] = {
    "info.xsd": "application/xml",
    "job.xsd": "application/xml",
    "page.js": "text/javascript",
}
"""The files of this folder that documents and pages refer to, with their types."""

FILES_PATH = "/uws"
"""Where the service serves them."""

LIST_ON_PAGE = 100
"""Jobs on the page of the list when its reader does not say how many."""

LIST_AFTER_DELETE = 100
"""Jobs that the list shows after a DELETE: a client that follows the redirect wants none of them."""

_FRESH = {"Cache-Control": "no-cache"}  # a proxy that keeps phases lets clients wait for ever
_EITHER = {**_FRESH, "Vary": "Accept"}
_SANDBOXED = {**_FRESH, "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
_PAGE = {**_EITHER, "Content-Security-Policy": POLICY}


class Context(Services, Protocol):
    """What these endpoints need of the service's context."""

    @property
    def watch(self) -> JobWatch:
        """What wakes a request when a job changes."""
        ...

    def base_url(self, request: Request) -> str:
        """The absolute URL of the service's root, without a slash at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """A request to the resources of one kind of job."""

    kind: JobKind
    request: Request

    @property
    def context(self) -> Context:
        """The service's context."""
        context: Context = self.request.app.state.context
        return context

    @property
    def user(self) -> User:
        """Who asks."""
        return user_of(self.request)

    @property
    def place(self) -> Place:
        """The URLs that documents name."""
        root = self.context.base_url(self.request)
        return Place(root + self.kind.path, root + FILES_PATH)

    def step(self, name: str) -> str:
        """One step of the path."""
        return str(self.request.path_params[name])

    async def params(self) -> Params:
        """The parameters sent."""
        return await read_params(self.request)

    async def job(self) -> Job:
        """The job that the path names, if the user may see it."""
        job = await run_in_threadpool(
            actions.find_job, self.context, self.kind, self.user, self.step("job_id")
        )
        is_about(job)
        return job

    async def quoted(self, job: Job) -> Job:
        """The job with its quote."""
        return await run_in_threadpool(actions.with_quote, self.context, job)

    async def act(self, action: Callable[[Services, Job, Params], Job]) -> Response:
        """Do something to the job with the parameters sent, and point to the job (UWS 1.1, 2.2.3)."""
        job, params = await self.job(), await self.params()
        await run_in_threadpool(action, self.context, job, params)
        return see_other(self.place.job(job.id))


Endpoint = Callable[[Call], Awaitable[Response]]


def uws_routes(kind: JobKind) -> list[Route]:
    """The routes of all resources of a kind of job, from the service's root."""
    return [
        Route(kind.path + path, partial(_dispatch, kind, methods), methods=list(methods))
        for path, methods in RESOURCES.items()
    ]


def file_routes() -> list[Route]:
    """The routes of FILES, once a service."""
    return [
        Route(f"{FILES_PATH}/{name}", partial(_file, Path(__file__).with_name(name), media_type))
        for name, media_type in FILES.items()
    ]


async def _file(path: Path, media_type: str, _: Request) -> Response:
    return FileResponse(path, media_type=media_type)


async def list_jobs(call: Call) -> Response:
    """GET /{jobs}: PHASE (repeated), AFTER and LAST filter it (UWS 1.1, 2.2.2.1)."""
    params, is_page = await call.params(), prefers_page(call.request)
    phases = [_phase(text) for text in params.all("PHASE")]
    last = params.integer("LAST", minimum=1) or (LIST_ON_PAGE if is_page else None)
    jobs = await run_in_threadpool(
        call.context.store.list,
        kind=call.kind.name,
        owner=call.user.name,
        phases=phases,
        after=params.instant("AFTER"),
        last=last,
    )
    if is_page:
        shown = f"The newest {last} jobs at the most{' that are ' * bool(phases)}{' or '.join(phases)}."
        return html(jobs_page(jobs, call.place, shown=shown))
    return xml(jobs_document(jobs, call.place))


async def create_job(call: Call) -> Response:
    """POST /{jobs}."""
    room = call.context.config.upload_bytes if call.kind.takes_files else 0
    params = await read_params(call.request, file_bytes=room)
    with closing(params):
        job = await run_in_threadpool(actions.create_job, call.context, call.kind, call.user, params)
    is_about(job)
    return see_other(call.place.job(job.id))


async def show_job(call: Call) -> Response:
    """GET /{jobs}/{id}: WAIT sleeps until the phase changes, if it is PHASE (UWS 1.1, 2.2.1.3)."""
    job, params = await call.job(), await call.params()
    wait_s = wait_seconds(params, call.context.config.wait_limit_s)
    named = params.single("PHASE")
    expected = job.phase if named is None else _phase(named)
    if wait_s and job.phase in ACTIVE and job.phase == expected:
        await call.context.watch.wait_for_change(job.id, job.phase, wait_s, asker=_asker(call))
        job = await call.job()
    job = await call.quoted(job)
    if prefers_page(call.request):
        return html(job_page(job, call.place))
    return xml(job_document(job, call.place))


async def act_on_job(call: Call) -> Response:
    """POST /{jobs}/{id}: ACTION=DELETE and nothing else; parameters go elsewhere (DALI 1.1, 2.1)."""
    await call.job()
    if ((await call.params()).single("ACTION") or "").upper() != "DELETE":
        raise UsageError(
            "A job takes ACTION=DELETE.", hint="Its parameters are set at ./parameters, its phase at ./phase."
        )
    return await delete_job(call)


async def delete_job(call: Call) -> Response:
    """DELETE /{jobs}/{id}."""
    await run_in_threadpool(actions.delete_job, call.context, await call.job())
    return see_other(f"{call.place.jobs}?LAST={LIST_AFTER_DELETE}")


async def rerun_job(call: Call) -> Response:
    """POST …/rerun: a new job with the parameters of this one, started at once; points to the new job."""
    job, params = await call.job(), await call.params()
    again = await run_in_threadpool(actions.rerun_job, call.context, call.kind, call.user, job, params)
    is_about(again)
    return see_other(call.place.job(again.id))


async def show_phase(call: Call) -> Response:
    """GET …/phase."""
    return text((await call.job()).phase)


async def show_duration(call: Call) -> Response:
    """GET …/executionduration."""
    return text(str((await call.job()).duration_s))


async def show_destruction(call: Call) -> Response:
    """GET …/destruction."""
    return text(iso((await call.job()).destruction))


async def show_quote(call: Call) -> Response:
    """GET …/quote: empty when there is none."""
    quote = (await call.quoted(await call.job())).quote
    return text("" if quote is None else iso(quote))


async def show_owner(call: Call) -> Response:
    """GET …/owner: empty for a job of the anonymous public."""
    return text((await call.job()).owner or "")


async def show_run_id(call: Call) -> Response:
    """GET …/runid: empty when there is none."""
    return text((await call.job()).run_id or "")


async def show_parameters(call: Call) -> Response:
    """GET …/parameters: in a browser that part of the job's page."""
    job = await call.job()
    if prefers_page(call.request):
        return see_other(f"{call.place.job(job.id)}#parameters")
    return xml(parameters_document(job, call.place))


async def show_parameter(call: Call) -> Response:
    """GET …/parameters/{name}: what byReference points to."""
    job, name = await call.job(), call.step("name")
    file = await run_in_threadpool(actions.parameter_file, call.context, job, name)
    if file is not None:
        return FileResponse(file, media_type="application/octet-stream", headers=_SANDBOXED)
    return text(actions.parameter_text(job, name))


async def put_parameter(call: Call) -> Response:
    """PUT …/parameters/{name}: the body is the value (UWS 1.1, 2.1.11)."""
    job, value = await call.job(), await read_text(call.request)
    await run_in_threadpool(actions.set_parameter, call.context, job, call.step("name"), value)
    return see_other(call.place.job(job.id))


async def post_parameter(call: Call) -> Response:
    """POST …/parameters/{name}: the same with a form, which names the parameter once more or VALUE."""
    job, params, name = await call.job(), await call.params(), call.step("name")
    value = params.single(name) if params.all(name) else params.single("VALUE")
    if value is None:
        raise UsageError(f"{name} must be given.", hint=f"Send {name}=… or VALUE=….")
    await run_in_threadpool(actions.set_parameter, call.context, job, name, value)
    return see_other(call.place.job(job.id))


async def show_results(call: Call) -> Response:
    """GET …/results: in a browser that part of the job's page."""
    job = await call.job()
    if prefers_page(call.request):
        return see_other(f"{call.place.job(job.id)}#outcome")
    return xml(results_document(job, call.place))


async def show_result(call: Call) -> Response:
    """GET …/results/{id}: the file, the parts of it that Range asks for, or 304."""
    job = await call.job()
    result, path, stat = await run_in_threadpool(
        actions.result_file, call.context, job, call.step("result_id")
    )
    # As a header: starlette would add a charset, and DALI (4.3.3) wants the type that was asked for.
    headers = {**_FRESH, "content-type": result.mime_type, "x-content-type-options": "nosniff"}
    return Download(
        path, headers=headers, stat_result=stat, filename=result.name, content_disposition_type="inline"
    )


async def show_error(call: Call) -> Response:
    """GET …/error: the error document, with status 200, in the form of its service (DALI 1.1, 5.2)."""
    failure = actions.job_failure(await call.job()).as_error()
    tell = call.kind.tell_error or partial(error_as, accepted_form(call.request) or "votable")
    media_type, body = tell(failure)
    return Response(body, media_type=media_type, headers=_FRESH)


def _setter(action: Callable[[Services, Job, Params], Job]) -> Endpoint:
    async def endpoint(call: Call) -> Response:
        return await call.act(action)

    return endpoint


RESOURCES: Mapping[str, Mapping[str, Endpoint]] = {
    "": {"GET": list_jobs, "POST": create_job},
    "/{job_id}": {"GET": show_job, "POST": act_on_job, "DELETE": delete_job},
    "/{job_id}/phase": {"GET": show_phase, "POST": _setter(actions.set_phase)},
    "/{job_id}/executionduration": {"GET": show_duration, "POST": _setter(actions.set_duration)},
    "/{job_id}/destruction": {"GET": show_destruction, "POST": _setter(actions.set_destruction)},
    "/{job_id}/quote": {"GET": show_quote},
    "/{job_id}/runid": {"GET": show_run_id, "POST": _setter(actions.set_run_id)},
    "/{job_id}/rerun": {"POST": rerun_job},
    "/{job_id}/owner": {"GET": show_owner},
    "/{job_id}/error": {"GET": show_error},
    "/{job_id}/parameters": {"GET": show_parameters, "POST": _setter(actions.set_parameters)},
    "/{job_id}/parameters/{name:path}": {"GET": show_parameter, "POST": post_parameter, "PUT": put_parameter},
    "/{job_id}/results": {"GET": show_results},
    "/{job_id}/results/{result_id}": {"GET": show_result},
}
"""Every resource below a job list, and what answers each method."""


async def _dispatch(kind: JobKind, methods: Mapping[str, Endpoint], request: Request) -> Response:
    method = "GET" if request.method == "HEAD" else request.method
    return await methods[method](Call(kind, request))


def xml(document: bytes) -> Response:
    """A container, as programs read it (UWS 1.1, 2.2.2)."""
    return Response(document, media_type="application/xml", headers=_EITHER)


def html(page: str) -> Response:
    """A container, for people (UWS 1.1, 2.2.2)."""
    return HTMLResponse(page, headers=_PAGE)


def text(value: str) -> Response:
    """An atom, as plain text (UWS 1.1, 2.2.2)."""
    return PlainTextResponse(value, headers=_FRESH)


def see_other(url: str) -> Response:
    """A redirection to what there is to see now."""
    return RedirectResponse(url, status_code=303)


def _phase(text: str) -> Phase:
    try:
        return Phase(text)
    except ValueError as error:
        raise UsageError(
            f"PHASE cannot be {text[:40]!r}.", hint=f"The phases are {', '.join(Phase)}."
        ) from error


def wait_seconds(params: Params, limit_s: int) -> int:
    """The seconds that WAIT may sleep: -1 asks for the longest (UWS 1.1, 2.2.1.3)."""
    wanted = params.integer("WAIT", minimum=-1)
    return limit_s if wanted == -1 else min(wanted or 0, limit_s)


def _asker(call: Call) -> str | None:
    client = call.request.client
    return call.user.name or (None if client is None else client.host)
