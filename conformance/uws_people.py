"""What people do with jobs: let them run, name them, run them again, look at them in a browser."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import httpx
from lxml import etree
from uws_bench import BLOCKED_S, LASTING_QUERY, SHORT_QUERY, UWS, Bench, redirects, refused

PHASES = ("PENDING", "QUEUED", "EXECUTING", "COMPLETED", "ERROR", "ABORTED")
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
NAMESPACES = {**UWS, "job": "urn:x-vo:job:1.0"}


# Jobs of a certain length, for testers


def _short(bench: Bench) -> None:
    """The short job is seen to run: WAIT ends with its phases, and it comes to its end."""
    job = bench.create(SHORT_QUERY, PHASE="RUN")
    bench.wait(job, WAIT=30, PHASE="QUEUED")
    assert bench.wait(job, WAIT=30, PHASE="EXECUTING") > BLOCKED_S
    while bench.phase(job) == "EXECUTING":
        bench.wait(job, WAIT=30, PHASE="EXECUTING")
    assert bench.phase(job) == "COMPLETED"


def _lasting(bench: Bench) -> None:
    """The long job tells its progress while it runs, and can be aborted."""
    job = bench.create(LASTING_QUERY, PHASE="RUN")
    bench.service.await_phase(job, "EXECUTING")
    time.sleep(2 * BLOCKED_S)
    report = bench.tree(job).find("uws:jobInfo/info/job:report", NAMESPACES)
    assert report is not None
    assert report.findtext("job:stage", "", NAMESPACES) == "execute"
    redirects(bench.service.post(f"{job}/phase", PHASE="ABORT"), job)
    assert bench.phase(job) == "ABORTED"
    bench.job_in("COMPLETED")


# Beyond the standard


def _rename(bench: Bench) -> None:
    """A job gets another name after it ended, and may be kept for longer."""
    job = bench.job_in("COMPLETED")
    redirects(bench.service.post(f"{job}/runid", RUNID="my <best> run"), job)
    assert bench.value(job, "runId") == "my <best> run"
    later_on = (datetime.now(UTC) + timedelta(days=9)).strftime("%Y-%m-%dT%H:%M:%S")
    redirects(bench.service.post(f"{job}/destruction", DESTRUCTION=later_on), job)
    assert bench.service.get(f"{job}/destruction").text.startswith(later_on)


def _rerun(bench: Bench) -> None:
    """A job that has ended is run again, as another job with the same parameters."""
    job = bench.job_in("COMPLETED")
    answer = bench.service.post(f"{job}/rerun")
    assert answer.status_code == 303
    again = answer.headers["location"].removeprefix(bench.service.url)
    bench.made.append(again)
    assert again != job
    bench.service.await_phase(again, "COMPLETED")
    results = [bench.service.get(f"{path}/results/result").text.count("<STREAM") for path in (job, again)]
    assert results == [1, 1]
    refused(bench.service.post(f"{bench.job_in('PENDING')}/rerun"), 403)


def _history(bench: Bench) -> None:
    """A job keeps the SQL that was sent, its rows and the time that each stage took."""
    report = bench.tree(bench.job_in("COMPLETED")).find("uws:jobInfo/info/job:report", NAMESPACES)
    assert report.findtext("job:done", "", NAMESPACES) == "5"
    assert "SELECT" in report.findtext("job:sql", "", NAMESPACES)
    stages = [entry.get("stage") for entry in report.iterfind("job:timings/job:timing", NAMESPACES)]
    assert stages == ["queued", "parse", "execute", "first-row", "write"]


def _parts(bench: Bench) -> None:
    """A result has a length, a time and a tag, comes in parts, and not twice."""
    url = f"{bench.service.url}{bench.job_in('COMPLETED')}/results/result"
    whole = httpx.get(url)
    part = httpx.get(url, headers={"Range": "bytes=5-9"})
    assert (part.status_code, part.content) == (206, whole.content[5:10])
    assert httpx.head(url).headers["content-length"] == str(len(whole.content))
    for name, value in (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified")):
        assert httpx.get(url, headers={name: whole.headers[value]}).status_code == 304, name
    assert httpx.get(url, headers={"Range": f"bytes={len(whole.content)}-"}).status_code == 416


def _pages(bench: Bench) -> None:
    """A browser gets pages for the list and for jobs in every phase, well-formed and with forms."""
    for phase in PHASES:
        for path in (bench.job_in(phase), "/tap/async"):
            page = httpx.get(f"{bench.service.url}{path}", headers={"Accept": BROWSER})
            assert page.headers["content-type"].startswith("text/html"), phase
            root = etree.fromstring(page.content)
            assert path == "/tap/async" or root.find(".//{*}form") is not None, phase
        bench.clear()


PEOPLE = (
    _short,
    _lasting,
    _rename,
    _rerun,
    _history,
    _parts,
    _pages,
)
"""The scenarios, each named by its docstring."""
