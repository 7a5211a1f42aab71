"""What became of an answer that went out before all of it was known, told afterwards from its job."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from vo.auth import User, may_see, user_of
from vo.dali import json_body, read_params
from vo.errors import ForbiddenError
from vo.uws.endpoints import FILES_PATH, Context, wait_seconds
from vo.uws.job import ACTIVE, SYNC_LANE, Job
from vo.uws.services import Services
from vo.uws.store import unknown_job

_PATH = f"{FILES_PATH}/sync"
_WAIT_S = 5
"""Seconds for which the end is awaited, unless the request has WAIT."""


def outcome_routes() -> list[Route]:
    """The route, once a service."""
    return [Route(f"{_PATH}/{{job_id}}", show_outcome)]


def outcome_link(base_url: str, job_id: str) -> str:
    """The header Link (RFC 8288) that leads there: "status" is that of the answer (RFC 8631, 4)."""
    return f'<{base_url}{_PATH}/{job_id}>; rel="status"; type="application/json"'


async def show_outcome(request: Request) -> Response:
    """Phase, rows, bytes and overflow of an answer, once it is over; `overflow` is null until then."""
    context: Context = request.app.state.context
    job_id, user = request.path_params["job_id"], user_of(request)
    params = await read_params(request)
    limit = context.config.wait_limit_s
    wait_s = min(_WAIT_S, limit) if params.single("WAIT") is None else wait_seconds(params, limit)
    job = await run_in_threadpool(_job, context, user, job_id)
    if wait_s and job.phase in ACTIVE:
        await context.watch.wait_for_change(job.id, job.phase, wait_s, asker=user.account)
        job = await run_in_threadpool(_job, context, user, job_id)
    media_type, body = json_body(_told(job))
    return Response(body, media_type=media_type, headers={"Cache-Control": "no-cache"})


def _job(services: Services, user: User, job_id: str) -> Job:
    job = services.store.get(job_id)
    if job.lane != SYNC_LANE:
        raise unknown_job(job_id)
    if not may_see(user, job):
        raise ForbiddenError(f"Job {job_id} belongs to somebody else.")
    return job


def _told(job: Job) -> dict[str, object]:
    report = job.report
    return {
        "job": job.id,
        "phase": job.phase,
        "rows": None if report is None else report.done,
        "bytes": None if report is None else report.bytes,
        "overflow": None if report is None or job.phase in ACTIVE else report.overflow,
        "error": None if job.error is None else job.error.message,
    }
