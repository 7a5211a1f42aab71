"""Jobs and job lists as the XML of UWS 1.1 (appendix: its schema, whose element order this follows)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from lxml import etree
from lxml.builder import ElementMaker

from vo.dali import NOT_XML
from vo.uws.job import Job, JobError, Phase
from vo.uws.report import RunReport
from vo.uws.store import ShortJob

UWS = "http://www.ivoa.net/xml/UWS/v1.0"
"""The namespace of UWS 1.0 and 1.1 alike."""

XLINK = "http://www.w3.org/1999/xlink"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
REPORT = "urn:x-vo:job:1.0"
"""The namespace of what this service adds to a job; its schema is `job.xsd`, in this folder."""

_NAMESPACES = {"uws": UWS, "xlink": XLINK, "xsi": XSI}
_REPORTED = frozenset(Phase) - {Phase.PENDING, Phase.QUEUED}  # before, a report is that of a lost attempt
_VERSION = "1.1"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the documents say that things are: absolute URLs of the job list and of this folder's files."""

    jobs: str
    files: str

    def job(self, job_id: str) -> str:
        """The URL of a job."""
        return f"{self.jobs}/{quote(job_id, safe='')}"

    def child(self, job_id: str, *path: str) -> str:
        """The URL of something below a job."""
        return "/".join([self.job(job_id), *(quote(step, safe="") for step in path)])


def iso(time: datetime) -> str:
    """An instant in UTC as UWS writes it, to the millisecond.

    >>> iso(datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC))
    '2026-03-01T12:00:00.250Z'
    """
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def job_document(job: Job, place: Place) -> bytes:
    """The job: /{jobs}/{id} (UWS 1.1, 2.2.2.2)."""
    root = _root("job", version=_VERSION)
    _add(root, "jobId", job.id)
    if job.run_id is not None:
        _add(root, "runId", job.run_id)
    _add(root, "ownerId", job.owner)
    _add(root, "phase", job.phase)
    _add(root, "quote", _optional(job.quote))
    _add(root, "creationTime", iso(job.created))
    _add(root, "startTime", _optional(job.started))
    _add(root, "endTime", _optional(job.ended))
    _add(root, "executionDuration", str(job.duration_s))
    _add(root, "destruction", iso(job.destruction))
    root.append(_parameters(job, place))
    root.append(_results(job, place))
    if job.error is not None:
        root.append(_error_summary(job.error))
    if job.report is not None and job.phase in _REPORTED:
        root.append(_job_info(job, job.report, place))
    return _document(root)


def jobs_document(jobs: Iterable[ShortJob], place: Place) -> bytes:
    """The job list: /{jobs} (UWS 1.1, 2.2.2.1)."""
    root = _root("jobs", version=_VERSION)
    for job in jobs:
        entry = etree.SubElement(
            root, f"{{{UWS}}}jobref", {"id": job.id, f"{{{XLINK}}}href": place.job(job.id)}
        )
        _add(entry, "phase", job.phase)
        if job.run_id is not None:
            _add(entry, "runId", job.run_id)
        _add(entry, "ownerId", job.owner)
        _add(entry, "creationTime", iso(job.created))
    return _document(root)


def parameters_document(job: Job, place: Place) -> bytes:
    """The parameters: /{jobs}/{id}/parameters."""
    return _document(_parameters(job, place))


def results_document(job: Job, place: Place) -> bytes:
    """The result list: /{jobs}/{id}/results (UWS 1.1, 2.2.2.3)."""
    return _document(_results(job, place))


def _parameters(job: Job, place: Place) -> etree._Element:
    root = _root("parameters")
    for name, value in job.parameters:
        # What no XML can hold is given by reference (UWS 1.1, 2.2.3.1.1 and its schema).
        by_reference = NOT_XML.search(value) is not None
        entry = _add(root, "parameter", place.child(job.id, "parameters", name) if by_reference else value)
        entry.set("id", name)
        if by_reference:
            entry.set("byReference", "true")
    for file in job.files:
        entry = _add(root, "parameter", place.child(job.id, "parameters", file.parameter))
        entry.set("id", file.parameter)
        entry.set("byReference", "true")
    return root


def _results(job: Job, place: Place) -> etree._Element:
    root = _root("results")
    for result in job.results:
        entry = _add(root, "result")
        entry.set("id", result.id)
        entry.set(f"{{{XLINK}}}type", "simple")
        entry.set(f"{{{XLINK}}}href", place.child(job.id, "results", result.id))
        entry.set("mime-type", result.mime_type)
        if result.size is not None:
            entry.set("size", str(result.size))
    return root


def _error_summary(error: JobError) -> etree._Element:
    summary = etree.Element(f"{{{UWS}}}errorSummary", {"type": error.kind, "hasDetail": "true"})
    _add(summary, "message", error.message)
    return summary


def _job_info(job: Job, report: RunReport, place: Place) -> etree._Element:
    """What this service adds, in a namespace of its own.

    Its frame has none: the schema that the frame names tells validators to skip what they cannot know, which
    those that look for the schema of every namespace (taplint) would call a fault otherwise.
    """
    root = etree.Element(f"{{{UWS}}}jobInfo")
    frame = etree.SubElement(root, "info", {f"{{{XSI}}}noNamespaceSchemaLocation": f"{place.files}/info.xsd"})
    frame.append(_report(job, report))
    return root


def _report(job: Job, report: RunReport) -> etree._Element:
    """The order is that of `job.xsd`."""
    make = ElementMaker(namespace=REPORT, nsmap={"job": REPORT})
    facts = {
        "stage": report.stage.value,
        "started": _optional(job.started),
        "worker": report.worker,
        "attempt": str(report.attempt),
        "done": str(report.done),
        "total": None if report.total is None else str(report.total),
        "bytes": str(report.bytes),
        "overflow": None if report.overflow is None else str(report.overflow).lower(),
        "sql": None if report.sql is None else _legal(report.sql),
    }
    root = make.report(*(make(name, value) for name, value in facts.items() if value is not None))
    root.find(f"{{{REPORT}}}done").set("unit", report.unit)
    root.append(make.timings(*(make.timing(str(taken), stage=name) for name, taken in report.timings)))
    return root


def _root(name: str, **attributes: str) -> etree._Element:
    return etree.Element(f"{{{UWS}}}{name}", attributes, nsmap=_NAMESPACES)


def _add(parent: etree._Element, name: str, text: str | None = "") -> etree._Element:
    """A child with `text`; None is the nil of XML schema."""
    child = etree.SubElement(parent, f"{{{UWS}}}{name}")
    if text is None:
        child.set(f"{{{XSI}}}nil", "true")
    elif text:
        child.text = _legal(text)
    return child


def _legal(text: str) -> str:
    return NOT_XML.sub("\ufffd", text)


def _optional(time: datetime | None) -> str | None:
    return None if time is None else iso(time)


def _document(root: etree._Element) -> bytes:
    document: bytes = etree.tostring(
        root.getroottree(), xml_declaration=True, encoding="UTF-8", pretty_print=True
    )
    return document
