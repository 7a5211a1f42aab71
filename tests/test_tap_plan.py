"""Plans: what the database would do with a query, and the queries that are too costly to wait for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from lxml import etree
from service import Service, serving

LIMIT = 15_000
MAP = "SELECT hpix_1024, COUNT(*) AS n FROM sim1.main GROUP BY hpix_1024"
CONE = "SELECT ra, dec FROM sim1.main WHERE 1 = CONTAINS(POINT(ra, dec), CIRCLE({}, {}, 0.1))"
BAD = "SELECT raa,\n  decc FROM sim1.main"
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture(scope="module")
def gated(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service whose sync queries may read fewer rows than its main table has."""
    data = tmp_path_factory.mktemp("gated")
    (data / "releases").symlink_to(sample_data / "releases")
    with serving(data, VO_SYNC_SCAN_LIMIT=str(LIMIT)) as running:
        yield running


def planned(service: Service, query: str) -> dict[str, object]:
    """The plan of a query."""
    answer = service.get("/tap/plan", LANG="ADQL", QUERY=query)
    assert answer.status_code == 200, answer.text
    told: dict[str, object] = answer.json()
    return told


def test_a_plan_tells_what_would_be_done(service: Service) -> None:
    """SQL, database, index, rows and the database's own account."""
    told = planned(service, MAP)
    assert told["status"] == "OK"
    assert told["dialect"] == "duckdb"
    assert "GROUP BY" in str(told["sql"])
    assert told["spatial_index"] is False
    assert told["rows"] == rows_of(service, "main")
    assert "Scan" in str(told["explain"]).title()
    assert told["sync"] is True


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT TOP 5 ra FROM sim1.main", 5),
        ("SELECT TOP 5 ra FROM sim1.main OFFSET 7", 12),
        ("SELECT COUNT(*) FROM sim1.main", 0),
        (CONE.format(10, 89), 0),
    ],
    ids=["top", "offset", "count", "cone beyond the survey"],
)
def test_rows_that_are_never_looked_at_do_not_count(service: Service, query: str, expected: int) -> None:
    """A limit stops the reading, the table knows its size, and an index excludes what is elsewhere."""
    assert planned(service, query)["rows"] == expected


def test_rows_of_every_table_count(service: Service) -> None:
    """Joins and set operators read all their tables; a sort reads all rows whatever its limit."""
    main, sample = rows_of(service, "main"), rows_of(service, "main_sample")
    join = "SELECT a.ra FROM sim1.main AS a JOIN sim1.main AS b ON a.coadd_object_id = b.coadd_object_id"
    union = "SELECT ra FROM sim1.main UNION SELECT ra FROM sim1.main_sample"
    assert planned(service, join)["rows"] == 2 * main
    assert planned(service, union)["rows"] == main + sample
    assert planned(service, "SELECT TOP 5 ra FROM sim1.main ORDER BY ra")["rows"] == main


def test_a_cone_uses_the_index(service: Service) -> None:
    """The plan says so for every spelling, and that nothing is indexed where OR needs all rows."""
    assert planned(service, CONE.format(40.5, -40.5))["spatial_index"] is True
    assert planned(service, "SELECT ra FROM sim1.main WHERE DISTANCE(ra, dec, 40, -40) < 1")["spatial_index"]
    assert not planned(service, CONE.format(40.5, -40.5) + " OR ra < 1")["spatial_index"]


def test_forms_of_a_plan(service: Service) -> None:
    """RESPONSEFORMAT decides, else Accept; the format of a result is no obstacle."""
    text = service.post("/tap/plan", QUERY=MAP, RESPONSEFORMAT="text")
    assert text.headers["content-type"].startswith("text/plain")
    assert "Rows read: about" in text.text
    assert service.get("/tap/plan", QUERY=MAP, RESPONSEFORMAT="csv").json()["status"] == "OK"
    shown = httpx.get(f"{service.url}/tap/plan", params={"QUERY": CONE.format(1, 2)}, headers=BROWSER)
    assert shown.headers["content-type"].startswith("text/html")
    assert "EXPLAIN" in "".join(etree.fromstring(shown.content).itertext())


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({}, 400),
        ({"QUERY": ""}, 400),
        ({"QUERY": MAP, "LANG": "SQL"}, 400),
        ({"QUERY": MAP, "MAXREC": "-1"}, 400),
        ({"QUERY": MAP, "RESPONSEFORMAT": "png"}, 400),
        ({"QUERY": "SELECT ra FROM sim1.main; DROP TABLE x"}, 400),
        ({"QUERY": "SELECT * FROM read_csv('/etc/passwd')"}, 400),
        ({"QUERY": "EXPLAIN SELECT ra FROM sim1.main"}, 400),
        ({"QUERY": "SELECT ra FROM sim1.main WHERE ra < 1e999"}, 400),
        ({"QUERY": "SELECT 'a\0b' FROM sim1.main"}, 400),
        ({"QUERY": "SELECT " + "(" * 5000 + "1" + ")" * 5000 + " FROM sim1.main"}, 400),
        ({"QUERY": f"SELECT ra FROM sim1.main WHERE ra IN ({'1,' * 140_000}1)"}, 413),
    ],
)
@pytest.mark.parametrize("resource", ["plan", "check"])
def test_bad_requests_are_refused(
    service: Service, resource: str, params: dict[str, str], status: int
) -> None:
    """Whatever is wrong is told with the status of a request that is wrong, and the service goes on."""
    answer = service.post(f"/tap/{resource}", **params)
    assert answer.status_code == status
    assert "ERROR" in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("resource", ["plan", "check"])
def test_problems_in_every_form(service: Service, resource: str) -> None:
    """Line, column, token, rule and advice are in JSON, in text, in a VOTable and on a page."""
    url = f"{service.url}/tap/{resource}"
    told = httpx.get(url, params={"QUERY": BAD, "RESPONSEFORMAT": "json"}).json()
    assert [(each["line"], each["column"], each["token"]) for each in told["problems"]] == [
        (1, 8, "raa"),
        (2, 3, "decc"),
    ]
    for accept in ("text/plain", BROWSER["Accept"]):
        answer = httpx.get(url, params={"QUERY": BAD}, headers={"Accept": accept})
        assert answer.status_code == 400
        for problem in told["problems"]:
            assert problem["message"] in unescape(answer.text)
            assert f"line {problem['line']}, column {problem['column']}" in answer.text
            assert problem["suggestion"] in unescape(answer.text)


def test_problems_of_a_query_that_was_run(service: Service) -> None:
    """Sync and the /error of a job tell the same problems in JSON and text as the check, and in a VOTable."""
    expected = service.get("/tap/check", QUERY=BAD, RESPONSEFORMAT="json").json()["problems"]
    job = service.start_job(BAD)
    service.await_phase(job, "ERROR")
    for path, params in (("/tap/sync", {"LANG": "ADQL", "QUERY": BAD}), (f"{job}/error", {})):
        answers = {
            accept: httpx.get(service.url + path, params=params, headers={"Accept": accept})
            for accept in ("application/json", "text/plain", "*/*")
        }
        assert answers["application/json"].json()["problems"] == expected
        assert [line.partition(" at ")[0] for line in answers["text/plain"].text.splitlines()] == [
            problem["message"] for problem in expected
        ]
        document = etree.fromstring(answers["*/*"].content)
        told = [each.text or each.get("value") for each in document.iterfind(".//{*}INFO[@name='problem']")]
        assert all(problem["rule"] in text for problem, text in zip(expected, told, strict=True))


def test_a_job_can_be_checked_and_planned_in_any_phase(service: Service) -> None:
    """A PENDING job tells its columns and its plan; so does one that has run; its format plays no part."""
    job = create(service, QUERY=MAP, RESPONSEFORMAT="csv")
    for _ in range(2):
        assert service.get(f"{job}/plan").json()["rows"] == rows_of(service, "main")
        columns = service.get(f"{job}/check", RESPONSEFORMAT="json").json()["columns"]
        assert [column["name"] for column in columns] == ["hpix_1024", "n"]
        service.post(f"{job}/phase", PHASE="RUN")
        service.await_phase(job, "COMPLETED")


def test_a_job_that_cannot_run_is_told_before_it_does(service: Service) -> None:
    """The dry run of a PENDING job finds its problems; mending the parameter mends it."""
    job = create(service, QUERY=BAD)
    found = service.get(f"{job}/check", RESPONSEFORMAT="json")
    assert found.status_code == 400
    assert len(found.json()["problems"]) == 2
    assert service.get(f"{job}/plan").status_code == 400
    service.post(f"{job}/parameters", QUERY=MAP)
    assert service.get(f"{job}/check").status_code == 200
    assert service.phase(job) == "PENDING"


@pytest.mark.parametrize("resource", ["plan", "check"])
def test_unknown_jobs_have_no_children(service: Service, resource: str) -> None:
    """404 for a job that is not there, 400 for one without a query."""
    assert service.get(f"/tap/async/nosuchjob/{resource}").status_code == 404
    assert service.get(f"{create(service)}/{resource}").status_code == 400
    assert service.post(f"{create(service)}/{resource}").status_code == 405


# --- the limit of sync


def test_a_costly_query_is_sent_to_async(gated: Service) -> None:
    """It is refused with the estimate, the limit and a way to a job that then runs."""
    refused = gated.sync(MAP)
    assert refused.status_code == 400
    message = etree.fromstring(refused.content).findtext(".//{*}INFO[@name='QUERY_STATUS']") or ""
    assert f"{rows_of(gated, 'main'):,}" in message
    assert f"{LIMIT:,}" in message
    link = re.search(r"/tap\?QUERY=(\S+)#ask", message)
    assert link is not None
    assert unquote(link[1]) == MAP
    assert gated.await_phase(gated.start_job(MAP), "COMPLETED", "ERROR") == "COMPLETED"
    told = planned(gated, MAP)
    assert (told["sync"], told["sync_limit"]) == (False, LIMIT)


def test_a_browser_gets_a_link_to_the_job(gated: Service) -> None:
    """The page has a link to the form with the query in it, from which it runs in the background."""
    page = httpx.get(f"{gated.url}/tap/sync", params={"LANG": "ADQL", "QUERY": MAP}, headers=BROWSER)
    assert page.status_code == 400
    link = re.search(r'<a href="(/tap\?QUERY=[^"]+)"', page.text)
    assert link is not None
    form = httpx.get(gated.url + unescape(link[1])).text
    assert MAP in unescape(form)
    assert "Run in the background" in form


@pytest.mark.parametrize(
    "query",
    [
        "SELECT TOP 5 * FROM sim1.main",
        "SELECT TOP 10 * FROM sim1.main WHERE mag_auto_i < 21",
        "SELECT COUNT(*) FROM sim1.main",
        "SELECT hpix_1024, COUNT(*) FROM sim1.main_sample GROUP BY hpix_1024",
        CONE.format(10, 89),
    ],
)
def test_what_reads_little_is_answered_at_once(gated: Service, query: str) -> None:
    """Scans that stop early, counts, small tables and cones far away are not refused."""
    assert gated.sync(query, MAXREC=100).status_code == 200


def test_metadata_alone_cost_nothing(gated: Service) -> None:
    """MAXREC=0 is answered whatever the query would read."""
    assert gated.sync(MAP, MAXREC=0).status_code == 200


def test_a_long_query_is_not_repeated_in_a_link(gated: Service) -> None:
    """The message then names the resource alone."""
    terms = " AND ".join(f"ra <> {number}.5" for number in range(400))
    refused = gated.post("/tap/sync", LANG="ADQL", QUERY=MAP.replace("GROUP", f"WHERE {terms} GROUP"))
    assert refused.status_code == 400
    assert "/tap/async" in refused.text
    assert len(refused.text) < 3000


def create(service: Service, **params: str) -> str:
    """The path of a new job, not started."""
    answer = service.post("/tap/async", **params)
    assert answer.status_code == 303
    return answer.headers["location"].removeprefix(service.url)


def rows_of(service: Service, table: str) -> int:
    """The size of a table of the sample, as the service counts it."""
    answer = service.sync(f"SELECT COUNT(*) AS n FROM sim1.{table}", RESPONSEFORMAT="csv")
    return int(answer.text.splitlines()[1])
