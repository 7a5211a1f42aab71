"""The documents of UWS are valid, complete, and read by others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from contracts.job_store import FULL, NOON, a_job
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from pyvo.io.uws import parse_job, parse_job_list

from vo.uws import xml
from vo.uws.job import Job, Phase
from vo.uws.report import RunReport, Stage
from vo.uws.store import ShortJob

PLACE = xml.Place("http://survey.example/tap/async", "http://survey.example/uws")
NS = {"uws": xml.UWS, "xlink": xml.XLINK}
JOBS = {
    "plain": a_job(),
    "full": FULL,
    "running": a_job(phase=Phase.EXECUTING, started=NOON, attempt=1, duration_s=0, owner="b&b <b@b>"),
}
SHORT = ShortJob("j1", Phase.QUEUED, NOON, "bob", "run & <run>")


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_documents_of_a_job_are_valid(assert_valid: Callable[[bytes], None], job: Job) -> None:
    """Job, parameters and results follow UWS-v1.1.xsd whatever the job holds."""
    for document in (xml.job_document, xml.parameters_document, xml.results_document):
        assert_valid(document(job, PLACE))


@pytest.mark.parametrize("jobs", [[], [SHORT], [SHORT, replace(SHORT, owner=None, run_id=None)]])
def test_job_lists_are_valid(assert_valid: Callable[[bytes], None], jobs: list[ShortJob]) -> None:
    """The job list follows UWS-v1.1.xsd."""
    assert_valid(xml.jobs_document(jobs, PLACE))


@pytest.mark.parametrize("document", [xml.job_document(FULL, PLACE), xml.jobs_document([SHORT], PLACE)])
def test_the_version_is_told(document: bytes) -> None:
    """Job and job list carry version="1.1", without which a client takes them for 1.0 (UWS 1.1, 2.2.1.1)."""
    assert etree.fromstring(document).get("version") == "1.1"


def test_times_are_utc() -> None:
    """Every time ends in Z, unknown ones are nil (UWS 1.1, 2.2.1)."""
    root = etree.fromstring(xml.job_document(JOBS["running"], PLACE))
    assert root.findtext("uws:creationTime", namespaces=NS) == "2026-03-01T12:00:00.000Z"
    nil = root.xpath("*[@*[local-name() = 'nil'] = 'true']")
    assert [etree.QName(element).localname for element in nil] == ["quote", "endTime"]


def test_results_have_absolute_addresses() -> None:
    """Each result has its own id, type, size and an absolute URL below the job."""
    entries = etree.fromstring(xml.results_document(FULL, PLACE)).findall("uws:result", NS)
    assert [dict(entry.attrib) for entry in entries] == [
        {
            "id": result.id,
            "mime-type": result.mime_type,
            f"{{{xml.XLINK}}}type": "simple",
            f"{{{xml.XLINK}}}href": f"{PLACE.jobs}/{FULL.id}/results/{result.id}",
        }
        | ({} if result.size is None else {"size": str(result.size)})
        for result in FULL.results
    ]


@settings(max_examples=60, deadline=None)
@given(value=st.text(st.characters(codec="utf-8"), max_size=20), name=st.sampled_from(["QUERY", "a/b &é"]))
def test_parameters_come_through(value: str, name: str) -> None:
    """A value is in the document exactly, or by reference where XML cannot hold it (UWS 1.1, 2.2.3.1.1)."""
    job = a_job(parameters=((name, value),), run_id="r")
    root = etree.fromstring(xml.job_document(job, PLACE))
    entry = root.find("uws:parameters/uws:parameter", NS)
    assert entry.get("id") == name
    if entry.get("byReference") == "true":
        assert xml.NOT_XML.search(value)
        assert entry.text == PLACE.child(job.id, "parameters", name)
    else:
        assert (entry.text or "") == value


def test_errors_may_hold_anything() -> None:
    """A message with control characters and markup leaves a document that parsers take."""
    error = replace(FULL.error, message="\x1b[4m<b>\x00 & ]]>\ufffe")
    root = etree.fromstring(xml.job_document(replace(FULL, error=error), PLACE))
    summary = root.find("uws:errorSummary", NS)
    assert (summary.get("type"), summary.get("hasDetail")) == ("transient", "true")
    assert summary.findtext("uws:message", namespaces=NS) == "\ufffd[4m<b>\ufffd & ]]>\ufffd"


def test_pyvo_reads_jobs() -> None:
    """The client pyvo finds phase, times, parameters, results and error of a job."""
    job = parse_job(BytesIO(xml.job_document(FULL, PLACE)))
    assert (job.jobid, job.phase, job.version) == (FULL.id, "ERROR", "1.1")
    assert (job.ownerid, job.executionduration.value) == (FULL.owner, 3600)
    assert job.creationtime.to_datetime(timezone=NOON.tzinfo) == NOON
    assert job.destruction.to_datetime(timezone=NOON.tzinfo) == NOON + timedelta(days=7)
    assert [parameter.id_ for parameter in job.parameters] == ["QUERY", "query", "EMPTY"]
    assert [result.href for result in job.results] == [
        f"{PLACE.jobs}/{FULL.id}/results/{name}" for name in ("result", "b")
    ]
    assert job.errorsummary.message.content == FULL.error.message


def test_pyvo_reads_job_lists() -> None:
    """The client pyvo finds id, phase and run of each job in a list."""
    (entry,) = parse_job_list(BytesIO(xml.jobs_document([SHORT], PLACE)))
    assert (entry.jobid, entry.phase, entry.runid) == ("j1", "QUEUED", "run & <run>")


def _schema(name: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(Path(xml.__file__).with_name(name)))


@pytest.mark.parametrize("stage", Stage)
def test_what_we_add_follows_our_own_schema(stage: Stage) -> None:
    """What jobInfo holds is a frame that names its schema, and in it the report, valid by its own."""
    job = replace(FULL, report=replace(FULL.report, stage=stage))
    root = etree.fromstring(xml.job_document(job, PLACE))
    (frame,) = root.find("uws:jobInfo", NS)
    _schema("info.xsd").assertValid(etree.fromstring(etree.tostring(frame)))
    assert frame.get(f"{{{xml.XSI}}}noNamespaceSchemaLocation") == "http://survey.example/uws/info.xsd"
    (report,) = frame
    _schema("job.xsd").assertValid(etree.fromstring(etree.tostring(report)))
    told = {etree.QName(element).localname: element.text for element in report}
    assert told | {"timings": None} == {
        "stage": stage.value,
        "started": "2026-03-01T12:00:00.000Z",
        "worker": "node:1",
        "attempt": "3",
        "done": "12",
        "total": "99",
        "bytes": str(2**40),
        "overflow": "true",
        "sql": "\ufffd <'é'>",
        "timings": None,
    }


def test_an_empty_report_is_valid() -> None:
    """A run that has just begun has no SQL, no total and no timings."""
    job = a_job(phase=Phase.EXECUTING, report=RunReport("node:1", 1))
    report = etree.fromstring(xml.job_document(job, PLACE)).find("uws:jobInfo/info/*", NS)
    _schema("job.xsd").assertValid(etree.fromstring(etree.tostring(report)))


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.QUEUED])
def test_a_lost_attempt_is_not_told(phase: Phase) -> None:
    """A job that waits again tells nothing of the run whose worker was lost."""
    assert b"jobInfo" not in xml.job_document(replace(FULL, phase=phase), PLACE)
