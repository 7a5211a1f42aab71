"""TAP 1.1, /async: UWS jobs of a running service, by hand and through pyvo and astroquery."""

from __future__ import annotations

import io
import time

import httpx
import numpy as np
import pyvo
from astropy.io.votable import parse
from lxml import etree
from service import Service

UWS = {"uws": "http://www.ivoa.net/xml/UWS/v1.0"}
ENDLESS = "SELECT COUNT(*) AS n FROM sim1.main AS a, sim1.main AS b, sim1.main AS c WHERE a.ra < b.ra"


def _job(service: Service, job: str) -> etree._Element:
    return etree.fromstring(service.get(job).content)


def test_a_job_from_creation_to_its_result(service: Service) -> None:
    """Create, run, wait, fetch: the result of async is byte for byte that of sync, but for its notes."""
    query = "SELECT coadd_object_id, ra FROM sim1.main WHERE mag_auto_r < 18 ORDER BY coadd_object_id"
    created = service.post("/tap/async", LANG="ADQL", QUERY=query, RESPONSEFORMAT="csv")
    job = created.headers["location"].removeprefix(service.url)
    assert (created.status_code, service.phase(job)) == (303, "PENDING")
    assert service.post(f"{job}/phase", PHASE="RUN").status_code == 303
    assert service.await_phase(job, "COMPLETED", "ERROR") == "COMPLETED"
    result = service.get(f"{job}/results/result")
    assert result.content == service.sync(query, RESPONSEFORMAT="csv").content
    assert result.headers["content-type"] == "text/csv;header=present"
    assert int(result.headers["content-length"]) == len(result.content)


def test_wait_returns_when_the_job_is_done(service: Service) -> None:
    """WAIT is answered by the end of the job, not by the clock (UWS 1.1, 2.2.1.3)."""
    job = service.start_job("SELECT COUNT(*) AS n FROM sim1.main")
    while (phase := _job(service, f"{job}?WAIT=30").findtext("uws:phase", None, UWS)) in (
        "QUEUED",
        "EXECUTING",
    ):
        pass
    assert phase == "COMPLETED"


def test_a_result_without_rows_is_still_a_result(service: Service) -> None:
    """No rows: COMPLETED, and a table of none (TAP 1.1, 2.2)."""
    job = service.start_job("SELECT ra FROM sim1.main WHERE ra < 0")
    assert service.await_phase(job, "COMPLETED", "ERROR") == "COMPLETED"
    table = parse(io.BytesIO(service.get(f"{job}/results/result").content)).get_first_table()
    assert len(table.array) == 0


def test_parameters_are_judged_when_the_job_runs(service: Service) -> None:
    """A wrong parameter creates a job that ends in ERROR, its document under /error with 200 (DALI 5.2)."""
    job = service.start_job("SELECT nothing FROM sim1.main")
    assert service.await_phase(job, "COMPLETED", "ERROR") == "ERROR"
    error = service.get(f"{job}/error")
    assert error.status_code == 200
    assert "nothing" in parse(io.BytesIO(error.content)).resources[0].infos[0].content
    assert service.get(f"{job}/results/result").status_code == 404


def test_abort_reaches_the_database(service: Service) -> None:
    """An aborted statement ends: as many as there are workers leave the lane free for the next job."""
    jobs = [service.start_job(ENDLESS) for _ in range(2)]
    for job in jobs:
        service.await_phase(job, "EXECUTING")
        assert service.post(f"{job}/phase", PHASE="ABORT").status_code == 303
        assert service.phase(job) == "ABORTED"
    following = service.start_job("SELECT TOP 1 ra FROM sim1.main")
    assert service.await_phase(following, "COMPLETED", "ERROR") == "COMPLETED"
    assert [service.phase(job) for job in jobs] == ["ABORTED", "ABORTED"]


def test_execution_duration_is_enforced(service: Service) -> None:
    """A job that runs longer than its executionDuration is aborted, and says why (UWS 1.1, 2.1.4)."""
    job = service.start_job(ENDLESS, EXECUTIONDURATION="1")
    assert service.await_phase(job, "ABORTED", "COMPLETED", "ERROR") == "ABORTED"
    assert "1 seconds" in _job(service, job).findtext("uws:errorSummary/uws:message", "", UWS)


def test_delete_removes_job_and_files(service: Service) -> None:
    """A deleted job is gone with its files; a running one is stopped first."""
    done = service.start_job("SELECT TOP 1 ra FROM sim1.main")
    service.await_phase(done, "COMPLETED")
    running = service.start_job(ENDLESS)
    service.await_phase(running, "EXECUTING")
    for job in (done, running):
        assert httpx.delete(service.url + job).status_code == 303
        assert service.get(job).status_code == 404
        assert not (service.data / "results" / job.rpartition("/")[2]).exists()
    following = service.start_job("SELECT TOP 1 ra FROM sim1.main")
    assert service.await_phase(following, "COMPLETED") == "COMPLETED"


def test_overflow_is_told_in_the_result(service: Service) -> None:
    """MAXREC cuts async as it cuts sync, in the document itself."""
    job = service.start_job("SELECT ra FROM sim1.main", MAXREC="10")
    service.await_phase(job, "COMPLETED")
    resource = parse(io.BytesIO(service.get(f"{job}/results/result").content)).resources[0]
    assert [i.value for i in resource.infos if i.name == "QUERY_STATUS"] == ["OK", "OVERFLOW"]


REPORT = {"job": "urn:x-vo:job:1.0"}


def _report(service: Service, job: str) -> etree._Element:
    return _job(service, job).find("uws:jobInfo/info/job:report", UWS | REPORT)


def test_the_record_keeps_the_history(service: Service) -> None:
    """The job tells the SQL that was sent, its rows and bytes, and the seconds of every stage."""
    job = service.start_job("SELECT tilename FROM sim1.tile_info")
    service.await_phase(job, "COMPLETED")
    report = _report(service, job)
    told = {
        name: report.findtext(f"job:{name}", None, REPORT) for name in ("stage", "done", "bytes", "attempt")
    }
    size = len(service.get(f"{job}/results/result").content)
    assert told == {"stage": "write", "done": "55", "bytes": str(size), "attempt": "1"}
    assert "tile_info" in report.findtext("job:sql", "", REPORT)
    timings = {entry.get("stage"): float(entry.text) for entry in report.iterfind("job:timings/*", REPORT)}
    assert list(timings) == ["queued", "parse", "execute", "first-row", "write"]
    assert all(0 <= taken < 60 for taken in timings.values())


def test_a_running_job_tells_how_far_it_is(service: Service) -> None:
    """While a job runs one sees its stage, its worker and the SQL; an aborted one keeps what was known."""
    job = service.start_job(ENDLESS)
    service.await_phase(job, "EXECUTING")
    while (report := _report(service, job)) is None:
        time.sleep(0.1)
    assert report.findtext("job:stage", None, REPORT) == "execute"
    assert report.find("job:done", REPORT).get("unit") == "rows"
    assert report.findtext("job:worker", "", REPORT).rpartition(":")[2].isdigit()
    service.post(f"{job}/phase", PHASE="ABORT")
    assert "COUNT" in _report(service, job).findtext("job:sql", "", REPORT)


def test_pyvo_runs_jobs(service: Service) -> None:
    """pyvo: run_async, and submit, run, wait, fetch, delete; the numbers are those of sync."""
    tap = pyvo.dal.TAPService(f"{service.url}/tap")
    query = "SELECT mag_auto_i, mag_auto_z FROM sim1.main WHERE tilename = 'DES2359-4040'"
    direct, job_result = tap.run_sync(query).to_table(), tap.run_async(query).to_table()
    for name in direct.colnames:
        assert np.array_equal(np.ma.filled(direct[name], -1), np.ma.filled(job_result[name], -1))
    job = tap.submit_job(query)
    assert job.phase == "PENDING"
    job.run().wait(timeout=60)
    assert job.phase == "COMPLETED"
    assert len(job.fetch_result()) == len(direct)
    assert job.job_id in {listed.jobid for listed in tap.get_job_list()}
    job.delete()
