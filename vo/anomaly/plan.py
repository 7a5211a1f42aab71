"""A run as it is agreed on by all who work on it: made from the job alone, so that nobody has to be told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from vo import __version__
from vo.adql import translate
from vo.anomaly.features import Feature, Selection, selection
from vo.anomaly.request import AnomalyRequest
from vo.anomaly.shelf import Kept, Shelf
from vo.auth import User
from vo.context import Context
from vo.dali import Params
from vo.db.base import Database
from vo.errors import TransientError, UsageError
from vo.forest.preparation import Missing
from vo.result import Statement
from vo.uploads import with_uploads
from vo.uws.job import Job
from vo.uws.run import Run

Rows = tuple[int, int] | None
"""The rows of the main table from the first to before the second; None: the query as a whole."""

_MANY = 1 << 40
"""Rows, as many as there may be before any was read."""

_FORM = {"RESPONSEFORMAT", "MAXREC"}
"""The parameters that change nothing in what shards do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is read, in which parts; plans of one `key` are the same work on the same data.

    `release` and `schemas` are those of the tables that are read; `kept` is the model that scores, in place
    of a forest that grows now.
    """

    request: AnomalyRequest
    selection: Selection
    missing: tuple[Missing, ...]
    parts: tuple[Rows, ...]
    key: str
    sql: str
    release: str
    schemas: tuple[str, ...] = ()
    kept: Kept | None = None

    def check_release(self, database: Database) -> None:
        """Refuse to read on from another release than the one that the parts were made of."""
        if database.catalog().release != self.release:
            raise TransientError("The release changed while its rows were read.", hint="Run the job again.")

    def statement(self, part: int, database: Database) -> Statement:
        """The statement of a part, whose rows come in the same order each time."""
        return _statement(self.selection, database, self.parts[part])


@contextmanager
def planning(run: Run, context: Context) -> Iterator[tuple[Plan, Database]]:
    """The plan of a job, and the database with its uploads, which are gone behind the block."""
    request = AnomalyRequest.from_params(Params(run.job.parameters), context.config)
    with with_uploads(request.uploads, run, context) as database:
        yield _planned(request, run.job, context, database), database


def _planned(request: AnomalyRequest, job: Job, context: Context, database: Database) -> Plan:
    catalog = database.catalog()
    kept = Shelf(context.config).load(request.model, User(job.owner)) if request.model else None
    features = request.features if kept is None else _known(request.features, kept)
    chosen = selection(request.query, features, request.ids, catalog, weight=request.weight)
    whole = _statement(chosen, database, None)
    step, table = context.config.anomaly_part_rows, whole.parted
    # What came along is in the database of one worker only.
    rows = 0 if table is None or request.uploads else table.nrows or 0
    parts: tuple[Rows, ...] = tuple((first, min(first + step, rows)) for first in range(0, rows, step)) or (
        None,
    )
    request.settings.fitted(len(chosen.features), _MANY)  # what is wrong with it is told before rows are read
    missing = request.missing.of(chosen.features)
    if kept is not None:
        missing = kept.detector.preparation.missing
    key, schemas = _key(job, catalog.release, parts), tuple(scan.table.schema for scan in whole.scans)
    return Plan(request, chosen, missing, parts, key, whole.sql, catalog.release, schemas, kept)


def _known(features: Sequence[Feature], kept: Kept) -> tuple[Feature, ...]:
    """The features of a kept model in its order: those asked for by their names, or as it was grown."""
    if not features:
        return kept.features
    by_name = {feature.name.lower(): feature for feature in features}
    wanted = [name.lower() for name in kept.detector.names]
    if set(by_name) != set(wanted):
        raise UsageError(
            f"FEATURES must be those of the model: {', '.join(kept.detector.names)[:500]}.",
            hint="Name them by AS, or leave FEATURES out.",
        )
    return tuple(by_name[name] for name in wanted)


def _key(job: Job, release: str, parts: tuple[Rows, ...]) -> str:
    asked = sorted(pair for pair in job.parameters if pair[0].upper() not in _FORM)
    text = json.dumps([__version__, release, asked, parts])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _statement(chosen: Selection, database: Database, rows: Rows) -> Statement:
    """The selection as stored, or ordered where the database may give its rows in another order next time."""
    catalog, dialect = database.catalog(), database.dialect
    plain = translate(chosen.adql, catalog, dialect=dialect, rows=rows)
    if plain.parted is not None and len(plain.scans) == 1:
        return plain
    places = ", ".join(str(place) for place in range(1, chosen.width + 1))
    ordered = f"{chosen.adql} ORDER BY {places}"
    return translate(ordered, catalog, dialect=dialect, rows=rows)
