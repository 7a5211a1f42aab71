"""The table of job kinds, and the life of a job in a worker: claimed, run, ended or handed back."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from vo.anomaly import endpoints as anomaly
from vo.anomaly.execute import execute as execute_anomaly
from vo.anomaly.stages import help_with
from vo.config import Config
from vo.context import Context
from vo.cutout import endpoints as cutout
from vo.cutout.bulk import execute as execute_cutouts
from vo.cutout.execute import execute as execute_cutout
from vo.errors import (
    CancelledError,
    ConflictError,
    LeaseLostError,
    NotFoundError,
    RestartError,
    TimeLimitError,
    VOError,
)
from vo.footprint import coverage_endpoints as coverage
from vo.footprint import endpoints as footprint
from vo.footprint import work as coverage_work
from vo.footprint.positions import execute as execute_positions
from vo.log import about, logger
from vo.scs import endpoints as scs
from vo.scs.execute import execute as execute_scs
from vo.sia import endpoints as sia
from vo.sia.execute import execute as execute_sia
from vo.sia.v1 import endpoints as sia_v1
from vo.sia.v1.execute import execute as execute_sia_v1
from vo.soda import endpoints as soda
from vo.soda import execute as soda_work
from vo.tap import endpoints as tap
from vo.tap.execute import execute as execute_tap
from vo.uws.guard import Guard, keep_report
from vo.uws.job import SYNC_LANE, Job, JobError, JobResult, Phase
from vo.uws.lanes import Lane, lanes
from vo.uws.pool import Pool, Seat
from vo.uws.relay import RelayWriter
from vo.uws.results import SHARDS
from vo.uws.run import Run
from vo.uws.shards import Shard
from vo.uws.sink import FileSink, RelaySink, Sink

Execute = Callable[[Run, Context, Sink], tuple[JobResult, ...]]

_KINDS = (
    (tap.ASYNC, execute_tap),
    (tap.SYNC, execute_tap),
    (scs.SYNC, execute_scs),
    (sia.SYNC, execute_sia),
    (sia_v1.SYNC, execute_sia_v1),
    (anomaly.ASYNC, execute_anomaly),
    (cutout.SYNC, execute_cutout),
    (cutout.ASYNC, execute_cutouts),
    (coverage.MOC, coverage_work.execute_moc),
    (coverage.MAP, coverage_work.execute_map),
    (coverage.ASYNC, coverage_work.execute),
    (soda.SYNC, soda_work.execute_sync),
    (soda.ASYNC, soda_work.execute),
    (footprint.SYNC, execute_positions),
    (footprint.ASYNC, execute_positions),
)

KINDS_OF_JOB = tuple(kind for kind, _ in _KINDS)
"""Every kind, as its clients see it."""

KINDS: Mapping[str, Execute] = {kind.name: execute for kind, execute in _KINDS}
"""What runs a job of each kind: it writes to the sink and returns the results it left there."""

HELP: Mapping[str, Callable[[Run, Context, Shard], None]] = {anomaly.ASYNC.name: help_with}
"""What works on a shard of a job that another worker has, for the kinds that are done in shards."""

SHARED_LANES = frozenset(kind.lane for kind, _ in _KINDS if kind.name in HELP)
"""The lanes whose workers help each other."""

LANES = tuple(name for name in lanes(Config()) if name in {kind.lane for kind, _ in _KINDS})
"""The lanes that have a kind of job; each is a Celery queue, and no other lane is started or offered."""

log = logger(__name__)


def run_next(lane: Lane, context: Context, seat: Seat | None = None) -> None:
    """Claim the next job of `lane` and run it to its end; do nothing when there is none that may start."""
    seat = seat or Pool(1).seat(0)
    if seat.is_draining:
        context.queue.call(lane.name)
        return
    job = context.store.claim(lane.name, started=datetime.now(UTC), report=None)
    if job is None:
        if lane.name in SHARED_LANES:
            _help_out(lane, context, seat)
        return
    with about(job):
        try:
            run_job(job, lane, context, seat)
        finally:
            call_if_needed(lane.name, context)


def call_if_needed(lane: str, context: Context) -> int:
    """Call a worker if there is something to do on `lane` and no call waits; how many calls that were.

    Calls are used up by claims that find every waiting account at its limit; the end of a job changes that.
    """
    if context.queue.depth(lane):
        return 0
    if not (context.store.runnable(lane) or (lane in SHARED_LANES and context.shards.can_help(lane))):
        return 0
    context.queue.call(lane)
    return 1


def run_job(job: Job, lane: Lane, context: Context, seat: Seat) -> None:
    """Run a claimed job; whatever happens, it is in a final phase or queued again afterwards."""
    log.info("job started", attempt=job.attempt)
    run = Run(job)
    sink = _sink(run, context)

    def give_up() -> None:
        log.error("the job does not stop; its process is ended")
        try:
            _end(run, context, sink, error=run.reason)
        finally:
            seat.leave()

    with Guard(run, context, lane, seat, is_wanted=sink.is_wanted, give_up=give_up).watching():
        try:
            results = KINDS[job.kind](run, context, sink)
        except Exception as error:  # noqa: BLE001  `_failure` logs those that are not ours
            _end(run, context, sink, error=_failure(run, error))
        else:
            _end(run, context, sink, results=results)


def _failure(run: Run, error: Exception) -> VOError:
    """What is told of an error; of one that is not ours a reference to what is logged."""
    if isinstance(error, VOError):
        return run.reason or error
    reference = uuid.uuid4().hex[:8]
    log.error("the job failed unexpectedly", reference=reference, exc_info=error)
    return VOError(f"The job failed; tell the operators {reference}.")


def _help_out(lane: Lane, context: Context, seat: Seat) -> None:
    """Work on shards of running jobs as long as there are some and no job waits that may start."""
    while not (seat.is_draining or context.store.runnable(lane.name)):
        shard = context.shards.take_any(lane.name)
        if shard is None:
            return
        with suppress(NotFoundError):
            job = context.store.get(shard.job_id)
            with about(job):
                _work_on(shard, job, lane, context, seat)
    call_if_needed(lane.name, context)


def _work_on(shard: Shard, job: Job, lane: Lane, context: Context, seat: Seat) -> None:
    """Do one shard for the worker that has the job; whoever cannot finish it gives it back, or says why."""
    run, shards = Run(job), context.shards
    guard = Guard(run, context, lane, seat, is_wanted=lambda: True, give_up=seat.leave, has_job=False)
    with guard.watching(), shards.held(shard):
        try:
            HELP[job.kind](run, context, shard)
        except Exception as error:  # noqa: BLE001  `_failure` logs those that are not ours
            failure = _failure(run, error)
            if isinstance(failure, RestartError | CancelledError | LeaseLostError):
                log.info("a shard is given back", shard=shard.name, reason=str(failure))
                shards.give_back(shard)
                clear_shards(job.id, lane.name, context)
            else:
                shards.fail(shard, JobError.of(failure))
        else:
            if not shards.finish(shard):
                clear_shards(job.id, lane.name, context)


def clear_shards(job_id: str, lane: str, context: Context) -> None:
    """Forget the shards of a job that has ended or is gone; those of one that goes on stay."""
    with suppress(NotFoundError):
        if not context.store.get(job_id).is_final:
            return
    context.shards.close(job_id, lane)
    context.results.remove_attempt(job_id, SHARDS)


def _sink(run: Run, context: Context) -> Sink:
    if run.job.lane == SYNC_LANE:
        directory = context.config.relay_blocks
        return RelaySink(RelayWriter(context.relay, run.job.id, run.check, directory=directory))
    return FileSink(run, context.results)


def _end(
    run: Run,
    context: Context,
    sink: Sink,
    *,
    results: tuple[JobResult, ...] = (),
    error: VOError | None = None,
) -> None:
    """Tell the reader, then move the job to its final phase, unless an abort moved it there before."""
    job = run.job
    if isinstance(error, RestartError) and hand_back(job, context):
        return
    summary = None if error is None else JobError.of(error)
    sink.end(summary)
    try:
        done = context.store.move(
            job.id,
            Phase.COMPLETED if error is None else _phase_after(error),
            frm={Phase.EXECUTING},
            attempt=job.attempt,
            ended=ended(job),
            results=results,
            error=summary,
            report=run.finish(),
        )
        _remember(done, context)
    except (ConflictError, NotFoundError) as refused:
        # Aborted, deleted or given to another while it ran: nobody else removes what this attempt wrote.
        log.info("the end of the job is not recorded", reason=str(refused))
        context.results.remove_attempt(job.id, job.attempt)
        keep_report(run, context, Phase.ABORTED)
    if job.lane in SHARED_LANES:
        clear_shards(job.id, job.lane, context)


def _remember(done: Job, context: Context) -> None:
    """Tell of a job that ended: the log, the sums of all jobs and, if it went well, the pace of its kind."""
    report, seconds = done.report, 0.0
    if done.started is not None and done.ended is not None:
        seconds = (done.ended - done.started).total_seconds()
    facts = {} if report is None else {"rows": report.done, "bytes": report.bytes, **dict(report.timings)}
    failure = {} if done.error is None else {"error": done.error.message}
    log.info("job ended", phase=done.phase.value, attempt=done.attempt, seconds=seconds, **facts, **failure)
    context.tally.note(done)
    if done.phase is Phase.COMPLETED:
        context.pace.note(done.kind, seconds)


def hand_back(job: Job, context: Context, *, losses: int = 0) -> bool:
    """Queue a job again that its worker cannot finish, first in its line; not one that has a client waiting.

    `losses` is added to those that the job had. ConflictError: it has ended, or another worker has it.
    """
    if job.lane == SYNC_LANE:
        return False
    context.store.move(
        job.id,
        Phase.QUEUED,
        frm={Phase.EXECUTING},
        attempt=job.attempt,
        started=None,
        losses=job.losses + losses,
    )
    context.results.remove_attempt(job.id, job.attempt)
    context.queue.call(job.lane)
    return True


def _phase_after(error: VOError) -> Phase:
    """ABORTED when a person or a limit stopped it (UWS 1.1, 2.1.3 and 2.1.4), ERROR otherwise."""
    return Phase.ABORTED if isinstance(error, CancelledError | TimeLimitError) else Phase.ERROR


def ended(job: Job) -> datetime:
    """The time at which a job ends now; never before its start, should the clock have been set back."""
    now = datetime.now(UTC)
    return now if job.started is None else max(now, job.started)
