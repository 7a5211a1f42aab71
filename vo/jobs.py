"""The table of job kinds, and the life of a job in a worker: taken, run, watched, finished, swept."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from time import monotonic

from vo.context import Context
from vo.errors import CancelledError, ConflictError, LeaseLostError, NotFoundError, TimeLimitError, VOError
from vo.tap.execute import execute as execute_tap
from vo.uws.job import SYNC_LANE, Job, JobError, JobResult, Phase
from vo.uws.relay import RelayWriter
from vo.uws.run import Run
from vo.uws.sink import FileSink, RelaySink, Sink

Execute = Callable[[Run, Context, Sink], tuple[JobResult, ...]]

KINDS: Mapping[str, Execute] = {"tap": execute_tap, "tap-sync": execute_tap}
"""What runs a job of each kind: it writes to the sink and returns the results it left there."""

LANES = (SYNC_LANE, "query")
"""Every Celery queue; a job of the first streams to a waiting client and is never started twice."""

WATCH_S = 0.25
"""Seconds between two looks of the watcher at the job: an abort stops the statement within this."""

TELL_S = 1.0
"""Seconds between two times that a run tells how far it has come."""

MAX_ATTEMPTS = 2
"""Starts of a job at the most: once, and once more when its worker was lost."""

ORPHAN_S = 600
"""Age in seconds of a result directory without a job that makes it an orphan."""

log = logging.getLogger(__name__)


def run_job(job_id: str, context: Context) -> None:
    """Take the job and run it to its end; do nothing when another has it or it was aborted."""
    try:
        job = context.store.move(
            job_id, Phase.EXECUTING, frm={Phase.QUEUED}, started=datetime.now(UTC), report=None
        )
    except (ConflictError, NotFoundError) as error:
        log.info("job %s is not run: %s", job_id, error)
        return
    run = Run(job)
    sink = _sink(run, context)
    with _watched(run, context):
        try:
            results = KINDS[job.kind](run, context, sink)
        except VOError as error:
            _end(run, context, sink, error=run.reason or error)
        except Exception:
            reference = uuid.uuid4().hex[:8]
            log.exception("job %s failed unexpectedly (%s)", job_id, reference)
            _end(run, context, sink, error=VOError(f"The job failed; tell the operators {reference}."))
        else:
            _end(run, context, sink, results=results)


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
    summary = None if error is None else job_error(error)
    sink.end(summary)
    try:
        context.store.move(
            run.job.id,
            Phase.COMPLETED if error is None else _phase_after(error),
            frm={Phase.EXECUTING},
            attempt=run.job.attempt,
            ended=datetime.now(UTC),
            results=results,
            error=summary,
            report=run.finish(),
        )
        if error is None and run.job.started is not None:
            context.pace.note(run.job.kind, (datetime.now(UTC) - run.job.started).total_seconds())
    except ConflictError as refused:
        log.info("the end of job %s is not recorded: %s", run.job.id, refused)
        _tell_progress(run, context, Phase.ABORTED)
    except NotFoundError:  # deleted while it ran: nobody else can remove what it wrote
        context.results.remove(run.job.id)


def _phase_after(error: VOError) -> Phase:
    """ABORTED when a person or a limit stopped it (UWS 1.1, 2.1.3 and 2.1.4), ERROR otherwise."""
    return Phase.ABORTED if isinstance(error, CancelledError | TimeLimitError) else Phase.ERROR


def job_error(error: VOError) -> JobError:
    """The error summary of a failed job."""
    kind = "transient" if error.code == "TransientFault" else "fatal"
    return JobError(str(error), kind, error.code, error.status, error.problems)


@contextmanager
def _watched(run: Run, context: Context) -> Iterator[None]:
    """Watch the job from a second thread while the block runs, and stop the run when it must end."""
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(run, context, done), name="watcher", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _watch(run: Run, context: Context, done: threading.Event) -> None:
    renewed = told = monotonic()
    while not done.wait(WATCH_S):
        try:
            reason = _reason_to_stop(context.store.get(run.job.id), run.job)
            if reason is None and monotonic() - renewed > context.config.lease_s / 4:
                context.store.renew_lease(run.job.id, run.job.attempt, context.config.lease_s)
                renewed = monotonic()
            if reason is None and monotonic() - told > TELL_S:
                _tell_progress(run, context, Phase.EXECUTING)
                told = monotonic()
        except NotFoundError:
            reason = CancelledError("The job was deleted.")
        except VOError as error:
            log.warning("the watcher of job %s cannot see it: %s", run.job.id, error)
            reason = _lease_over(renewed, context.config.lease_s)
        if reason is not None:
            run.stop(reason)


def _tell_progress(run: Run, context: Context, phase: Phase) -> None:
    """Keep how far the run has come, if the job is in `phase` and has not been given to another worker."""
    with suppress(ConflictError, NotFoundError):
        context.store.change(run.job.id, frm={phase}, attempt=run.job.attempt, report=run.report)


def _lease_over(renewed: float, lease_s: float) -> VOError | None:
    """A worker that could not renew its lease must take it for granted that another has the job."""
    if monotonic() - renewed > lease_s:
        return LeaseLostError("The worker lost touch with the job store.", hint="Run the job again.")
    return None


def _reason_to_stop(now: Job, taken: Job) -> VOError | None:
    if now.phase is not Phase.EXECUTING or now.attempt != taken.attempt:
        return CancelledError("The job was aborted.")
    deadline = now.deadline
    if deadline is not None and datetime.now(UTC) > deadline:
        return TimeLimitError(
            f"The job used up its {now.duration_s} seconds.",
            hint="Narrow the query, or run it under /tap/async with a longer executionDuration.",
        )
    return None


@dataclass
class Swept:
    """What a sweep found and mended, in numbers of jobs."""

    requeued: int = 0
    failed: int = 0
    resubmitted: int = 0
    destroyed: int = 0
    orphans: int = 0

    def __bool__(self) -> bool:
        """Whether there was anything to mend."""
        return any(asdict(self).values())

    def __str__(self) -> str:
        """`requeued 1, failed 0, …`."""
        return ", ".join(f"{name} {count}" for name, count in asdict(self).items())


def sweep(context: Context) -> Swept:
    """Find jobs whose worker or message was lost, destroy what is past its time, remove orphaned files."""
    swept = Swept()
    for job in context.store.lease_lost():
        _mend(job, context, swept)
    _resubmit(context, swept)
    for job_id in context.store.expired(datetime.now(UTC)):
        destroy(job_id, context)
        swept.destroyed += 1
    for job_id in context.results.older_than(ORPHAN_S):
        if not _exists(job_id, context):
            context.results.remove(job_id)
            swept.orphans += 1
    return swept


def _mend(job: Job, context: Context, swept: Swept) -> None:
    """Start a lost job once more, or end it; whoever else mends it at the same time wins or loses alone."""
    again = job.lane != SYNC_LANE and job.attempt < MAX_ATTEMPTS
    lost = LeaseLostError("The worker of this job was lost.", hint="Run the job again.")
    try:
        if again:
            job = context.store.move(job.id, Phase.QUEUED, frm={Phase.EXECUTING}, attempt=job.attempt)
            context.results.remove(job.id)
            context.queue.submit(job)
            swept.requeued += 1
        else:
            context.store.move(
                job.id,
                Phase.ERROR,
                frm={Phase.EXECUTING},
                attempt=job.attempt,
                ended=datetime.now(UTC),
                error=job_error(lost),
            )
            context.results.remove(job.id)
            swept.failed += 1
    except (ConflictError, NotFoundError) as error:
        log.info("job %s needs no mending: %s", job.id, error)


def _resubmit(context: Context, swept: Swept) -> None:
    """Send queued jobs again whose lane is empty: their message was lost with a worker or the broker.

    A message too many does no harm: of two workers one takes the job.
    """
    empty = {lane for lane in LANES if context.queue.depth(lane) == 0}
    for job in context.store.active():
        if job.phase is Phase.QUEUED and job.lane in empty:
            context.queue.submit(job)
            swept.resubmitted += 1


def destroy(job_id: str, context: Context) -> None:
    """Forget a job and its files; a worker that runs it sees that it is gone (UWS 1.1, 2.1.5)."""
    try:
        context.store.delete(job_id)
    except NotFoundError:
        log.info("job %s was destroyed by another", job_id)
    context.results.remove(job_id)


def _exists(job_id: str, context: Context) -> bool:
    try:
        context.store.get(job_id)
    except NotFoundError:
        return False
    return True
