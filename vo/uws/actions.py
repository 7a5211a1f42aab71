"""What a client may do to a job: judged here, decided by the compare-and-set of the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from os import stat_result
from pathlib import Path
from typing import Any

from vo.auth import User, may_see
from vo.config import Config
from vo.dali import NOT_XML, Params
from vo.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    QueueFullError,
    QuotaError,
    TooLargeError,
    UsageError,
)
from vo.uws.files import SENT, create_with_files, reopened
from vo.uws.job import ACTIVE, Job, JobError, JobResult, Phase, new_job_id
from vo.uws.kind import JobKind
from vo.uws.lanes import lanes
from vo.uws.pace import expected_end
from vo.uws.services import Services
from vo.uws.store import unknown_job

CONTROLS = ("PHASE", "RUNID", "DESTRUCTION", "EXECUTIONDURATION")
"""The parameters that steer a job and are none of its own (UWS 1.1, 2.2.3.1)."""

RUN_ID_LENGTH = 256
"""Characters of a RUNID at the most: job lists carry it in every line."""

_UNLIMITED = 2**31 - 1  # the largest executionDuration, which is an xs:int


def create_job(services: Services, kind: JobKind, user: User, params: Params) -> Job:
    """A new job with `params` as they are: they are judged when it runs (TAP 1.1, 2.7), controls now.

    PHASE=RUN among them starts it at once, as clients of TAP expect.
    """
    config, now = services.config, _now()
    run, duration_s = _is_run(params), _duration(params, config)
    job = Job(
        id=new_job_id(),
        kind=kind.name,
        lane=kind.lane,
        created=now,
        destruction=_destruction(params, config, now)
        or now + timedelta(seconds=config.destruction_default_s),
        duration_s=config.duration_default_s if duration_s is None else duration_s,
        parameters=params.without(*CONTROLS).pairs,
        owner=user.name,
        run_id=_run_id(params),
        account=user.account,
    )
    job = create_with_files(services, job, params.files)
    return _start_new(services, job) if run else job


def _start_new(services: Services, job: Job) -> Job:
    """Start a job whose client does not know its id yet: where there is no room, nothing is left of it."""
    try:
        return start_job(services, job)
    except (QueueFullError, QuotaError):
        delete_job(services, job)
        raise


def find_job(services: Services, kind: JobKind, user: User, job_id: str) -> Job:
    """The job of this kind, if `user` may see it (UWS 1.1, 3: a foreign job is forbidden)."""
    job = services.store.get(job_id)
    if job.kind != kind.name:
        raise unknown_job(job_id)
    if not may_see(user, job):
        raise ForbiddenError(f"Job {job_id} belongs to somebody else.")
    return job


def with_quote(services: Services, job: Job) -> Job:
    """The job with what is likely of its end, which is worked out when somebody asks (UWS 1.1, 2.1.6)."""
    if job.phase not in ACTIVE:
        return replace(job, quote=None)
    quote = expected_end(
        job,
        services.pace.recent(job.kind),
        waiting=services.store.waiting(job.lane),
        workers=lanes(services.config)[job.lane].workers,
        now=_now(),
    )
    return replace(job, quote=quote)


def start_job(services: Services, job: Job) -> Job:
    """PHASE=RUN: PENDING to QUEUED and on to a worker; a job that no queue takes ends in ERROR."""
    queued = services.store.move(job.id, Phase.QUEUED, frm={Phase.PENDING}, queued=_now())
    try:
        services.queue.submit(queued)
    except Exception:
        error = JobError("The job could not be queued; create it again.", "transient", "TransientFault", 503)
        services.store.move(job.id, Phase.ERROR, frm={Phase.QUEUED}, ended=_now(), error=error)
        raise
    return queued


def set_phase(services: Services, job: Job, params: Params) -> Job:
    """PHASE=RUN or PHASE=ABORT (UWS 1.1, 2.2.3.6 and 2.1.3); a worker notices the abort by itself."""
    match (params.single("PHASE") or "").upper():
        case "RUN":
            with _refusing("PHASE=RUN"):
                return start_job(services, job)
        case "ABORT":
            with _refusing("PHASE=ABORT"):
                return services.store.move(job.id, Phase.ABORTED, ended=_now())
    raise UsageError("PHASE must be RUN or ABORT.")


def set_duration(services: Services, job: Job, params: Params) -> Job:
    """EXECUTIONDURATION=seconds, cut to the server's limit, until the job has ended (UWS 1.1, 2.2.3.4)."""
    duration_s = _duration(params, services.config)
    if duration_s is None:
        raise UsageError("EXECUTIONDURATION must be given, in seconds.")
    with _refusing("EXECUTIONDURATION"):
        return services.store.change(job.id, frm=ACTIVE, duration_s=duration_s)


def set_destruction(services: Services, job: Job, params: Params) -> Job:
    """DESTRUCTION=time, cut to the server's limit, in any phase (UWS 1.1, 2.2.3.3)."""
    destruction = _destruction(params, services.config, job.created)
    if destruction is None:
        raise UsageError("DESTRUCTION must be given, as a UTC time.")
    return services.store.change(job.id, destruction=destruction)


def set_run_id(services: Services, job: Job, params: Params) -> Job:
    """RUNID=name, in any phase: it is the client's word for the job and nothing else (UWS 1.1, 2.1.9)."""
    if params.single("RUNID") is None:
        raise UsageError("RUNID must be given; an empty one takes the name away.")
    return services.store.change(job.id, run_id=_run_id(params))


def set_parameters(services: Services, job: Job, params: Params) -> Job:
    """Give parameters new values while the job is PENDING; those not named stay as they are.

    RUNID may come along, or alone and then in any phase.
    """
    for control in set(CONTROLS) - {"RUNID"}:
        if params.all(control):
            raise UsageError(f"{control} is no parameter of the job; POST it to ../{control.lower()}.")
    given = params.without(*CONTROLS)
    if not given.pairs and params.all("RUNID"):
        return set_run_id(services, job, params)
    changes = {"run_id": _run_id(params)} if params.all("RUNID") else {}
    return _change_parameters(services, job, given.pairs, **changes)


def set_parameter(services: Services, job: Job, name: str, value: str) -> Job:
    """Give one parameter a single new value while the job is PENDING (UWS 1.1, 2.1.11)."""
    if not name or NOT_XML.search(name):
        raise UsageError(f"{name[:40]!r} cannot be the name of a parameter.")
    if name.upper() in CONTROLS:
        raise UsageError(f"{name} is no parameter of the job; POST it to ../../{name.lower()}.")
    return _change_parameters(services, job, ((name, value),))


def _change_parameters(
    services: Services, job: Job, given: tuple[tuple[str, str], ...], **changes: Any
) -> Job:
    names = {name.upper() for name, _ in given}
    if files := [file.parameter for file in job.files if file.parameter.upper() in names]:
        raise ConflictError(f"{files[0]} is a file of the job and stays as it is.", hint="Create a new job.")
    parameters = tuple(pair for pair in job.parameters if pair[0].upper() not in names) + given
    limit = services.config.request_bytes
    if sum(len(name) + len(value) for name, value in parameters) > limit:
        raise TooLargeError(f"The parameters of a job may have {limit:,} characters in all.")
    with _refusing(", ".join(name[:40] for name, _ in given[:5]) or "A parameter"):
        return services.store.change(job.id, frm={Phase.PENDING}, parameters=parameters, **changes)


def rerun_job(services: Services, kind: JobKind, user: User, job: Job, params: Params) -> Job:
    """A new job of `user` with the parameters of one that has ended, started at once.

    Its name and its executionDuration are those of the old one unless `params` has others.
    """
    if not job.is_final:
        raise ConflictError(
            f"Job {job.id} is {job.phase} and has not ended.",
            hint="To run it twice at once, create it twice.",
        )
    controls = Params(
        (("PHASE", "RUN"), ("EXECUTIONDURATION", str(job.duration_s)), ("RUNID", job.run_id or ""))
    )
    replaced = [name for name in CONTROLS if name != "PHASE" and params.all(name)]
    asked = tuple(pair for pair in params.pairs if pair[0].upper() in replaced)
    again = job.parameters + controls.without(*replaced).pairs + asked
    with reopened(services.results, job) as files:
        return create_job(services, kind, user, Params(again, files))


def delete_job(services: Services, job: Job) -> None:
    """Forget the job and its results; a worker that has it stops (UWS 1.1, 2.2.3.2)."""
    services.store.delete(job.id)
    services.results.remove(job.id)


def parameter_text(job: Job, name: str) -> str:
    """What was sent as one parameter, a line a value (UWS 1.1, 2.2.3.1.1)."""
    values = [value for key, value in job.parameters if key.upper() == name.upper()]
    if not values:
        raise NotFoundError(f"Job {job.id} has no parameter {name!r}.")
    return "\n".join(values)


def parameter_file(services: Services, job: Job, name: str) -> Path | None:
    """The file that came as the parameter of that name; None: it was no file."""
    for file in job.files:
        if file.parameter.upper() == name.upper():
            return services.results.path(job.id, SENT, file.name)
    return None


def job_failure(job: Job) -> JobError:
    """Why the job failed; NotFoundError when it did not (DALI 1.1, 5.2)."""
    if job.error is None:
        raise NotFoundError(f"Job {job.id} has no error: it is {job.phase}.")
    return job.error


def result_file(services: Services, job: Job, result_id: str) -> tuple[JobResult, Path, stat_result]:
    """One result with its file and the file's size and time."""
    for result in job.results:
        if result.id == result_id:
            path = services.results.path(job.id, job.attempt, result.name)
            return result, path, path.stat()
    raise NotFoundError(
        f"Job {job.id} has no result {result_id!r}: it is {job.phase}.",
        hint=None if job.error is None else job.error.message,  # all that some clients show of a failed job
    )


def _now() -> datetime:
    # To the millisecond, as the documents show it: AFTER=<creationTime of a job> must not list that job.
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _is_run(params: Params) -> bool:
    phase = params.single("PHASE")
    if phase is not None and phase.upper() != "RUN":
        raise UsageError("PHASE of a new job can only be RUN.")
    return phase is not None


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    """Let the refusal of a change name what was to be changed."""
    try:
        yield
    except ConflictError as error:
        raise ConflictError(f"{what} is refused: {error.message}", hint=error.hint) from error


def _run_id(params: Params) -> str | None:
    """The client's name for a job; None, also for an empty one: it has none."""
    run_id = params.single("RUNID")
    if run_id is not None and NOT_XML.search(run_id):
        raise UsageError("RUNID must be printable text.")
    if run_id is not None and len(run_id) > RUN_ID_LENGTH:
        raise UsageError(f"RUNID may have {RUN_ID_LENGTH} characters, but has {len(run_id):,}.")
    return run_id or None


def _duration(params: Params, config: Config) -> int | None:
    """The effective executionDuration; 0 is unlimited, both as a wish and as the server's limit."""
    wanted = params.integer("EXECUTIONDURATION", minimum=0)
    if wanted is None:
        return None
    longest = min(wanted or _UNLIMITED, config.duration_limit_s or _UNLIMITED)
    return 0 if longest == _UNLIMITED else longest


def _destruction(params: Params, config: Config, created: datetime) -> datetime | None:
    wanted = params.instant("DESTRUCTION")
    if wanted is None:
        return None
    if wanted <= _now():
        raise UsageError("DESTRUCTION lies in the past.", hint="To destroy the job now, DELETE it.")
    return min(wanted, created + timedelta(seconds=config.destruction_limit_s))
