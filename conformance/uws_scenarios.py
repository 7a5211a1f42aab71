"""The scenarios of UWS 1.1: what clients do to jobs and lists of jobs, step by step, over plain HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from judgement import Judgement, Notebook
from service import LONG_QUERY, Service
from uws_bench import (
    BLOCKED_S,
    FAILING_QUERY,
    HREF,
    QUICK_QUERY,
    UWS,
    WRONG_QUERY,
    Bench,
    later,
    redirects,
    refused,
)
from uws_people import PEOPLE

PHASES = ("PENDING", "QUEUED", "EXECUTING", "COMPLETED", "ERROR", "ABORTED")
UNUSED = ("ARCHIVED", "HELD", "SUSPENDED", "UNKNOWN")
"""Phases of the standard to which no job of this service comes."""


def judge(service: Service) -> Iterator[Judgement]:
    """One judgement of all scenarios."""
    notebook = Notebook("UWS scenarios", "1.1")
    for scenario in SCENARIOS:
        with notebook.check((scenario.__doc__ or "").rstrip(".")), Bench(service) as bench:
            scenario(bench)
    yield notebook.judgement()


# The list of jobs (UWS 1.1, 2.2.2.1)


def _list_all(bench: Bench) -> None:
    """The list shows every job."""
    jobs = {bench.create() for _ in range(3)}
    assert set(bench.listed()) == jobs


def _list_by_phase(bench: Bench) -> None:
    """PHASE filters the list by each phase, and repeated gives the union."""
    jobs = {phase: bench.job_in(phase) for phase in ("PENDING", "COMPLETED", "ERROR", "ABORTED", "EXECUTING")}
    for phase, job in jobs.items():
        assert bench.listed(PHASE=phase) == [job], phase
    for phase in UNUSED:
        assert bench.listed(PHASE=phase) == [], phase
    for union in (
        ("PENDING", "ERROR"),
        ("EXECUTING", "COMPLETED"),
        ("ERROR", "ABORTED"),
        ("PENDING", "QUEUED", "EXECUTING"),
        ("COMPLETED", "ERROR", "ABORTED"),
        ("EXECUTING", "COMPLETED", "ARCHIVED"),
    ):
        assert set(bench.listed(PHASE=union)) == {jobs[phase] for phase in union if phase in jobs}, union


def _list_queued(bench: Bench) -> None:
    """PHASE=QUEUED shows the job that waits for a worker."""
    assert bench.job_in("QUEUED") in bench.listed(PHASE="QUEUED")


def _list_last(bench: Bench) -> None:
    """LAST shows the newest jobs, newest first, whether they were started or not."""
    jobs = [bench.create() for _ in range(4)]
    bench.service.post(f"{jobs[0]}/phase", PHASE="RUN")
    assert bench.listed(LAST=3) == jobs[:0:-1]
    assert bench.listed(LAST=1) == jobs[-1:]
    assert set(bench.listed(LAST=100_000)) == set(jobs)


def _list_after(bench: Bench) -> None:
    """AFTER shows the jobs created later, to the millisecond."""
    jobs = []
    for _ in range(3):
        jobs.append(bench.create())
        time.sleep(0.01)
    second = bench.value(jobs[1], "creationTime")
    assert bench.listed(AFTER=second) == [jobs[2]]
    assert bench.listed(AFTER=second.removesuffix("Z")) == [jobs[2]], "without Z"


def _list_after_short_dates(bench: Bench) -> None:
    """AFTER may be given to the second, minute, hour's minute, day, month or year."""
    job, now = bench.create(), datetime.now(UTC)
    earlier, later = now - timedelta(minutes=2), now + timedelta(minutes=2)
    for form in ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%MZ"):
        assert bench.listed(AFTER=earlier.strftime(form)) == [job], form
        assert bench.listed(AFTER=later.strftime(form)) == [], form
    for form in ("%Y-%m-%d", "%Y-%m", "%Y"):
        assert bench.listed(AFTER=(now - timedelta(days=400)).strftime(form)) == [job], form
        assert bench.listed(AFTER=(now + timedelta(days=400)).strftime(form)) == [], form


def _list_filters_together(bench: Bench) -> None:
    """PHASE, AFTER and LAST narrow the list together."""
    first, second = bench.job_in("PENDING"), bench.job_in("PENDING")
    aborted = bench.job_in("ABORTED")
    assert bench.listed(PHASE="PENDING", LAST=1) == [second]
    after = bench.value(first, "creationTime")
    assert bench.listed(PHASE="PENDING", AFTER=after) == [second]
    assert bench.listed(PHASE=["PENDING", "ABORTED"], AFTER=after, LAST=1) == [aborted]
    assert bench.listed(PHASE="PENDING", AFTER="2100") == []


def _list_refuses(bench: Bench) -> None:
    """Values that no filter can have are refused."""
    wrong = {
        "PHASE": ("FINE", "pending", "1345", ""),
        "LAST": ("0", "-1", "-254", "few", "1.5"),
        "AFTER": ("yesterday", "2026-13-01", "2026-02-30T00:00:00", "2015-26-10", "2015-10-26T09"),
    }
    wrong["AFTER"] += ("2015-10-26T09:00+01:00",)
    for name, values in wrong.items():
        for value in values:
            answer = bench.service.get("/tap/async", **{name: value})
            assert answer.status_code == 400, f"{name}={value}: status {answer.status_code}"
            assert name in answer.text, f"{name}={value} is not named"


def _list_describes(bench: Bench) -> None:
    """An entry of the list has phase, run id, owner and creation time, as the job has."""
    job = bench.create(RUNID="mine")
    entries = bench.tree("/tap/async").iterfind("uws:jobref", UWS)
    entry = next(entry for entry in entries if entry.get(HREF).endswith(job))
    assert entry.get("id") == bench.value(job, "jobId")
    for name, value in (("phase", "PENDING"), ("runId", "mine")):
        assert entry.findtext(f"uws:{name}", None, UWS) == value, name
    assert entry.findtext("uws:creationTime", None, UWS) == bench.value(job, "creationTime")


# Creation


def _create(bench: Bench) -> None:
    """A new job is PENDING, with its parameters, a creation time and a time of destruction."""
    answer = bench.service.post("/tap/async", LANG="ADQL", QUERY=QUICK_QUERY)
    assert answer.status_code == 303, answer.status_code
    bench.made.append(answer.headers["location"].removeprefix(bench.service.url))
    root = bench.tree(bench.made[0])
    given = {item.get("id"): item.text for item in root.iterfind("uws:parameters/uws:parameter", UWS)}
    assert given == {"LANG": "ADQL", "QUERY": QUICK_QUERY}, given
    assert root.get("version") == "1.1"
    assert root.findtext("uws:phase", None, UWS) == "PENDING"
    for name in ("creationTime", "destruction"):
        assert root.findtext(f"uws:{name}", "", UWS).endswith("Z"), name
    for name in ("jobId", "ownerId", "executionDuration", "quote"):
        assert root.find(f"uws:{name}", UWS) is not None, name


def _create_and_run(bench: Bench) -> None:
    """PHASE=RUN in the request that creates a job starts it."""
    job = bench.create(PHASE="RUN")
    bench.service.await_phase(job, "COMPLETED")
    assert bench.service.get(f"{job}/results/result").content.startswith(b"<?xml")
    for name in ("startTime", "endTime"):
        assert bench.value(job, name).endswith("Z"), name


def _create_in_parts(bench: Bench) -> None:
    """Parameters may come after the job; once it runs they stay."""
    answer = bench.service.post("/tap/async")
    job = answer.headers["location"].removeprefix(bench.service.url)
    bench.made.append(job)
    redirects(bench.service.post(f"{job}/parameters", LANG="ADQL", QUERY=QUICK_QUERY), job)
    redirects(bench.service.post(f"{job}/phase", PHASE="RUN"), job)
    bench.service.await_phase(job, "COMPLETED")
    refused(bench.service.post(f"{job}/parameters", QUERY=WRONG_QUERY), 403)


def _create_controls(bench: Bench) -> None:
    """The controls of a job can be changed, and the job tells what is in force."""
    job = bench.create()
    redirects(bench.service.post(f"{job}/executionduration", EXECUTIONDURATION="77"), job)
    assert bench.service.get(f"{job}/executionduration").text == "77"
    soon = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S")
    redirects(bench.service.post(f"{job}/destruction", DESTRUCTION=soon), job)
    assert bench.service.get(f"{job}/destruction").text.startswith(soon)
    assert bench.value(job, "executionDuration") == "77"
    refused(bench.service.post(f"{job}/executionduration", EXECUTIONDURATION="long"), 400)
    refused(bench.service.post(f"{job}/phase", PHASE="SLEEP"), 400)


def _children(bench: Bench) -> None:
    """Every child of a job answers: containers in XML, atoms in plain text."""
    job = bench.job_in("COMPLETED")
    for name in ("", "/parameters", "/results"):
        assert "xml" in bench.service.get(job + name).headers["content-type"], name
    for name in ("phase", "executionduration", "destruction", "quote", "owner"):
        answer = bench.service.get(f"{job}/{name}")
        assert answer.status_code == 200, name
        assert answer.headers["content-type"].startswith("text/plain"), name


def _duration(bench: Bench) -> None:
    """A job that outlives its executionDuration is stopped."""
    job = bench.create(LONG_QUERY, PHASE="RUN", EXECUTIONDURATION="1")
    bench.service.await_phase(job, "ERROR", "ABORTED", timeout_s=20)


# WAIT (UWS 1.1, 2.2.1.3)


def _wait_active(bench: Bench) -> None:
    """WAIT blocks in each phase that can still change, with PHASE and without."""
    for phase in ("PENDING", "EXECUTING", "QUEUED"):
        job = bench.job_in(phase)
        assert bench.wait(job, WAIT=2) > BLOCKED_S, phase
        assert bench.wait(job, WAIT=2, PHASE=phase) > BLOCKED_S, f"{phase} with PHASE"
        assert bench.phase(job) == phase


def _wait_final(bench: Bench) -> None:
    """WAIT answers at once in each phase that cannot change, whatever it asks for."""
    for phase in ("COMPLETED", "ERROR", "ABORTED"):
        job = bench.job_in(phase)
        for params in ({"WAIT": 30}, {"WAIT": -1}, {"WAIT": 30, "PHASE": phase}):
            assert bench.wait(job, **params) < BLOCKED_S, f"{phase} {params}"


def _wait_other_phase(bench: Bench) -> None:
    """WAIT answers at once when the job is not, or no more, in the PHASE that is named."""
    job = bench.job_in("PENDING")
    for phase in PHASES[1:] + UNUSED:
        assert bench.wait(job, WAIT=30, PHASE=phase) < BLOCKED_S, f"PENDING, PHASE={phase}"
    job = bench.job_in("EXECUTING")
    for phase in ("PENDING", "QUEUED"):
        assert bench.wait(job, WAIT=30, PHASE=phase) < BLOCKED_S, f"EXECUTING, PHASE={phase}"


def _wait_change(bench: Bench) -> None:
    """WAIT answers as soon as the phase changes."""
    job = bench.job_in("PENDING")
    with later(0.7, lambda: bench.service.post(f"{job}/phase", PHASE="ABORT")):
        assert 0.3 < bench.wait(job, WAIT=40) < 10
    assert bench.phase(job) == "ABORTED"


def _wait_forever(bench: Bench) -> None:
    """WAIT=-1 waits for a change, up to what the service allows."""
    job = bench.create(PHASE="RUN")
    while bench.phase(job) != "COMPLETED":
        assert bench.wait(job, WAIT=-1) < 30
    assert bench.wait(bench.job_in("PENDING"), WAIT=-1) > BLOCKED_S


def _wait_not(bench: Bench) -> None:
    """No WAIT, WAIT=0 and a PHASE alone do not block."""
    job = bench.job_in("PENDING")
    for params in ({}, {"WAIT": 0}, {"PHASE": "PENDING"}):
        assert bench.wait(job, **params) < BLOCKED_S, params


def _wait_refuses(bench: Bench) -> None:
    """Values that WAIT cannot have are refused."""
    job = bench.job_in("PENDING")
    for params in ({"WAIT": "long"}, {"WAIT": "1.5"}, {"WAIT": "-2"}, {"WAIT": "1", "PHASE": "FINE"}):
        refused(bench.service.get(job, **params), 400)


# Abort and delete


def _abort(bench: Bench) -> None:
    """A job can be aborted before it starts, while it is queued and while it runs."""
    for phase in ("PENDING", "EXECUTING", "QUEUED"):
        job = bench.job_in(phase)
        redirects(bench.service.post(f"{job}/phase", PHASE="ABORT"), job)
        assert bench.phase(job) == "ABORTED", phase
        assert bench.value(job, "endTime").endswith("Z"), phase
        assert bench.service.get(f"{job}/results/result").status_code == 404


def _abort_frees(bench: Bench) -> None:
    """Aborted jobs leave their workers to others."""
    jobs = [bench.create(LONG_QUERY, PHASE="RUN") for _ in range(4)]
    for job in jobs:
        bench.service.post(f"{job}/phase", PHASE="ABORT")
    bench.job_in("COMPLETED")


def _abort_final(bench: Bench) -> None:
    """What has ended stays as it ended."""
    for phase in ("COMPLETED", "ERROR"):
        job = bench.job_in(phase)
        for action in ("ABORT", "RUN"):
            refused(bench.service.post(f"{job}/phase", PHASE=action), 403)
        assert bench.phase(job) == phase
    job = bench.job_in("ABORTED")
    refused(bench.service.post(f"{job}/phase", PHASE="RUN"), 403)
    assert bench.phase(job) == "ABORTED"


def _delete(bench: Bench) -> None:
    """DELETE and ACTION=DELETE remove a job in any phase, with all that belongs to it."""
    for phase in PHASES:
        for way in (bench.service.delete, lambda path: bench.service.post(path, ACTION="DELETE")):
            job = bench.job_in(phase)
            redirects(way(job), "/tap/async")
            for path in (job, f"{job}/phase", f"{job}/results", f"{job}/parameters"):
                assert bench.service.get(path).status_code == 404, f"{phase}: {path}"
            assert job not in bench.listed()
            bench.clear()  # the jobs that made others wait


def _unknown(bench: Bench) -> None:
    """A job that does not exist is not found, by any method."""
    path = "/tap/async/no-such-job"
    assert bench.service.get(path).status_code == 404
    assert bench.service.get(f"{path}/phase").status_code == 404
    assert bench.service.delete(path).status_code == 404
    assert bench.service.post(f"{path}/phase", PHASE="RUN").status_code == 404


# Jobs that fail


def _error(bench: Bench) -> None:
    """A job that fails says why, in the job and in its error document, and has no result."""
    job = bench.job_in("ERROR")
    summary = bench.tree(job).find("uws:errorSummary", UWS)
    assert summary is not None
    assert summary.get("type") in ("fatal", "transient")
    assert "colour" in summary.findtext("uws:message", "", UWS)
    answer = bench.service.get(f"{job}/error")
    assert answer.status_code == 200
    assert "colour" in answer.text
    assert bench.service.get(f"{job}/results/result").status_code == 404
    for name in ("startTime", "endTime"):
        assert bench.value(job, name).endswith("Z"), name


def _error_in_database(bench: Bench) -> None:
    """A job that fails while it runs says so as well."""
    job = bench.create(FAILING_QUERY, PHASE="RUN")
    bench.service.await_phase(job, "ERROR")
    assert "'x'" in bench.tree(job).findtext("uws:errorSummary/uws:message", "", UWS)


def _no_error(bench: Bench) -> None:
    """A job that went well has no error, neither in the job nor as a document."""
    job = bench.job_in("COMPLETED")
    assert bench.tree(job).find("uws:errorSummary", UWS) is None
    assert bench.service.get(f"{job}/error").status_code == 404


SCENARIOS = (
    _list_all,
    _list_by_phase,
    _list_queued,
    _list_last,
    _list_after,
    _list_after_short_dates,
    _list_filters_together,
    _list_refuses,
    _list_describes,
    _create,
    _create_and_run,
    _create_in_parts,
    _create_controls,
    _children,
    _duration,
    _wait_active,
    _wait_final,
    _wait_other_phase,
    _wait_change,
    _wait_forever,
    _wait_not,
    _wait_refuses,
    _abort,
    _abort_frees,
    _abort_final,
    _delete,
    _unknown,
    _error,
    _error_in_database,
    _no_error,
    *PEOPLE,
)
"""The scenarios, each named by its docstring."""
