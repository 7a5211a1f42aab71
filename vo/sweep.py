"""What nobody else would find: lost jobs and calls, expired jobs, orphaned files, sets that drifted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from vo.anomaly.shelf import Shelf
from vo.config import Config
from vo.context import Context, open_context
from vo.errors import ConflictError, LeaseLostError, NotFoundError, VOError
from vo.footprint.map_cache import MapCache
from vo.jobs import LANES, SHARED_LANES, call_if_needed, clear_shards, ended, hand_back
from vo.lifeline import remove_abandoned
from vo.log import about, logger
from vo.tap.schema import describe
from vo.uws.files import SENT
from vo.uws.job import Job, JobError, Phase
from vo.uws.reachable import reachable
from vo.uws.relay import end_forgotten_keys, slot_files
from vo.uws.results import SHARDS

MOST_LOSSES = 1
"""Workers that may be lost with a job before it is given up: it may be the job that kills them."""

ORPHAN_S = 600
"""Age in seconds from which a file without a job is an orphan."""

log = logger(__name__)


@dataclass
class Swept:
    """What a sweep found and mended, in numbers."""

    requeued: int = 0
    failed: int = 0
    recounted: int = 0
    called: int = 0
    destroyed: int = 0
    orphans: int = 0

    def __bool__(self) -> bool:
        """Whether there was anything to mend."""
        return any(asdict(self).values())

    def __str__(self) -> str:
        """`requeued 1, failed 0, …`."""
        return ", ".join(f"{name} {count}" for name, count in asdict(self).items())


def sweep(context: Context) -> Swept:
    """Mend and clear up once; any number of sweeps may run at the same time."""
    swept = Swept()
    for job in context.store.lease_lost():
        with about(job):
            _mend(job, context, swept)
    swept.recounted = context.store.recount()
    swept.called = sum(call_if_needed(lane, context) for lane in LANES)
    for job_id in context.store.expired(datetime.now(UTC)):
        destroy(job_id, context)
        swept.destroyed += 1
    for lane in SHARED_LANES:
        for job_id in context.shards.jobs(lane):
            clear_shards(job_id, lane, context)
    swept.destroyed += Shelf(context.config).remove_expired(datetime.now(UTC))
    swept.orphans = _remove_orphans(context)
    return swept


def sweep_every(config: Config, pause_s: float) -> NoReturn:
    """Sweep again and again; what cannot be reached now is tried at the next turn."""
    with open_context(config, describe) as context:
        while True:
            try:
                if swept := sweep(context):
                    log.info("swept", **asdict(swept))
            except VOError as error:
                log.warning("the sweep came to nothing", error=str(error))
            time.sleep(pause_s)


def _mend(job: Job, context: Context, swept: Swept) -> None:
    """Start a lost job once more, or end it; whoever else mends it at the same time wins or loses alone."""
    lost = LeaseLostError("The worker of this job was lost.", hint="Run the job again.")
    try:
        if job.losses < MOST_LOSSES and hand_back(job, context, losses=1):
            log.warning("the worker of the job was lost; it is queued again")
            swept.requeued += 1
            return
        context.store.move(
            job.id,
            Phase.ERROR,
            frm={Phase.EXECUTING},
            attempt=job.attempt,
            ended=ended(job),
            losses=job.losses + 1,
            error=JobError.of(lost),
        )
        context.results.remove_attempt(job.id, job.attempt)
        log.warning("the worker of the job was lost; it failed")
        swept.failed += 1
    except (ConflictError, NotFoundError) as error:
        log.info("the job needs no mending", reason=str(error))


def destroy(job_id: str, context: Context) -> None:
    """Forget a job and its files; a worker that runs it sees that it is gone (UWS 1.1, 2.1.5)."""
    try:
        context.store.delete(job_id)
    except NotFoundError:
        log.info("the job was destroyed by another", job_id=job_id)
    context.results.remove(job_id)


def _remove_orphans(context: Context) -> int:
    found = 0
    for job_id in context.results.older_than(ORPHAN_S):
        found += _remove_stale_attempts(job_id, context)
    for slots in _abandoned_slots(context):
        slots.unlink(missing_ok=True)
        found += 1
    found += remove_abandoned(context.config.spill_dir)
    found += MapCache(context.config.maps_dir, context.config.map_cache_bytes).trim()
    with reachable("relay"):
        found += end_forgotten_keys(context.relay)
    return found


def _remove_stale_attempts(job_id: str, context: Context) -> int:
    """Remove all files of a job that is gone, and those of attempts that a job does not go by."""
    job = _found(job_id, context)
    if job is None:
        context.results.remove(job_id)
        return 1
    keeps = job.phase in (Phase.COMPLETED, Phase.EXECUTING)
    kept = {SENT, job.attempt} if keeps else {SENT}
    stale = [attempt for attempt in context.results.attempts(job_id) if attempt not in kept]
    for attempt in stale:
        context.results.remove_attempt(job_id, attempt)
    if job.is_final:
        context.results.remove_attempt(job_id, SHARDS)
    return len(stale)


def _abandoned_slots(context: Context) -> Iterator[Path]:
    directory = context.config.relay_blocks
    if directory is None:
        return
    for path in slot_files(directory, ORPHAN_S):
        job = _found(path.name, context)
        if job is None or job.is_final:
            yield path


def _found(job_id: str, context: Context) -> Job | None:
    try:
        return context.store.get(job_id)
    except NotFoundError:
        return None
