"""The pages on which people steer their jobs: what the documents tell, as HTML (UWS 1.1, 2.2.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from string import Template

from vo.dali import NOT_XML
from vo.page import page, plain
from vo.uws.job import ACTIVE, Job, Phase
from vo.uws.report import FIRST_ROW, RunReport
from vo.uws.store import ShortJob
from vo.uws.xml import Place

FOLLOW_S: Mapping[Phase, int] = {Phase.QUEUED: 20, Phase.EXECUTING: 2}
"""Seconds that an open page waits for news, by phase: a running job tells its progress in between."""

_STEPS = {
    "queued": "Waited in the queue",
    "parse": "Query read and checked",
    "execute": "Database, until its first rows",
    "write": "Rows fetched and written",
    FIRST_ROW: "From the start to the first row",
}


def job_page(job: Job, place: Place) -> str:
    """All there is to know of a job, and everything that can be done to it."""
    url = plain(place.job(job.id))
    sections = (
        _JOB_HEAD.substitute(jobs=plain(place.jobs), name=_name(job), id=plain(job.id), phase=job.phase),
        _live("state", _state(job, url)),
        _live("outcome", _outcome(job, place)),
        _parameters(job, place, url),
        _record(job, url),
    )
    return page(f"Job {job.run_id or job.id}", "\n".join(sections), _head(job.phase, place))


def jobs_page(jobs: Iterable[ShortJob], place: Place, *, shown: str) -> str:
    """The job list; `shown` says which jobs these are."""
    rows = "\n".join(
        _JOB_ROW.substitute(
            url=plain(place.job(job.id)),
            name=_name(job),
            phase=_pill(job.phase),
            created=_time(job.created),
        )
        for job in jobs
    )
    filters = " · ".join(f'<a href="{plain(place.jobs)}?PHASE={phase}">{phase}</a>' for phase in _FILTERS)
    body = _JOBS.substitute(
        jobs=plain(place.jobs),
        filters=filters,
        shown=plain(shown),
        table=_JOB_TABLE.substitute(rows=rows) if rows else "<p>There are no such jobs.</p>",
    )
    return page("Jobs", body)


_FILTERS = (Phase.PENDING, Phase.QUEUED, Phase.EXECUTING, Phase.COMPLETED, Phase.ERROR, Phase.ABORTED)


def _head(phase: Phase, place: Place) -> str:
    if phase not in FOLLOW_S:
        return ""
    return _FOLLOWING.substitute(script=plain(f"{place.files}/page.js"), seconds=FOLLOW_S[Phase.QUEUED])


def _live(name: str, content: str) -> str:
    """A part of the page that the script replaces by the newest; always there, so that it can be found."""
    return f'<div id="{name}" data-live="">\n{content}\n</div>'


def _state(job: Job, url: str) -> str:
    """The phase, what goes on, and the buttons."""
    follow = FOLLOW_S.get(job.phase)
    data = "" if follow is None else f' data-follow="{url}?WAIT={follow}&amp;PHASE={job.phase}"'
    parts = [f'<p role="status"{data}>{_pill(job.phase)} {_sentence(job)}</p>']
    if job.error is not None:
        parts.append(f'<p class="message" role="alert">{plain(job.error.message)}</p>')
    buttons = "\n".join(
        _BUTTON.substitute(action=f"{url}{path}", name=name, value=value, label=label, style=style)
        for phases, path, name, value, label, style in _ACTIONS
        if job.phase in phases
    )
    return "\n".join([*parts, f'<div class="row">\n{buttons}\n</div>'])


_FINAL = frozenset({Phase.COMPLETED, Phase.ERROR, Phase.ABORTED})
_ACTIONS = (
    (frozenset({Phase.PENDING}), "/phase", "PHASE", "RUN", "Run", ""),
    (ACTIVE, "/phase", "PHASE", "ABORT", "Abort", "second"),
    (_FINAL, "/rerun", "PHASE", "RUN", "Run again", ""),
    (frozenset(Phase), "", "ACTION", "DELETE", "Delete", "second"),
)
"""Phases → the form that does something: path, parameter and value, words, style."""


def _sentence(job: Job) -> str:
    report = job.report
    if job.phase is Phase.PENDING:
        return "Not started yet."
    if job.phase is Phase.QUEUED:
        return "Waiting for a worker." if job.quote is None else f"Expected to end at {_time(job.quote)}."
    if report is None:
        return ""
    told = f"{report.done:,} {plain(report.unit)}, {report.bytes:,} bytes"
    if job.phase is Phase.EXECUTING:
        of = "" if report.total is None else f" of {report.total:,}"
        return f"Stage: {report.stage}. So far {told}{of}."
    return f"{told}{', cut by MAXREC' if report.overflow else ''}."


def _outcome(job: Job, place: Place) -> str:
    """The results, and what the run tells of itself."""
    parts = []
    if job.results:
        rows = "\n".join(
            _RESULT.substitute(
                url=plain(place.child(job.id, "results", result.id)),
                id=plain(result.id),
                type=plain(result.mime_type),
                size="" if result.size is None else f"{result.size:,} bytes",
            )
            for result in job.results
        )
        parts.append(f"<h2>Results</h2>\n<ul>\n{rows}\n</ul>")
    if job.report is not None and job.phase not in (Phase.PENDING, Phase.QUEUED):
        parts.append(_history(job.report))
    return "\n".join(parts)


def _history(report: RunReport) -> str:
    rows = [
        f"<dt>{_STEPS.get(name, plain(name))}</dt><dd>{taken:,.3f} s</dd>" for name, taken in report.timings
    ]
    rows.append(f"<dt>Worker</dt><dd>{plain(report.worker)}, attempt {report.attempt}</dd>")
    sql = "" if report.sql is None else _SQL.substitute(sql=plain(report.sql))
    return f"<h2>What it took</h2>\n<dl>\n{''.join(rows)}\n</dl>\n{sql}"


def _parameters(job: Job, place: Place, url: str) -> str:
    if not job.parameters:
        return '<h2 id="parameters">Parameters</h2>\n<p>There are none.</p>'
    is_text = not any(NOT_XML.search(value) for _, value in job.parameters)
    if job.phase is Phase.PENDING and is_text:
        fields = "\n".join(
            _FIELD.substitute(name=plain(name), value=plain(value), number=number)
            for number, (name, value) in enumerate(job.parameters)
        )
        return _PARAMETER_FORM.substitute(url=url, fields=fields)
    rows = "\n".join(
        f"<dt>{plain(name)}</dt><dd>{_value(job, place, name, value)}</dd>" for name, value in job.parameters
    )
    return f'<h2 id="parameters">Parameters</h2>\n<dl>\n{rows}\n</dl>'


def _value(job: Job, place: Place, name: str, value: str) -> str:
    if NOT_XML.search(value):
        return f'<a href="{plain(place.child(job.id, "parameters", name))}">as it was sent</a>'
    return f'<pre tabindex="0">{plain(value)}</pre>'


def _record(job: Job, url: str) -> str:
    """Name, times and limits, and the forms that change them."""
    times = {
        "Created": job.created,
        "Started": job.started,
        "Ended": job.ended,
        "Expected to end": job.quote,
    }
    rows = [f"<dt>{label}</dt><dd>{_time(time)}</dd>" for label, time in times.items() if time is not None]
    if job.owner is not None:
        rows.append(f"<dt>Owner</dt><dd>{plain(job.owner)}</dd>")
    forms = [
        _INPUT.substitute(
            url=url,
            path="runid",
            name="RUNID",
            label="Name of the job",
            type="text",
            value=plain(job.run_id or ""),
            more=' maxlength="256"',
        ),
        _INPUT.substitute(
            url=url,
            path="destruction",
            name="DESTRUCTION",
            label="Kept until (UTC)",
            type="datetime-local",
            value=f"{job.destruction.astimezone(UTC):%Y-%m-%dT%H:%M}",
            more=' required="required"',
        ),
    ]
    if job.phase in ACTIVE:
        forms.append(
            _INPUT.substitute(
                url=url,
                path="executionduration",
                name="EXECUTIONDURATION",
                label="Seconds it may run (0: no limit)",
                type="number",
                value=job.duration_s,
                more=' min="0" required="required"',
            )
        )
    return f"<h2>Record</h2>\n<dl>\n{''.join(rows)}\n</dl>\n{''.join(forms)}"


def _name(job: Job | ShortJob) -> str:
    return f"<code>{plain(job.id)}</code>" if not job.run_id else plain(job.run_id)


def _pill(phase: Phase) -> str:
    return f'<span class="phase {phase.lower()}">{phase}</span>'


def _time(time: datetime) -> str:
    text = f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    return f'<time datetime="{text.replace(" ", "T")}Z">{text} UTC</time>'


# Without scripts the whole page is loaded again, less often: it would take away what somebody types.
_FOLLOWING = Template("""
<script src="$script" defer="defer"></script>
<noscript><meta http-equiv="refresh" content="$seconds" /></noscript>""")

_JOB_HEAD = Template("""\
<p><a href="$jobs">All jobs</a></p>
<header>
<h1>Job $name</h1>
<p class="quiet"><code>$id</code></p>
</header>""")

_BUTTON = Template("""\
<form action="$action" method="post">
<button class="$style" name="$name" value="$value">$label</button></form>""")

_RESULT = Template("""\
<li><a href="$url">$id</a> <span class="quiet">$type $size</span></li>""")

_SQL = Template("""\
<details><summary>SQL sent to the database</summary><pre tabindex="0">$sql</pre></details>""")

_PARAMETER_FORM = Template("""\
<h2 id="parameters">Parameters</h2>
<form class="card" action="$url/parameters" method="post">
$fields
<div class="row"><button class="second">Change the parameters</button></div>
</form>""")

_FIELD = Template("""\
<label for="parameter$number">$name</label>
<textarea id="parameter$number" name="$name" rows="2" spellcheck="false">
$value</textarea>""")

_INPUT = Template("""\
<form class="row" action="$url/$path" method="post">
<div><label for="$path">$label</label>
<input id="$path" name="$name" type="$type" value="$value"$more /></div>
<button class="second" aria-label="Change: $label">Change</button>
</form>
""")

_JOBS = Template("""\
<header>
<h1>Jobs</h1>
<p class="lead">$shown</p>
</header>
<p><a href="$jobs">newest</a> · $filters</p>
$table""")

_JOB_TABLE = Template("""\
<div class="scroll" role="region" aria-label="Jobs" tabindex="0">
<table>
<thead><tr><th scope="col">Job</th><th scope="col">Phase</th><th scope="col">Created</th></tr></thead>
<tbody>
$rows
</tbody>
</table>
</div>""")

_JOB_ROW = Template("""\
<tr><th scope="row"><a href="$url">$name</a></th><td>$phase</td>
<td>$created</td></tr>""")
