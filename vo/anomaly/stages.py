"""The stages of a run: read, grow, score; a shard of each does the same whoever works on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from astropy import units
from astropy.coordinates import Latitude, Longitude
from cdshealpix.nested import lonlat_to_healpix

from vo.anomaly.models import model_of, model_table
from vo.anomaly.pictures import SKY_ORDER
from vo.anomaly.plan import Plan, planning
from vo.anomaly.ranking import CELL
from vo.anomaly.read import (
    ROW,
    check_rows,
    feature_names,
    note_name,
    parts_of,
    read_part,
    united_sample,
    values_of,
)
from vo.anomaly.spool import Spool
from vo.context import Context
from vo.db.base import Database
from vo.errors import TransientError
from vo.forest.detector import Detector, score
from vo.forest.files import read_sample, sample_table
from vo.forest.grow import grow
from vo.forest.preparation import fitted, prepared
from vo.forest.trees import merged
from vo.uws.run import Run
from vo.uws.shards import Shard, work_off

READ, GROW, SCORE = "read", "grow", "score"

_TREE_COST = 40_000_000
"""Values that a shard of trees looks at: a second or so."""

_SCORE_COST = 400_000_000
"""Values that scoring looks at between two looks at whether it shall stop."""

_LEAST_ROWS = 4_096

_SAMPLE, _FIRST, _PLACES = "sample.parquet", "first-tree.parquet", "places.json"
_RIGHT_ANGLE = 90.0


@dataclass(frozen=True, slots=True)
class Crew:
    """What whoever works on shards of a run has: the run, the service, and the files that all share."""

    run: Run
    context: Context
    spool: Spool

    @property
    def threads(self) -> int:
        """Threads of a process."""
        return max(1, self.context.config.anomaly_threads)


def help_with(run: Run, context: Context, shard: Shard) -> None:
    """Work on a shard of a job that another worker has."""
    stage, key = shard.stage.split()
    crew = Crew(run, context, Spool(context.results, run.job.id, key, shard.token))
    if stage != READ:
        _WORK[stage](crew, shard.name)
        return
    with planning(run, context) as (plan, database):
        if plan.key != key:
            raise TransientError("The release changed while its rows were read.", hint="Run the job again.")
        read_part(plan, int(shard.name), run, database, crew.spool)


def read_all(crew: Crew, plan: Plan, database: Database) -> list[str]:
    """Have all parts read; the names of the pieces."""

    def work(shard: Shard) -> None:
        read_part(plan, int(shard.name), crew.run, database, crew.spool)

    names = [f"{part:05}" for part in range(len(plan.parts)) if not crew.spool.has(note_name(part))]
    _share(crew, f"{READ} {plan.key}", names, work)
    parts = parts_of(plan, crew.spool)
    check_rows(plan, parts)
    return [name for part in parts for name, _ in part.pieces]


def grow_all(crew: Crew, plan: Plan) -> Detector:
    """Have all trees grown from the sample of all parts, unless there is a model already."""
    if plan.kept is not None:
        return plan.kept.detector
    sample = united_sample(plan, crew.spool)
    request, names = plan.request, plan.selection.features
    shares = sample.shares
    preparation = fitted(sample.columns, plan.missing, request.scaling, names, shares)
    features, _ = prepared(preparation, sample.columns)
    first = grow(features, request.settings, range(1), shares=shares)
    detector = Detector(names, preparation, first)
    settings = first.settings
    cost = settings.sample_size * settings.depth * ((settings.extension or 0) + 2)
    step = max(1, _TREE_COST // cost)
    if step >= settings.ntrees:
        whole = grow(features, request.settings, shares=shares, threads=crew.threads)
        return Detector(names, preparation, whole)
    crew.spool.write_table(_SAMPLE, sample_table(sample))
    crew.spool.write_table(_FIRST, model_table(detector))
    shards = [f"{start}-{min(start + step, settings.ntrees)}" for start in range(0, settings.ntrees, step)]
    left = [name for name in shards if not crew.spool.has(_trees_name(name))]
    _share(crew, f"{GROW} {plan.key}", left, lambda shard: _grow(crew, shard.name))
    trees = [model_of(crew.spool.read_table(_trees_name(name))).forest for name in shards]
    return Detector(names, preparation, merged(trees))


def _trees_name(shard: str) -> str:
    return f"trees-{shard}.parquet"


def _grow(crew: Crew, name: str) -> None:
    first = model_of(crew.spool.read_table(_FIRST))
    sample = read_sample(crew.spool.read_table(_SAMPLE))
    features, _ = prepared(first.preparation, sample.columns)
    trees = range(*map(int, name.split("-")))
    forest = grow(features, first.forest.settings, trees, shares=sample.shares, threads=crew.threads)
    crew.spool.write_table(_trees_name(name), model_table(Detector(first.names, first.preparation, forest)))


def score_all(crew: Crew, plan: Plan, pieces: list[str], detector: Detector) -> None:
    """Have all pieces scored."""
    if not crew.spool.has(MODEL):
        crew.spool.write_table(MODEL, model_table(detector))
    crew.spool.write_note(_PLACES, plan.selection.position)
    left = [name for name in pieces if not crew.spool.has(scores_name(name))]
    _share(crew, f"{SCORE} {plan.key}", left, lambda shard: _score(crew, shard.name))


MODEL = "model.parquet"


def scores_name(piece: str) -> str:
    """The file with the scores of a piece."""
    return piece.replace("rows-", "scores-", 1)


def _score(crew: Crew, piece: str) -> None:
    detector = model_of(crew.spool.read_table(MODEL))
    position = crew.spool.read_note(_PLACES)
    names = feature_names(len(detector.names))
    places = [f"c{place}" for place in position or ()]
    table = crew.spool.read_table(piece, [ROW, *names, *places])
    columns, forest = values_of(table, names), detector.forest
    step = max(
        _LEAST_ROWS, _SCORE_COST // (len(forest) * forest.depth * ((forest.settings.extension or 0) + 2))
    )
    scores = np.empty(table.num_rows)
    for start in range(0, table.num_rows, step):
        crew.run.check()
        rows = slice(start, start + step)
        scores[rows] = score(detector, [column[rows] for column in columns], threads=crew.threads)
    usable = ~np.isnan(scores)
    cells = _cells(*values_of(table, places)) if places else pa.nulls(table.num_rows, pa.int64())
    scored = pa.table({ROW: table.column(ROW), "score": pa.array(scores), CELL: cells})
    crew.spool.write_table(scores_name(piece), scored.filter(pa.array(usable)))


def _cells(lon_deg: np.ndarray, lat_deg: np.ndarray) -> pa.Array:
    """The cell of the sky map of each position; NULL for what is no position."""
    there = np.isfinite(lon_deg) & (np.abs(lat_deg) <= _RIGHT_ANGLE)
    cells = lonlat_to_healpix(
        Longitude(np.where(there, lon_deg, 0.0) % 360, units.deg),
        Latitude(np.where(there, lat_deg, 0.0), units.deg),
        SKY_ORDER,
    )
    return pa.array(cells.astype(np.int64), mask=~there)


def _share(crew: Crew, stage: str, names: list[str], work: Callable[[Shard], None]) -> None:
    work_off(crew.run, crew.context.shards, crew.context.queue, stage, names, work)


_WORK: Mapping[str, Callable[[Crew, str], None]] = {GROW: _grow, SCORE: _score}
