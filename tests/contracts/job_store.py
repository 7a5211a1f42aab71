"""What every job store must do; a store's own tests inherit this class and provide the fixture `store`."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vo.errors import ConflictError, NotFoundError, QueueFullError, QuotaError
from vo.uws.job import MOVES, Job, JobError, JobResult, Phase, new_job_id
from vo.uws.lanes import Lane
from vo.uws.report import RunReport, Stage
from vo.uws.store import JobStore

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NARROW = Lane("narrow", queued=7, account_queued=5, account_running=2)
WIDE = Lane("wide")
LANES = {lane.name: lane for lane in (NARROW, WIDE)}
"""The lanes of a store under test."""

PHASE_PAIRS = list(itertools.product(Phase, Phase))


def a_job(**fields: Any) -> Job:
    """A job with the given fields."""
    base = Job(
        id=new_job_id(),
        kind="tap",
        lane="query",
        created=NOON,
        destruction=NOON + timedelta(days=7),
        duration_s=3600,
    )
    return replace(base, **fields)


FULL = a_job(
    parameters=(("QUERY", "SELECT 'é\u2028\x00'"), ("query", "again"), ("EMPTY", "")),
    phase=Phase.ERROR,
    owner="an owner: with colons",
    run_id="",
    quote=NOON + timedelta(seconds=1),
    started=NOON + timedelta(microseconds=1),
    ended=NOON + timedelta(hours=1),
    attempt=3,
    results=(JobResult("result", "result.vot", "text/csv;header=present", 2**40), JobResult("b", "b", "x/y")),
    error=JobError('It\'s <broken> & "odd"', "transient", "TransientFault", 503),
    queued=NOON,
    report=RunReport(
        "node:1",
        3,
        Stage.WRITE,
        12,
        total=99,
        bytes=2**40,
        overflow=True,
        sql="\x00 <'é'>",
        timings=(("parse", 0.25),),
    ),
)


class JobStoreContract:
    """The promises of vo.uws.store.JobStore."""

    def listen(self, store: JobStore) -> Callable[[], list[tuple[str, str]]]:
        """Begin to listen to phases; the returned function gives all messages so far."""
        raise NotImplementedError

    def expire_lease(self, store: JobStore, job_id: str) -> None:
        """Let the lease of a job run out."""
        raise NotImplementedError

    @pytest.mark.parametrize("job", [a_job(), FULL], ids=["plain", "full"])
    def test_a_job_comes_back_as_it_went_in(self, store: JobStore, job: Job) -> None:
        """get() gives every field of the created job, to the microsecond and the control character."""
        store.create(job)
        assert store.get(job.id) == job

    def test_an_id_is_given_once(self, store: JobStore) -> None:
        """create() refuses an id that a job has, and leaves that job alone."""
        job = a_job()
        store.create(job)
        with pytest.raises(ConflictError):
            store.create(replace(job, run_id="other"))
        assert store.get(job.id) == job

    def test_unknown_ids_are_not_found(self, store: JobStore) -> None:
        """Every operation on an unknown id says so and leaves nothing behind."""
        for operation in (
            lambda: store.get("nobody"),
            lambda: store.move("nobody", Phase.QUEUED),
            lambda: store.change("nobody", run_id="x"),
            lambda: store.delete("nobody"),
        ):
            with pytest.raises(NotFoundError, match="nobody"):
                operation()
        assert not store.renew_lease("nobody", 1, 10)
        assert store.expired(NOON + timedelta(days=9999)) == ()

    @pytest.mark.parametrize(("before", "to"), PHASE_PAIRS)
    def test_only_legal_moves_are_made(self, store: JobStore, before: Phase, to: Phase) -> None:
        """A move of MOVES is made; any other is refused, names the phase, and changes nothing."""
        job = a_job(phase=before)
        store.create(job)
        if to in MOVES.get(before, ()):
            assert store.move(job.id, to).phase is to
            assert store.get(job.id).phase is to
        else:
            with pytest.raises(ConflictError, match=f"is {before} and cannot become {to}"):
                store.move(job.id, to, run_id="changed")
            assert store.get(job.id) == job

    @pytest.mark.parametrize("frm", [(), {Phase.PENDING}, {Phase.EXECUTING, Phase.COMPLETED}])
    def test_frm_narrows_the_legal_moves(self, store: JobStore, frm: Collection[Phase]) -> None:
        """A move from a phase outside `frm` is refused although MOVES has it."""
        job = a_job(phase=Phase.QUEUED)
        store.create(job)
        with pytest.raises(ConflictError):
            store.move(job.id, Phase.ABORTED, frm=frm)
        assert store.get(job.id) == job

    def test_changes_land_with_the_phase(self, store: JobStore) -> None:
        """The fields given with a move are those of the job in its new phase."""
        job = a_job(phase=Phase.EXECUTING)
        store.create(job)
        changes = {"ended": NOON, "results": FULL.results, "report": FULL.report, "error": None}
        moved = store.move(job.id, Phase.COMPLETED, frm={Phase.EXECUTING}, **changes)
        assert moved == store.get(job.id) == replace(job, phase=Phase.COMPLETED, **changes)

    def test_no_move_invents_a_field(self, store: JobStore) -> None:
        """A field that jobs do not have is a mistake of the caller, and nothing is kept."""
        job = a_job()
        store.create(job)
        with pytest.raises(TypeError):
            store.move(job.id, Phase.QUEUED, colour="red")
        with pytest.raises(TypeError):
            store.change(job.id, colour="red")
        assert store.get(job.id) == job

    def test_each_start_is_a_new_attempt(self, store: JobStore) -> None:
        """Moves to EXECUTING count up; a worker of an earlier attempt can move the job no more."""
        job = a_job(phase=Phase.QUEUED)
        store.create(job)
        assert store.move(job.id, Phase.EXECUTING).attempt == 1
        assert store.move(job.id, Phase.QUEUED, attempt=1).attempt == 1
        running = store.move(job.id, Phase.EXECUTING, started=NOON)
        assert (running.attempt, running.started) == (2, NOON)
        with pytest.raises(ConflictError, match="attempt 2 has taken its place"):
            store.move(job.id, Phase.COMPLETED, attempt=1)
        with pytest.raises(ConflictError, match="attempt 2 has taken its place"):
            store.change(job.id, attempt=1, report=FULL.report)
        assert store.get(job.id) == running
        assert store.change(job.id, attempt=2, report=FULL.report).report == FULL.report
        assert store.move(job.id, Phase.COMPLETED, attempt=2).phase is Phase.COMPLETED

    def test_fields_change_without_a_move(self, store: JobStore) -> None:
        """change() sets fields and nothing else, in any phase where none is asked for."""
        job = a_job(phase=Phase.COMPLETED)
        store.create(job)
        changed = store.change(job.id, run_id="r", destruction=NOON)
        assert changed == store.get(job.id) == replace(job, run_id="r", destruction=NOON)
        assert store.expired(NOON) == (job.id,)

    def test_a_change_may_depend_on_the_phase(self, store: JobStore) -> None:
        """change() outside `frm` is refused and changes nothing."""
        job = a_job(phase=Phase.EXECUTING)
        store.create(job)
        with pytest.raises(ConflictError, match="only while it is PENDING or QUEUED"):
            store.change(job.id, frm={Phase.QUEUED, Phase.PENDING}, duration_s=1)
        assert store.get(job.id) == job
        assert store.change(job.id, frm={Phase.EXECUTING}, duration_s=1).duration_s == 1

    def test_lists_show_what_the_filters_leave(self, store: JobStore) -> None:
        """Kind, owner, phases, AFTER and LAST are AND-ed, newest first, for every combination."""
        jobs = [
            a_job(
                kind="tap" if i % 7 else "soda",
                owner=(None, "bob", "anonymous")[i % 3],
                phase=list(Phase)[i % 10],
                created=NOON + timedelta(milliseconds=i // 2),
            )
            for i in range(120)
        ]
        for job in jobs:
            store.create(job)
        jobs.sort(key=lambda job: (job.created, job.id), reverse=True)
        phase_filters: list[tuple[Phase, ...]] = [(), (Phase.ARCHIVED,), (Phase.PENDING, Phase.ERROR)]
        afters = [None, NOON - timedelta(days=1), NOON + timedelta(milliseconds=20), NOON + timedelta(days=1)]
        for owner, phases, after, last in itertools.product(
            [None, "bob", "carol"], phase_filters, afters, [None, 1, 5, 1000]
        ):
            expected = [
                job.id
                for job in jobs
                if job.kind == "tap"
                and job.owner == owner
                and (job.phase in phases if phases else job.phase is not Phase.ARCHIVED)
                and (after is None or job.created > after)
            ][:last]
            found = store.list(kind="tap", owner=owner, phases=phases, after=after, last=last)
            assert [job.id for job in found] == expected

    def test_a_list_knows_the_phase_and_run(self, store: JobStore) -> None:
        """An entry tells phase, owner, run id and creation time, also after a move."""
        job = a_job(owner="bob", run_id="r1")
        store.create(job)
        store.move(job.id, Phase.QUEUED)
        (entry,) = store.list(kind="tap", owner="bob", phases=[Phase.QUEUED])
        assert (entry.id, entry.phase, entry.created) == (job.id, Phase.QUEUED, NOON)
        assert (entry.owner, entry.run_id) == ("bob", "r1")
        assert store.list(kind="tap", owner="bob", phases=[Phase.PENDING]) == ()

    def test_a_deleted_job_is_gone_everywhere(self, store: JobStore) -> None:
        """delete() returns the job as it was; no list, sweep or lease knows it afterwards."""
        job = a_job(phase=Phase.QUEUED)
        store.create(job)
        running = store.move(job.id, Phase.EXECUTING)
        assert store.delete(job.id) == running
        assert store.list(kind="tap", owner=None) == ()
        assert store.active() == store.lease_lost() == ()
        assert store.expired(NOON + timedelta(days=99)) == ()
        assert not store.renew_lease(job.id, 1, 10)
        with pytest.raises(NotFoundError):
            store.move(job.id, Phase.COMPLETED)

    def test_active_jobs_wait_or_run(self, store: JobStore) -> None:
        """active() gives the jobs in QUEUED and EXECUTING, oldest first."""
        for days, phase in enumerate(Phase):
            store.create(a_job(phase=phase, created=NOON - timedelta(days=days)))
        assert [job.phase for job in store.active()] == [Phase.EXECUTING, Phase.QUEUED]

    def test_expired_jobs_are_past_their_destruction(self, store: JobStore) -> None:
        """expired() gives ids whose destruction is now or earlier, in any phase."""
        due, later = a_job(destruction=NOON), a_job(destruction=NOON + timedelta(microseconds=1))
        store.create(due)
        store.create(later)
        assert store.expired(NOON) == (due.id,)
        assert set(store.expired(NOON + timedelta(seconds=1))) == {due.id, later.id}

    def test_a_lease_keeps_a_job(self, store: JobStore) -> None:
        """A job starts with a lease; it is lost when that runs out, and found again when renewed in time."""
        job = a_job(phase=Phase.QUEUED)
        store.create(job)
        running = store.move(job.id, Phase.EXECUTING)
        assert store.lease_lost() == ()
        assert not store.is_lost(job.id)
        self.expire_lease(store, job.id)
        assert store.lease_lost() == (running,)
        assert store.is_lost(job.id)
        assert store.renew_lease(job.id, 1, 100)
        assert store.lease_lost() == ()
        assert not store.is_lost(job.id)

    def test_a_lease_ends_with_the_attempt(self, store: JobStore) -> None:
        """The worker of an old attempt, of an aborted or of a requeued job is told that it lost the job."""
        job = a_job(phase=Phase.QUEUED)
        store.create(job)
        assert not store.renew_lease(job.id, 0, 100)
        store.move(job.id, Phase.EXECUTING)
        store.move(job.id, Phase.QUEUED)
        assert not store.renew_lease(job.id, 1, 100)
        store.move(job.id, Phase.EXECUTING)
        assert not store.renew_lease(job.id, 1, 100)
        assert store.renew_lease(job.id, 2, 100)
        store.move(job.id, Phase.ABORTED)
        assert not store.renew_lease(job.id, 2, 100)
        assert store.lease_lost() == ()
        assert not store.is_lost(job.id)
        assert not store.is_lost("gone")

    def test_accounts_take_turns(self, store: JobStore) -> None:
        """Who queued a hundred jobs does not keep out who queues one; each account's jobs go in order."""
        busy = [_queued(store, "busy", WIDE) for i in range(100)]
        assert _claimed(store, 2, WIDE) == [job.id for job in busy[:2]]
        rare = [_queued(store, "rare", WIDE) for _ in range(2)]
        third = _queued(store, "third", WIDE)
        turns = [busy[2], rare[0], third, busy[3], rare[1], busy[4]]
        assert _claimed(store, 6, WIDE) == [job.id for job in turns]

    def test_who_comes_back_waits_for_the_others(self, store: JobStore) -> None:
        """An account whose line was empty gets no turn before those that were waiting all the time."""
        first, second = _queued(store, "a"), _queued(store, "b")
        _queued(store, "b")
        assert _claimed(store, 1) == [first.id]
        again = _queued(store, "a")
        assert _claimed(store, 2) == [second.id, again.id]

    def test_an_account_runs_so_many_jobs(self, store: JobStore) -> None:
        """At its limit an account is passed over until one of its jobs has ended, on that lane alone."""
        jobs = [_queued(store, "a") for _ in range(4)]
        other = _queued(store, "b")
        elsewhere = _queued(store, "a", WIDE)
        assert (store.waiting(NARROW.name), store.runnable(NARROW.name)) == (5, 3)
        assert _claimed(store, 3) == [jobs[0].id, other.id, jobs[1].id]
        assert (store.waiting(NARROW.name), store.runnable(NARROW.name)) == (2, 0)
        assert store.claim(NARROW.name) is None
        assert store.claim(WIDE.name) == replace(elsewhere, phase=Phase.EXECUTING, attempt=1)
        store.move(jobs[0].id, Phase.COMPLETED)
        assert store.runnable(NARROW.name) == 1
        assert _claimed(store, 1) == [jobs[2].id]
        store.delete(jobs[1].id)
        assert _claimed(store, 1) == [jobs[3].id]

    def test_a_claim_starts_the_job(self, store: JobStore) -> None:
        """A claimed job has the changes, an attempt and a lease; it is told, and claimed once."""
        job = _queued(store, "a")
        claimed = store.claim(NARROW.name, started=NOON)
        assert claimed == store.get(job.id) == replace(job, phase=Phase.EXECUTING, attempt=1, started=NOON)
        assert store.claim(NARROW.name) is None
        assert store.lease_lost() == ()
        self.expire_lease(store, job.id)
        assert store.lease_lost() == (claimed,)

    def test_what_left_the_line_is_not_claimed(self, store: JobStore) -> None:
        """Aborted and deleted jobs are no longer in line, and a pending one is not in it yet."""
        aborted, deleted = _queued(store, "a"), _queued(store, "a")
        store.create(a_job(lane=NARROW.name))
        store.move(aborted.id, Phase.ABORTED)
        store.delete(deleted.id)
        assert store.runnable(NARROW.name) == 0
        assert store.claim(NARROW.name) is None

    def test_a_lost_job_goes_first(self, store: JobStore) -> None:
        """A job queued again is the next of its account, and needs no room in the queue."""
        jobs = [_queued(store, "a") for _ in range(3)]
        _claimed(store, 1)
        for _ in range(3):
            _queued(store, "a")
        store.move(jobs[0].id, Phase.QUEUED, frm={Phase.EXECUTING}, attempt=1, started=None)
        assert _claimed(store, 2) == [jobs[0].id, jobs[1].id]
        assert store.get(jobs[0].id).attempt == 2

    @pytest.mark.parametrize("phase", [Phase.PENDING, Phase.QUEUED])
    def test_so_many_jobs_wait(self, store: JobStore, phase: Phase) -> None:
        """Beyond the limits of an account and of a lane nothing is queued, and nothing changes."""
        for _ in range(NARROW.account_queued):
            _queued(store, "a")
        refused = a_job(lane=NARROW.name, account="a", phase=phase)
        with pytest.raises(QuotaError, match="5 jobs of yours wait on the lane narrow"):
            _queue(store, refused)
        for i in range(NARROW.queued - NARROW.account_queued):
            _queued(store, f"b{i}")
        other = a_job(lane=NARROW.name, account="c", phase=phase)
        with pytest.raises(QueueFullError, match="7 jobs wait on the lane narrow") as full:
            _queue(store, other)
        assert 5 <= full.value.retry_after_s <= 600
        pending = store.list(kind="tap", owner=None, phases=[Phase.PENDING])
        assert {job.id for job in pending} == ({refused.id, other.id} if phase is Phase.PENDING else set())
        _claimed(store, 1)
        _queue(store, other)
        assert store.get(other.id).phase is Phase.QUEUED

    def test_no_clock_decides_whose_turn_it_is(self, store: JobStore) -> None:
        """Jobs created after the clock was set back by a minute keep their places behind the earlier ones."""
        minute = timedelta(minutes=1)
        early = _queued(store, "a", created=NOON)
        late = _queued(store, "a", created=NOON - minute)
        other = _queued(store, "b", created=NOON - minute)
        assert _claimed(store, 3) == [early.id, other.id, late.id]

    def test_there_is_nothing_to_recount(self, store: JobStore) -> None:
        """After moves of all sorts what is derived from the jobs agrees with them."""
        for i in range(12):
            job = a_job(lane=WIDE.name, account=f"a{i % 5}", phase=(Phase.PENDING, Phase.EXECUTING)[i % 2])
            store.create(job)
            store.move(job.id, (Phase.QUEUED, Phase.ABORTED, Phase.QUEUED)[i % 3], attempt=0)
            if i % 4 == 0:
                store.claim(WIDE.name)
        assert store.recount() == 0

    def test_claims_race(self, store: JobStore) -> None:
        """Of many workers each gets another job, and no job is left or claimed twice."""
        jobs = {_queued(store, f"a{i}", WIDE).id for i in range(12)}
        with ThreadPoolExecutor(12) as pool:
            claimed = [job.id for job in pool.map(lambda _: store.claim(WIDE.name), range(14)) if job]
        assert sorted(claimed) == sorted(jobs)

    def test_moves_are_told(self, store: JobStore) -> None:
        """Each move made is told once, in order; a refused one and a mere change are not."""
        heard = self.listen(store)
        job, idle = a_job(), a_job(phase=Phase.COMPLETED)
        store.create(job)
        store.create(idle)
        store.change(job.id, run_id="r")
        store.move(job.id, Phase.QUEUED)
        with pytest.raises(ConflictError):
            store.move(job.id, Phase.COMPLETED)
        store.move(job.id, Phase.EXECUTING)
        store.delete(idle.id)
        store.delete(job.id)
        assert heard() == [(job.id, "QUEUED"), (job.id, "EXECUTING"), (job.id, "ABORTED")]

    def test_one_of_many_workers_gets_the_job(self, store: JobStore) -> None:
        """Of threads that race from QUEUED to EXECUTING exactly one wins."""
        for _ in range(10):
            job = a_job(phase=Phase.QUEUED)
            store.create(job)
            wins = _race(*[lambda job=job: store.move(job.id, Phase.EXECUTING)] * 12)
            assert sum(wins) == 1
            assert store.get(job.id).attempt == 1

    def test_a_job_ends_once(self, store: JobStore) -> None:
        """Abort racing completion leaves one final phase, with the fields of the winner only."""
        for _ in range(20):
            job = a_job(phase=Phase.EXECUTING)
            store.create(job)
            aborted, completed = _race(
                lambda job=job: store.move(job.id, Phase.ABORTED, ended=NOON),
                lambda job=job: store.move(job.id, Phase.COMPLETED, results=FULL.results),
            )
            assert aborted != completed
            final = store.get(job.id)
            assert final.phase is (Phase.ABORTED if aborted else Phase.COMPLETED)
            assert bool(final.results) == completed
            assert store.active() == ()


def _queued(store: JobStore, account: str, lane: Lane = NARROW, **fields: Any) -> Job:
    """A new job of `account`, in line on `lane`."""
    job = a_job(lane=lane.name, account=account, phase=Phase.QUEUED, **fields)
    store.create(job)
    return job


def _queue(store: JobStore, job: Job) -> None:
    """Queue a job: from the start, as a sync query is, or one that was PENDING."""
    if job.phase is Phase.QUEUED:
        store.create(job)
        return
    with suppress(ConflictError):  # there since the last try
        store.create(job)
    store.move(job.id, Phase.QUEUED)


def _claimed(store: JobStore, count: int, lane: Lane = NARROW) -> list[str]:
    """The ids that so many claims give."""
    claimed = [store.claim(lane.name) for _ in range(count)]
    return [job.id for job in claimed if job is not None]


def _race(*moves: Callable[[], Job]) -> list[bool]:
    """Which of the moves, all begun at once, were made."""
    start = threading.Barrier(len(moves))

    def made(move: Callable[[], Job]) -> bool:
        start.wait()
        try:
            move()
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(len(moves)) as pool:
        return list(pool.map(made, moves))
