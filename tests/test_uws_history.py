"""Jobs are kept, named and run again by those who made them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asgi import JOBS, Client, Results, Service, serving
from contracts.job_store import a_job
from lxml import etree

from vo.config import Config
from vo.uws.job import ACTIVE, Job, Phase
from vo.uws.xml import UWS, iso

NS = {"uws": UWS}
PHASES = (*sorted(ACTIVE), Phase.COMPLETED, Phase.ERROR, Phase.ABORTED)
QUERY = (("QUERY", "SELECT 'é\x00'"), ("QUERY", "twice"), ("lang", "ADQL"))


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A service that trusts the header X-User."""
    return Service(Config(user_header="X-User"), Results(tmp_path))


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    """A client of the service."""
    with serving(service.app()) as client:
        yield client


def put(service: Service, **fields: object) -> Job:
    """A job, created now."""
    now = datetime.now(UTC)
    job = replace(a_job(), created=now, destruction=now + timedelta(days=1), parameters=QUERY, **fields)
    service.store.create(job)
    return job


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("resource", ["runid", "parameters"])
def test_a_job_can_be_named_in_any_phase(
    service: Service, client: Client, phase: Phase, resource: str
) -> None:
    """RUNID is the client's own word, and changes nothing else."""
    job = put(service, phase=phase, run_id="old")
    answer = client("POST", f"{JOBS}/{job.id}/{resource}", data={"RUNID": "naïve <name>"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{JOBS}/{job.id}")
    assert service.store.get(job.id) == replace(job, run_id="naïve <name>")
    assert client("GET", f"{JOBS}/{job.id}/runid").text == "naïve <name>"
    document = etree.fromstring(client("GET", f"{JOBS}/{job.id}").content)
    assert document.findtext("uws:runId", None, NS) == "naïve <name>"
    assert "naïve" in client("GET", JOBS).text


def test_a_name_can_be_taken_away(service: Service, client: Client) -> None:
    """An empty RUNID leaves a job without one."""
    job = put(service, run_id="old")
    client("POST", f"{JOBS}/{job.id}/runid", data={"RUNID": ""})
    assert service.store.get(job.id).run_id is None
    assert client("GET", f"{JOBS}/{job.id}/runid").text == ""


@pytest.mark.parametrize("phase", PHASES)
def test_expiry_is_extended_within_limits(service: Service, client: Client, phase: Phase) -> None:
    """A job can be kept for longer in any phase, up to the server's limit, and shows what is in force."""
    service.configure(destruction_limit_s=10 * 86400)
    job = put(service, phase=phase)
    for days, effective in ((5, 5), (99, 10), (1, 1)):
        wanted = iso(job.created + timedelta(days=days))
        assert client("POST", f"{JOBS}/{job.id}/destruction", data={"DESTRUCTION": wanted}).status_code == 303
        shown = client("GET", f"{JOBS}/{job.id}/destruction").text
        assert shown == iso(job.created + timedelta(days=effective))
        document = etree.fromstring(client("GET", f"{JOBS}/{job.id}").content)
        assert document.findtext("uws:destruction", None, NS) == shown


@pytest.mark.parametrize("phase", [Phase.COMPLETED, Phase.ERROR, Phase.ABORTED])
def test_a_job_is_run_again(service: Service, client: Client, phase: Phase) -> None:
    """A new job with the same parameters, name and duration is started; the old one stays as it was."""
    old = put(service, phase=phase, run_id="survey", duration_s=77)
    answer = client("POST", f"{JOBS}/{old.id}/rerun")
    assert answer.status_code == 303
    new = service.store.get(answer.headers["location"].removeprefix(f"{JOBS}/"))
    assert new.id != old.id
    assert (new.phase, new.parameters, new.run_id, new.duration_s) == (Phase.QUEUED, QUERY, "survey", 77)
    assert (new.results, new.error, new.report) == ((), None, None)
    assert service.store.get(old.id) == old
    assert [job.id for job in service.queue.jobs] == [new.id]


def test_a_rerun_may_have_other_limits(service: Service, client: Client) -> None:
    """Name and limits can be given anew, and are cut as for any new job."""
    service.configure(duration_limit_s=100)
    old = put(service, phase=Phase.COMPLETED)
    answer = client("POST", f"{JOBS}/{old.id}/rerun", data={"RUNID": "new", "executionduration": "500"})
    new = service.store.get(answer.headers["location"].removeprefix(f"{JOBS}/"))
    assert (new.run_id, new.duration_s, new.parameters) == ("new", 100, QUERY)


def test_a_rerun_belongs_to_who_asked(service: Service, client: Client) -> None:
    """Who runs a public job again owns the new one; a foreign job cannot be run again."""
    public, foreign = put(service, phase=Phase.COMPLETED), put(service, phase=Phase.COMPLETED, owner="eve")
    bob = {"X-User": "bob"}
    answer = client("POST", f"{JOBS}/{public.id}/rerun", headers=bob)
    assert service.store.get(answer.headers["location"].removeprefix(f"{JOBS}/")).owner == "bob"
    assert client("POST", f"{JOBS}/{foreign.id}/rerun", headers=bob).status_code == 403
    assert len(service.queue.jobs) == 1


@pytest.mark.parametrize("phase", sorted(ACTIVE))
def test_a_job_that_has_not_ended_is_not_run_again(service: Service, client: Client, phase: Phase) -> None:
    """What is not over cannot be repeated."""
    job = put(service, phase=phase)
    assert client("POST", f"{JOBS}/{job.id}/rerun").status_code == 403
    assert len(service.store.list(kind="tap", owner=None)) == 1


WAYS = {
    "PUT": lambda client, url: client("PUT", url, content="SELECT 'ü'".encode()),
    "PUT with a type": lambda client, url: client(
        "PUT",
        url,
        content="SELECT 'ü'".encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    ),
    "POST by name": lambda client, url: client("POST", url, data={"query": "SELECT 'ü'"}),
    "POST of a value": lambda client, url: client("POST", url, data={"VALUE": "SELECT 'ü'"}),
    "POST multipart": lambda client, url: client("POST", url, files={"QUERY": (None, "SELECT 'ü'")}),
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("way", WAYS)
def test_one_parameter_is_set(service: Service, client: Client, phase: Phase, way: str) -> None:
    """While a job is PENDING each parameter can be set at its own URL; later it stays (UWS 1.1, 2.1.11)."""
    job = put(service, phase=phase)
    answer = WAYS[way](client, f"{JOBS}/{job.id}/parameters/Query")
    if phase is not Phase.PENDING:
        assert answer.status_code == 403
        assert "Query" in answer.text
        assert service.store.get(job.id) == job
        return
    assert (answer.status_code, answer.headers["location"]) == (303, f"{JOBS}/{job.id}")
    assert service.store.get(job.id).parameters == (("lang", "ADQL"), ("Query", "SELECT 'ü'"))
    assert client("GET", f"{JOBS}/{job.id}/parameters/QUERY").text == "SELECT 'ü'"


@pytest.mark.parametrize(
    ("path", "data", "told"),
    [
        ("/phase", {"PHASE": "ABORT"}, {"phase": Phase.ABORTED}),
        ("/executionduration", {"EXECUTIONDURATION": "9"}, {"duration_s": 9}),
        (
            "/destruction",
            {"DESTRUCTION": "2030-01-01T00:00"},
            {"destruction": datetime(2030, 1, 1, tzinfo=UTC)},
        ),
        ("/runid", {"RUNID": "x"}, {"run_id": "x"}),
        ("/parameters", {"LANG": "é"}, {"parameters": (*QUERY[:2], ("LANG", "é"))}),
    ],
)
def test_every_form_may_come_in_parts(
    service: Service, client: Client, path: str, data: dict[str, str], told: dict[str, object]
) -> None:
    """What a form does it does as multipart/form-data too, with names in any case (DALI 1.1, 2 and 4.1)."""
    service.configure(destruction_limit_s=10**9)
    parts = {name.lower(): (None, value) for name, value in data.items()}
    for content in ({"data": data}, {"files": parts}, {"params": data}):
        job = put(service)
        assert client("POST", f"{JOBS}/{job.id}{path}", **content).status_code == 303
        changed = service.store.get(job.id)
        for name, value in told.items():
            seen = getattr(changed, name)
            if name == "parameters":
                seen = tuple((key if key == "QUERY" else key.upper(), text) for key, text in seen)
            assert seen == value


def test_any_name_has_a_url(service: Service, client: Client) -> None:
    """A parameter whose name has a slash, a space or a question mark is found where documents say it is."""
    job = put(service)
    for name in ("a/b", "c d", "e?f", "é", "/"):
        client("POST", f"{JOBS}/{job.id}/parameters", data={name: "\x01"})
    root = etree.fromstring(client("GET", f"{JOBS}/{job.id}/parameters").content)
    found = {entry.get("id"): entry.text for entry in root if entry.text.startswith(JOBS)}
    assert set(found) >= {"a/b", "c d", "e?f", "é", "/"}
    for name in ("a/b", "c d", "e?f", "é", "/"):
        assert client("GET", found[name]).content == b"\x01"
