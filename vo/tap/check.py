"""A query judged without being run: the columns of its result, or everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from string import Template

from vo import formats
from vo.adql import check
from vo.catalog import Catalog, Column
from vo.config import Config
from vo.dali import HTML_TYPE, VOTABLE_TYPE, json_body, text_body
from vo.errors import UsageError
from vo.page import page, plain
from vo.result import Result
from vo.tap.forms import Answer, Wanted
from vo.tap.query import TapQuery
from vo.uploads import described
from vo.votable.document import Notes

_TOLD = ("name", "datatype", "arraysize", "xtype", "unit", "ucd", "utype", "description")


def answer(wanted: Wanted, catalog: Catalog, config: Config) -> Answer:
    """What /tap/check says."""
    try:
        request = TapQuery.from_params(wanted.params, config)
        known = catalog.merged(described(request.uploads, wanted.params.files))
        return 200, *_COLUMNS[wanted.form](check(request.query, known))
    except UsageError as error:
        return wanted.error(error)


def _votable(columns: Sequence[Column]) -> tuple[str, bytes]:
    described = formats.find("votable/td").write(Result(tuple(columns), iter(())), Notes())
    return VOTABLE_TYPE, b"".join(described)


def _json(columns: Sequence[Column]) -> tuple[str, bytes]:
    return json_body({"status": "OK", "columns": [{k: getattr(c, k) for k in _TOLD} for c in columns]})


def _text(columns: Sequence[Column]) -> tuple[str, bytes]:
    return text_body(f"{column.name}\t{_type(column)}" for column in columns)


def _html(columns: Sequence[Column]) -> tuple[str, bytes]:
    rows = "\n".join(
        "".join(("<tr>", *(f"<td>{plain(value or '')}</td>" for value in _cells(column)), "</tr>"))
        for column in columns
    )
    return HTML_TYPE, page("Columns of the result", _PAGE.substitute(rows=rows)).encode()


def _cells(column: Column) -> tuple[str | None, ...]:
    return column.name, _type(column), column.unit, column.ucd, column.description


def _type(column: Column) -> str:
    return f"{column.datatype}[{column.arraysize}]" if column.arraysize else column.datatype


_COLUMNS: Mapping[str, Callable[[Sequence[Column]], tuple[str, bytes]]] = {
    "votable": _votable,
    "json": _json,
    "text": _text,
    "html": _html,
}
OFFERED = tuple(_COLUMNS)
"""The forms of the answer, the default first."""

_PAGE = Template("""\
<header>
<h1>Columns of the result</h1>
<p class="lead">The query is valid. It was not run.</p>
</header>
<div class="scroll" role="region" aria-label="Columns" tabindex="0">
<table>
<thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">Unit</th>
<th scope="col">UCD</th><th scope="col">Description</th></tr></thead>
<tbody>
$rows
</tbody>
</table>
</div>""")
