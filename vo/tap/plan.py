"""What the database would do with a query, and whether that is too much to wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from string import Template
from urllib.parse import quote

from vo.adql import translate
from vo.config import Config
from vo.context import Context
from vo.dali import HTML_TYPE, json_body, text_body
from vo.db.base import Database
from vo.errors import UsageError
from vo.page import page, plain
from vo.result import Plan, Statement
from vo.tap.forms import Answer, Wanted
from vo.tap.query import TapQuery

_LONGEST_LINK = 2_000
"""Characters of a link that every client and proxy takes."""


@dataclass(frozen=True, slots=True)
class _Told:
    """All that a plan says."""

    dialect: str
    statement: Statement
    plan: Plan
    limit: int

    @property
    def is_for_sync(self) -> bool:
        return not (self.limit and self.plan.rows is not None and self.plan.rows > self.limit)


def answer(wanted: Wanted, context: Context) -> Answer:
    """What /tap/plan says."""
    database, config = context.database, context.config
    try:
        request = TapQuery.from_params(wanted.params, config)
        statement = _compiled(request, database)
        told = _Told(database.dialect, statement, database.plan(statement), config.sync_scan_limit)
    except UsageError as error:
        return wanted.error(error)
    return 200, *_FORMS[wanted.form](told)


def _compiled(request: TapQuery, database: Database) -> Statement:
    if request.uploads:
        raise UsageError(
            "UPLOAD: a query with tables of its own has no plan before it runs.", hint="/tap/check judges it."
        )
    return translate(request.query, database.catalog(), dialect=database.dialect, maxrec=request.maxrec)


def way_to_a_job(request: TapQuery, config: Config) -> str:
    """What to do with a query that is too costly to wait for."""
    link = f"{config.base_url.rstrip('/')}/tap?QUERY={quote(request.query, safe='')}#ask"
    post = f"POST the same parameters with PHASE=RUN to {config.base_url.rstrip('/')}/tap/async"
    way = f"{post} , or use the button at {link}" if len(link) <= _LONGEST_LINK else f"{post} ."
    return f"Run this as a job: {way}"


def _json(told: _Told) -> tuple[str, bytes]:
    return json_body(
        {
            "status": "OK",
            "dialect": told.dialect,
            "sql": told.statement.sql,
            "spatial_index": told.statement.spatial_index,
            "rows": told.plan.rows,
            "sync_limit": told.limit or None,
            "sync": told.is_for_sync,
            "explain": told.plan.text,
        }
    )


def _text(told: _Told) -> tuple[str, bytes]:
    facts = [f"{name}: {value}" for name, value in _facts(told)]
    return text_body([*facts, "", told.statement.sql, "", told.plan.text])


def _html(told: _Told) -> tuple[str, bytes]:
    facts = "\n".join(f"<dt>{plain(name)}</dt><dd>{plain(value)}</dd>" for name, value in _facts(told))
    body = _PAGE.substitute(facts=facts, sql=plain(told.statement.sql), explain=plain(told.plan.text))
    return HTML_TYPE, page("Plan of a query", body).encode()


def _facts(told: _Told) -> Iterator[tuple[str, str]]:
    rows = told.plan.rows
    yield "Database", told.dialect
    yield "Spatial index", "used" if told.statement.spatial_index else "not used"
    yield "Rows read", "not known" if rows is None else f"about {rows:,}"
    if told.limit:
        yield "Rows that a sync query may read", f"{told.limit:,}"
    yield "Run as", "a sync query or a job" if told.is_for_sync else "a job"


_FORMS: Mapping[str, Callable[[_Told], tuple[str, bytes]]] = {"json": _json, "text": _text, "html": _html}
OFFERED = tuple(_FORMS)
"""The forms of the answer, the default first."""

_PAGE = Template("""\
<header>
<h1>Plan of a query</h1>
<p class="lead">What the database would do. The query was not run.</p>
</header>
<dl>
$facts
</dl>
<h2>SQL</h2>
<pre tabindex="0">$sql</pre>
<h2>EXPLAIN</h2>
<pre tabindex="0">$explain</pre>""")
