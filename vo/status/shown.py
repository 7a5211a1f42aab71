"""The state of the service for programs (JSON) and for people (a page)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timedelta
from string import Template
from typing import Any

from vo import __version__
from vo.page import page, plain
from vo.status.state import Status
from vo.uws.census import LaneCensus


def as_json(status: Status, title: str) -> dict[str, Any]:
    """All that /status tells programs; what is not known is null."""
    census, results = status.census, status.results
    return {
        "service": title,
        "version": __version__,
        "status": status.word,
        "problems": list(status.problems),
        "time": _instant(status.now),
        "up_since": _instant(status.up_since),
        "uptime_s": status.uptime_s,
        "releases": _releases(status),
        "lanes": None if census is None else [_lane(lane) for lane in census.lanes],
        "failed_last_hour": None if census is None else census.failed_lately,
        "waiting_requests": status.waiting,
        "results_disk": None if results is None else asdict(results),
        "relay_bytes": status.relay_bytes,
    }


def as_page(status: Status, title: str, url: str) -> str:
    """The same for people; `url` is that of the page."""
    census = status.census
    body = _PAGE.substitute(
        title=plain(title),
        word=_WORDS[status.word],
        colour=_COLOURS[status.word],
        problems="\n".join(f'<p class="message">{plain(problem)}</p>' for problem in status.problems),
        facts="\n".join(f"<dt>{name}</dt><dd>{plain(value)}</dd>" for name, value in _facts(status)),
        lanes="" if census is None else _TABLE.substitute(rows="\n".join(map(_row, census.lanes))),
        url=plain(url),
    )
    return page(f"Status: {title}", body, _HEAD.substitute(url=plain(url)))


def _releases(status: Status) -> list[str]:
    return [] if status.release is None else [name for name in status.release.split("+") if name]


def _lane(lane: LaneCensus) -> dict[str, Any]:
    return {
        "name": lane.name,
        "workers": lane.workers,
        "processes": lane.processes,
        "last_seen_s": _tenths(lane.seen_s),
        "queued": lane.queued,
        "executing": lane.executing,
        "oldest_queued_s": _tenths(lane.oldest_s),
    }


def _facts(status: Status) -> Iterator[tuple[str, str]]:
    yield "Version", __version__
    yield "Releases", ", ".join(_releases(status)) or "none"
    yield "Up since", f"{_instant(status.up_since)} ({timedelta(seconds=status.uptime_s)})"
    if status.census is not None:
        yield "Failed jobs, last hour", f"{status.census.failed_lately:,}"
    yield "Requests waiting for a job", f"{status.waiting:,}"
    if status.results is not None:
        yield "Disk of results", f"{_size(status.results.free)} free of {_size(status.results.total)}"
    if status.relay_bytes is not None:
        yield "Memory of the relay", _size(status.relay_bytes)


def _row(lane: LaneCensus) -> str:
    seen = "not for a day" if lane.seen_s is None else f"{lane.seen_s:.0f} s ago"
    oldest = "" if lane.oldest_s is None else f"{lane.oldest_s:.0f} s"
    numbers = (
        f"{lane.workers:,}",
        f"{lane.processes:,}",
        seen,
        f"{lane.queued:,}",
        f"{lane.executing:,}",
        oldest,
    )
    cells = "".join(f'<td class="number">{cell}</td>' for cell in numbers)
    return f'<tr><th scope="row">{plain(lane.name)}</th>{cells}</tr>'


def _instant(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _tenths(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _size(count: float) -> str:
    """Bytes as people read them.

    >>> _size(512), _size(3_400_000)
    ('512 bytes', '3.4 MB')
    """
    if count < _STEP:
        return f"{count:.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        count /= _STEP
        if count < _STEP:
            return f"{count:.1f} {unit}"
    return f"{count / _STEP:.1f} TB"


_STEP = 1000

_WORDS = {
    "ok": "The service works.",
    "degraded": "The service works in part.",
    "down": "The service is down.",
}
_COLOURS = {"ok": "completed", "degraded": "aborted", "down": "error"}

_HEAD = Template("""
<script src="$url/page.js" defer="defer"></script>
<noscript><meta http-equiv="refresh" content="60" /></noscript>""")

_PAGE = Template("""\
<header>
<h1>Status</h1>
<p class="lead">$title</p>
</header>
<p id="stale" class="message" role="alert" hidden="hidden">
The service does not answer; this is its last state.</p>
<div id="state" data-live="">
<p><span class="phase $colour">$word</span></p>
$problems
<dl>
$facts
</dl>
$lanes
</div>
<p class="quiet">The numbers are renewed every ten seconds. For programs: this address as
<code>application/json</code>, and <a href="$url/../metrics">/metrics</a> for Prometheus.</p>""")

_TABLE = Template("""\
<h2>Lanes</h2>
<div class="scroll" tabindex="0" role="region" aria-label="Lanes">
<table>
<thead><tr><th scope="col">Lane</th><th scope="col" class="number">Workers</th>
<th scope="col" class="number">Processes</th><th scope="col" class="number">Seen</th>
<th scope="col" class="number">Queued</th><th scope="col" class="number">Running</th>
<th scope="col" class="number">Longest wait</th></tr></thead>
<tbody>
$rows
</tbody>
</table>
</div>""")
