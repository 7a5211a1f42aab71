"""What a run of a job tells of itself: its stage and progress while it goes on, its history afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """The steps of a run, in their order; each is timed from its beginning to that of the next."""

    QUEUED = "queued"
    PARSE = "parse"
    EXECUTE = "execute"
    WRITE = "write"


FIRST_ROW = "first-row"
"""The timing that is no stage: from the start of the run until its first rows were there."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run, as far as it has come.

    `done` counts `unit`s, of `total` where that is known; `timings` are pairs of a stage (or FIRST_ROW) and
    its seconds; `sql` is what was sent to the database.
    """

    worker: str
    attempt: int
    stage: Stage = Stage.QUEUED
    done: int = 0
    unit: str = "rows"
    total: int | None = None
    bytes: int = 0
    overflow: bool | None = None
    sql: str | None = None
    timings: tuple[tuple[str, float], ...] = ()
