"""In a browser a job is a page on which everything can be seen and done."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from asgi import JOBS, ROOT, Client, Results, Service, serving
from contracts.job_store import FULL, NOON, a_job
from lxml import etree, html

from vo.config import Config
from vo.uws.job import ACTIVE, Job, JobResult, Phase

BROWSERS = {
    "Firefox": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Chromium": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "only HTML": "text/html",
    "HTML first": "text/html, */*;q=0.1",
}
PROGRAMS = {
    "curl": "*/*",
    "Java": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    "newer Java": "text/html, image/gif, image/jpeg, */*; q=0.2",
    "XML": "application/xml",
    "XML first": "application/xml, text/html;q=0.5",
    "both alike": "application/xml, text/html, application/xhtml+xml",
    "not HTML": "text/html;q=0, */*",
    "nothing": "",
}
EVIL = "<script>alert('1')</script>\"'><img src=x onerror=alert(2)>&\x00"
X = {"x": "http://www.w3.org/1999/xhtml"}
FIREFOX = {"Accept": BROWSERS["Firefox"]}


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A service of the anonymous public."""
    return Service(Config(), Results(tmp_path))


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    """A client of the service."""
    with serving(service.app()) as client:
        yield client


def shown(client: Client, url: str) -> etree._Element:
    """The page in a browser, which is well-formed XML as well."""
    response = client("GET", url, headers=FIREFOX)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    return etree.fromstring(response.content)


def put(service: Service, **fields: object) -> Job:
    """A job of the public."""
    job = replace(a_job(), **fields)
    service.store.create(job)
    return job


@pytest.mark.parametrize("accept", BROWSERS.values(), ids=BROWSERS)
def test_browsers_get_pages(service: Service, client: Client, accept: str) -> None:
    """Who prefers HTML gets it, for a job and for the list, and no cache confuses the two."""
    job = put(service)
    for url in (JOBS, f"{JOBS}/{job.id}"):
        response = client("GET", url, headers={"Accept": accept})
        assert response.headers["content-type"] == "text/html; charset=utf-8"
        assert response.headers["vary"] == "Accept"


@pytest.mark.parametrize("accept", PROGRAMS.values(), ids=PROGRAMS)
def test_programs_get_xml(service: Service, client: Client, accept: str) -> None:
    """Who does not gets the same XML whatever else is accepted (UWS 1.1, 2.2.2)."""
    job = put(service)
    for url in (JOBS, f"{JOBS}/{job.id}"):
        response = client("GET", url, headers={"Accept": accept})
        assert response.headers["content-type"] == "application/xml"
        assert response.headers["vary"] == "Accept"
        assert response.content == client("GET", url).content


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.EXECUTING, Phase.ERROR])
def test_the_page_tells_what_the_document_tells(service: Service, client: Client, phase: Phase) -> None:
    """Every value of the job document is on the page of the job."""
    job = put(
        service, **{**_fields(FULL), "owner": None, "run_id": "my <run>", "phase": phase, "duration_s": 77}
    )
    page = client("GET", f"{JOBS}/{job.id}", headers=FIREFOX).text
    values = {
        *html.fromstring(page.encode()).xpath("//input/@value"),
        *html.fromstring(page.encode()).itertext(),
    }
    text = re.sub(r"\s+", " ", " ".join(values))
    told = [job.id, "my <run>", phase, "again", "2026-03-01 12:00:00 UTC", "2026-03-08T12:00"]
    if phase in ACTIVE:
        told.append("77")
    if phase is not Phase.PENDING:
        told += [
            "text/csv;header=present",
            "1,099,511,627,776 bytes",
            "node:1",
            "12 rows",
            'It\'s <broken> & "odd"',
        ]
    for value in told:
        assert value in text
    if phase is not Phase.PENDING:
        assert "<'é'>" in text


def _fields(job: Job) -> dict[str, object]:
    return {name: getattr(job, name) for name in job.__dataclass_fields__ if name != "id"}


FORMS = {
    Phase.PENDING: {
        "/phase RUN",
        "/phase ABORT",
        " DELETE",
        "/runid",
        "/destruction",
        "/executionduration",
        "/parameters",
    },
    Phase.QUEUED: {"/phase ABORT", " DELETE", "/runid", "/destruction", "/executionduration"},
    Phase.EXECUTING: {"/phase ABORT", " DELETE", "/runid", "/destruction", "/executionduration"},
    Phase.COMPLETED: {"/rerun RUN", " DELETE", "/runid", "/destruction"},
    Phase.ERROR: {"/rerun RUN", " DELETE", "/runid", "/destruction"},
    Phase.ABORTED: {"/rerun RUN", " DELETE", "/runid", "/destruction"},
}


@pytest.mark.parametrize("phase", FORMS)
def test_the_page_offers_what_can_be_done(service: Service, client: Client, phase: Phase) -> None:
    """Each phase has the forms that are legal in it, each of which is answered by a page (UWS 1.1, 2.2.2)."""
    fields = {"phase": phase, "parameters": (("QUERY", "SELECT 1"),), "created": NOON.replace(year=2999)}
    job = put(service, **fields, destruction=NOON.replace(year=3000))
    page = shown(client, f"{JOBS}/{job.id}")
    found = set()
    for form in page.iterfind(".//x:form", X):
        data = {
            element.get("name"): element.get("value") or (element.text or "").strip()
            for element in form.iterfind(".//*[@name]")
        }
        button = form.find(".//x:button", X).get("value")
        found.add(form.get("action").removeprefix(f"{JOBS}/{job.id}") + (f" {button}" if button else ""))
        fresh = put(service, **fields, destruction=job.destruction)
        answer = client("POST", form.get("action").replace(job.id, fresh.id), data=data, headers=FIREFOX)
        assert answer.status_code == 303, answer.text
        assert client("GET", answer.headers["location"], headers=FIREFOX).status_code == 200
    assert found == FORMS[phase]


def test_lists_of_a_job_are_parts_of_its_page(service: Service, client: Client) -> None:
    """Parameters and results have no pages of their own: browsers are led to the place on that of the job."""
    job = put(service, phase=Phase.COMPLETED)
    ids = shown(client, f"{JOBS}/{job.id}").xpath("//@id")
    for child, place in (("parameters", "parameters"), ("results", "outcome")):
        answer = client("GET", f"{JOBS}/{job.id}/{child}", headers=FIREFOX)
        assert (answer.status_code, answer.headers["location"]) == (303, f"{JOBS}/{job.id}#{place}")
        assert place in ids


def test_nothing_on_a_page_is_code(service: Service, client: Client) -> None:
    """Names, values, errors and SQL are text, whatever they hold; the only script is the service's own."""
    report = replace(FULL.report, sql=EVIL, worker=EVIL, unit=EVIL)
    fields = {
        "run_id": EVIL.strip("\x00"),
        "parameters": ((EVIL.strip("\x00"), EVIL), ("QUERY", EVIL.strip("\x00"))),
        "error": replace(FULL.error, message=EVIL),
        "results": (JobResult(EVIL, "a", EVIL),),
        "report": report,
    }
    for phase in (Phase.PENDING, Phase.EXECUTING, Phase.ERROR):
        for value in (EVIL, EVIL.strip("\x00")):
            job = put(
                service,
                **{**fields, "phase": phase, "parameters": (("QUERY", value), (value.strip("\x00"), "x"))},
            )
            for url in (f"{JOBS}/{job.id}", JOBS, f"{JOBS}?PHASE={phase}"):
                page = html.document_fromstring(client("GET", url, headers=FIREFOX).content)
                assert [s.get("src") for s in page.iter("script") if s.text or s.get("src")] in (
                    [],
                    [f"{ROOT}/uws/page.js"],
                )
                assert not list(page.iter("img"))
                assert not page.xpath("//@*[starts-with(name(), 'on')]")
                assert all(
                    u.startswith(ROOT) or u == "#main" for u in page.xpath("//@href | //@src | //@action")
                )


def test_errors_in_a_browser_are_text(client: Client) -> None:
    """An error that quotes what was sent quotes it as text."""
    answer = client("GET", f"{JOBS}?PHASE={EVIL}".replace("&", "%26").replace("\x00", ""), headers=FIREFOX)
    assert answer.status_code == 400
    assert "<script" not in answer.text
    assert "PHASE" in answer.text


def test_pages_obey_their_own_policy(service: Service, client: Client) -> None:
    """The policy of a page allows its one style sheet, by hash, and no inline script or style."""
    job = put(service, phase=Phase.EXECUTING)
    response = client("GET", f"{JOBS}/{job.id}", headers=FIREFOX)
    policy = response.headers["content-security-policy"]
    style = re.search("<style>(.*)</style>", response.text, re.DOTALL)[1]
    assert f"'sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}'" in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"\sstyle=|<script[^>]*>[^<]", response.text)


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.EXECUTING])
def test_an_active_job_is_followed(service: Service, client: Client, phase: Phase) -> None:
    """The page of an active job asks again: by a script that waits on the server, or without scripts."""
    job = put(service, phase=phase)
    page = shown(client, f"{JOBS}/{job.id}")
    (script,) = page.findall(".//x:script", X)
    served = client("GET", script.get("src"))
    assert served.headers["content-type"].startswith("text/javascript")
    (followed,) = page.xpath("//*[@data-follow]")
    assert re.fullmatch(
        re.escape(f"{JOBS}/{job.id}") + rf"\?WAIT=\d+&PHASE={phase}", followed.get("data-follow")
    )
    assert page.find(".//x:noscript/x:meta", X).get("http-equiv") == "refresh"


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.COMPLETED, Phase.ERROR, Phase.ABORTED])
def test_a_job_at_rest_is_not_followed(service: Service, client: Client, phase: Phase) -> None:
    """No page reloads while somebody types parameters, nor when nothing will change."""
    page = shown(client, f"{JOBS}/{put(service, phase=phase).id}")
    assert not page.findall(".//x:script", X)
    assert not page.xpath("//*[@http-equiv='refresh']")


def test_the_list_page(service: Service, client: Client) -> None:
    """The page of the list shows the newest jobs with links, filtered as the document is."""
    jobs = [put(service, phase=phase, run_id=f"run {phase}") for phase in (Phase.PENDING, Phase.ERROR)]
    page = shown(client, f"{JOBS}?PHASE=ERROR")
    assert [a.get("href") for a in page.iterfind(".//x:tbody//x:a", X)] == [f"{JOBS}/{jobs[1].id}"]
    assert "run ERROR" in "".join(page.itertext())
    assert len(shown(client, JOBS).findall(".//x:tbody/x:tr", X)) == 2
    assert "There are no such jobs" in "".join(shown(client, f"{JOBS}?PHASE=HELD").itertext())
    for _ in range(120):
        put(service)
    assert len(shown(client, JOBS).findall(".//x:tbody/x:tr", X)) == 100
    assert len(shown(client, f"{JOBS}?LAST=110").findall(".//x:tbody/x:tr", X)) == 110


def test_every_field_has_a_label(service: Service, client: Client) -> None:
    """Fields are named for those who cannot see them, and ids are given once."""
    job = put(service, parameters=(("QUERY", "1"), ("QUERY", "2"), ('a "b"', "3")))
    page = shown(client, f"{JOBS}/{job.id}")
    ids = page.xpath("//@id")
    assert len(ids) == len(set(ids))
    labels = set(page.xpath("//*[local-name() = 'label']/@for"))
    fields = page.xpath("//*[local-name() = 'input' or local-name() = 'textarea']/@id")
    assert set(fields) <= labels
