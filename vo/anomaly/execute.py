"""A run from its parameters to its results: read, grow, score, put in order, tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from vo.anomaly.outcome import Outcome
from vo.anomaly.plan import planning
from vo.anomaly.ranking import ranking
from vo.anomaly.results import deliver_all
from vo.anomaly.spool import Spool
from vo.anomaly.stages import Crew, grow_all, read_all, score_all, scores_name
from vo.context import Context
from vo.uws.job import JobResult
from vo.uws.report import Stage
from vo.uws.run import Run
from vo.uws.sink import Sink


def execute(run: Run, context: Context, sink: Sink) -> tuple[JobResult, ...]:
    """Run the job, with the help of all workers of the lane that have time for it."""
    run.enter(Stage.PARSE)
    timings: dict[str, float] = {}
    with planning(run, context) as (plan, database):
        run.note(sql=plan.sql)
        crew = Crew(run, context, Spool(context.results, run.job.id, plan.key, f"attempt-{run.job.attempt}"))
        run.enter(Stage.EXECUTE)
        with _timed(timings, "read"):
            pieces = read_all(crew, plan, database)
    with _timed(timings, "grow"):
        detector = grow_all(crew, plan)
    with _timed(timings, "score"):
        score_all(crew, plan, pieces, detector)
    run.enter(Stage.WRITE)
    rows = [crew.spool.path(name) for name in pieces]
    scores = [crew.spool.path(scores_name(name)) for name in pieces]
    with ranking(scores, rows, run, context.config) as ranked:
        with _timed(timings, "rank"):
            outcome = Outcome.of(plan, detector, ranked)
        return deliver_all(outcome, timings, run, context, sink)


@contextmanager
def _timed(timings: dict[str, float], step: str) -> Iterator[None]:
    began = monotonic()
    yield
    timings[step] = round(monotonic() - began, 3)
