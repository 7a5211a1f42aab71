"""A job as the fields of a Redis hash, and back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from vo.uws.job import Job, JobError, JobFile, JobResult, Phase
from vo.uws.report import RunReport, Stage

FIELDS = frozenset(field.name for field in dataclasses.fields(Job))
"""The fields of a job."""

FORM = 1
"""The number of the form in which jobs are kept: raised when code of before could no longer read them."""

BOOKKEEPING = frozenset({"index", "line"})
"""What stands in the hash besides: the stems of the keys of the sets that name the job."""


def pairs(flat: list[str]) -> dict[str, str]:
    """Names and values in turn, as scripts return a hash."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def encoded(fields: Mapping[str, Any]) -> Iterator[str]:
    """Names and values in turn: JSON, but for the phase, which the scripts compare."""
    for name, value in fields.items():
        if name not in FIELDS:
            raise TypeError(f"A job has no field {name!r}.")
        yield name
        yield value if name == "phase" else json.dumps(value, default=_as_json)


def _as_json(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, JobFile | JobResult | JobError | RunReport):
        return dataclasses.asdict(value)
    raise TypeError(f"{value!r} cannot be kept in a job.")


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _names_and_values(entries: list[list[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(entry) for entry in entries)


def _report(*, stage: str, timings: list[list[Any]], **fields: Any) -> RunReport:
    return RunReport(stage=Stage(stage), timings=tuple((name, taken) for name, taken in timings), **fields)


_DECODERS: Mapping[str, Callable[[Any], Any]] = {
    "created": _instant,
    "destruction": _instant,
    "quote": _instant,
    "queued": _instant,
    "started": _instant,
    "ended": _instant,
    "parameters": _names_and_values,
    "files": lambda entries: tuple(JobFile(**entry) for entry in entries),
    "results": lambda entries: tuple(JobResult(**entry) for entry in entries),
    "error": lambda entry: None if entry is None else JobError.from_json(entry),
    "report": lambda entry: None if entry is None else _report(**entry),
}


def values(fields: Mapping[str, str]) -> dict[str, Any]:
    """The fields of a hash, or of part of one, as values of Job."""
    return {
        name: Phase(text) if name == "phase" else _DECODERS.get(name, lambda value: value)(json.loads(text))
        for name, text in fields.items()
    }


def decoded(fields: Mapping[str, str]) -> Job:
    """The job that a hash holds."""
    return Job(**values({name: text for name, text in fields.items() if name not in BOOKKEEPING}))
