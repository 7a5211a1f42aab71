"""/tap/check: a query is judged and not run."""

from __future__ import annotations

import io

import pytest
from astropy.io.votable import parse
from service import Service

GOOD = "SELECT TOP 3 ra, mag_auto_g - mag_auto_r AS colour FROM sim1.main"
BAD = "SELECT raa,\n  decc FROM sim1.main"


def test_a_good_query_has_columns(service: Service) -> None:
    """The FIELDs are those of the result itself, and there are no rows."""
    checked = service.get("/tap/check", LANG="ADQL", QUERY=GOOD)
    table, run = (
        parse(io.BytesIO(answer.content)).get_first_table() for answer in (checked, service.sync(GOOD))
    )
    assert checked.status_code == 200
    assert len(table.array) == 0
    assert [(f.name, f.datatype, f.unit, f.ucd) for f in table.fields] == [
        (f.name, f.datatype, f.unit, f.ucd) for f in run.fields
    ]


def test_columns_as_json(service: Service) -> None:
    """JSON carries the same, for programs that show it while a person types."""
    told = service.post("/tap/check", QUERY=GOOD, RESPONSEFORMAT="json").json()
    assert told["status"] == "OK"
    assert [column["name"] for column in told["columns"]] == ["ra", "colour"]
    assert told["columns"][1]["unit"] == "mag"


def test_all_problems_at_once_with_their_places(service: Service) -> None:
    """Both unknown columns are told, each with line, column, token and a suggestion."""
    answer = service.get("/tap/check", QUERY=BAD, RESPONSEFORMAT="json")
    problems = answer.json()["problems"]
    assert answer.status_code == 400
    assert [(each["line"], each["column"], each["token"]) for each in problems] == [
        (1, 8, "raa"),
        (2, 3, "decc"),
    ]
    assert "dec" in problems[1]["suggestion"]
    text = service.get("/tap/check", QUERY=BAD, RESPONSEFORMAT="text")
    assert text.headers["content-type"].startswith("text/plain")
    assert len(text.text.splitlines()) == 2


@pytest.mark.parametrize(
    "params", [{}, {"QUERY": GOOD, "RESPONSEFORMAT": "png"}, {"QUERY": GOOD, "LANG": "x"}]
)
def test_bad_requests_are_refused(service: Service, params: dict[str, str]) -> None:
    """A missing query, an unknown format or language: 400 with a document."""
    answer = service.get("/tap/check", **params)
    assert answer.status_code == 400
    assert b'value="ERROR"' in answer.content
