"""A query judged without being run: the columns of its result, or everything that is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from vo import formats
from vo.adql import check
from vo.catalog import Catalog, Column
from vo.config import Config
from vo.dali import VOTABLE_TYPE, Params
from vo.errors import Problem, QueryError, UsageError
from vo.result import Result
from vo.tap.query import TapQuery
from vo.votable.document import Notes, error_document

Answer = tuple[int, str, bytes]
"""HTTP status, media type and body."""

_TOLD = ("name", "datatype", "arraysize", "xtype", "unit", "ucd", "utype", "description")


def answer(params: Params, catalog: Catalog, config: Config) -> Answer:
    """What /tap/check says; RESPONSEFORMAT is votable, json or text."""
    columns_as, problems_as = _format(params.single("RESPONSEFORMAT"))
    request = TapQuery.from_params(params.without("RESPONSEFORMAT", "FORMAT"), config)
    try:
        return 200, *columns_as(check(request.query, catalog))
    except QueryError as error:
        return error.status, *problems_as(error.problems)


def _votable_columns(columns: Sequence[Column]) -> tuple[str, bytes]:
    described = formats.find("votable/td").write(Result(tuple(columns), iter(())), Notes())
    return VOTABLE_TYPE, b"".join(described)


def _votable_problems(problems: Sequence[Problem]) -> tuple[str, bytes]:
    return VOTABLE_TYPE, error_document(str(QueryError(*problems)), [str(each) for each in problems])


def _json_columns(columns: Sequence[Column]) -> tuple[str, bytes]:
    return _json({"status": "OK", "columns": [{k: getattr(c, k) for k in _TOLD} for c in columns]})


def _json_problems(problems: Sequence[Problem]) -> tuple[str, bytes]:
    return _json({"status": "ERROR", "problems": [asdict(problem) for problem in problems]})


def _json(content: Mapping[str, Any]) -> tuple[str, bytes]:
    return "application/json", json.dumps(content, ensure_ascii=False, indent=1).encode()


def _text_columns(columns: Sequence[Column]) -> tuple[str, bytes]:
    return _text(f"{c.name}\t{c.datatype}{f'[{c.arraysize}]' if c.arraysize else ''}" for c in columns)


def _text_problems(problems: Sequence[Problem]) -> tuple[str, bytes]:
    return _text(str(problem) for problem in problems)


def _text(lines: Iterable[str]) -> tuple[str, bytes]:
    return "text/plain; charset=utf-8", "".join(f"{line}\n" for line in lines).encode()


_Writers = tuple[
    Callable[[Sequence[Column]], tuple[str, bytes]], Callable[[Sequence[Problem]], tuple[str, bytes]]
]
_FORMATS: Mapping[str, _Writers] = {
    "votable": (_votable_columns, _votable_problems),
    VOTABLE_TYPE: (_votable_columns, _votable_problems),
    "json": (_json_columns, _json_problems),
    "application/json": (_json_columns, _json_problems),
    "text": (_text_columns, _text_problems),
    "text/plain": (_text_columns, _text_problems),
}


def _format(name: str | None) -> _Writers:
    found = _FORMATS.get((name or "votable").strip().lower())
    if found is None:
        raise UsageError(f"RESPONSEFORMAT of a check is one of {', '.join(_FORMATS)}.")
    return found
