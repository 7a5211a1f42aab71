"""TAP 1.1, /sync, through the door of a running service, read back by astropy and pyvo."""

from __future__ import annotations

import csv
import io

import httpx
import numpy as np
import pytest
import pyvo
from astropy.io.votable import parse
from astropy.io.votable.tree import VOTableFile
from service import Service

CONE = "CONTAINS(POINT(ra, dec), CIRCLE(0.2, -40.3, 0.1)) = 1"


def _votable(answer: httpx.Response) -> VOTableFile:
    return parse(io.BytesIO(answer.content))


def _status(answer: httpx.Response) -> list[str]:
    """The values of QUERY_STATUS, in the order of the document."""
    infos = _votable(answer).resources[0].infos
    return [info.value for info in infos if info.name == "QUERY_STATUS"]


def _rows(answer: httpx.Response) -> list[list[str]]:
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.text)))[1:]


def test_a_query_is_answered_by_get_and_post(service: Service) -> None:
    """The same rows for GET and POST, whatever the case of the parameters' names."""
    query = "SELECT TOP 3 coadd_object_id, ra FROM sim1.main ORDER BY coadd_object_id"
    by_get = service.sync(query, RESPONSEFORMAT="csv")
    by_post = service.post("/tap/sync", lang="ADQL", query=query, format="csv")
    assert by_get.content == by_post.content
    assert len(_rows(by_get)) == 3


@pytest.mark.parametrize("name", ["votable", "votable/td", "votable/b2"])
def test_votables_carry_the_metadata_of_the_catalogue(service: Service, name: str) -> None:
    """Astropy reads the rows with unit and UCD of each column, in every serialisation."""
    answer = service.sync("SELECT TOP 7 ra, mag_auto_g AS g, tilename FROM sim1.main", RESPONSEFORMAT=name)
    table = _votable(answer).get_first_table()
    assert [(field.name, str(field.unit), field.ucd) for field in table.fields] == [
        ("ra", "deg", "pos.eq.ra;meta.main"),
        ("g", "mag", table.fields[1].ucd),
        ("tilename", "None", "meta.id;obs.field"),
    ]
    assert "phot.mag" in table.fields[1].ucd
    assert len(table.array) == 7


def test_formats_agree(service: Service) -> None:
    """BINARY2, TABLEDATA, CSV and TSV say the same."""
    query = f"SELECT coadd_object_id, ra, dec, mag_auto_r FROM sim1.main WHERE {CONE} ORDER BY 1"
    binary, xml = (
        _votable(service.sync(query, FORMAT=name)).get_first_table().array
        for name in ("votable", "votable/td")
    )
    text = _rows(service.sync(query, FORMAT="csv"))
    tabbed = list(csv.reader(io.StringIO(service.sync(query, FORMAT="tsv").text), delimiter="\t"))[1:]
    assert len(text) > 0
    assert tabbed == text
    for name in binary.dtype.names:
        assert np.ma.allequal(binary[name], xml[name])
    assert [float(row[1]) for row in text] == binary["ra"].tolist()


def test_a_cone_finds_what_brute_force_finds(service: Service) -> None:
    """CONTAINS selects the same objects as the angle computed by NumPy over the whole table."""
    everything = _rows(service.sync("SELECT coadd_object_id, ra, dec FROM sim1.main", FORMAT="csv"))
    ids, ra, dec = (np.array(column, float) for column in zip(*everything, strict=True))
    ra, dec, ra0, dec0 = np.radians(ra), np.radians(dec), np.radians(0.2), np.radians(-40.3)
    half = np.sin((dec - dec0) / 2) ** 2 + np.cos(dec) * np.cos(dec0) * np.sin((ra - ra0) / 2) ** 2
    inside = set(ids[half <= np.sin(np.radians(0.1) / 2) ** 2])
    found = _rows(service.sync(f"SELECT coadd_object_id FROM sim1.main WHERE {CONE}", FORMAT="csv"))
    assert {float(row[0]) for row in found} == inside
    assert inside


@pytest.mark.parametrize(("maxrec", "rows", "status"), [(55, 55, ["OK"]), (54, 54, ["OK", "OVERFLOW"])])
def test_maxrec_is_exact(service: Service, maxrec: int, rows: int, status: list[str]) -> None:
    """A result of exactly MAXREC rows is complete; one row more is an overflow (TAP 1.1, 3.4)."""
    answer = service.sync("SELECT tilename FROM sim1.tile_info", MAXREC=maxrec)
    assert answer.status_code == 200
    assert len(_votable(answer).get_first_table().array) == rows
    assert _status(answer) == status


def test_the_origin_of_the_data_is_told(service: Service) -> None:
    """Who made them and on which terms, of the tables that were read and of no others (Data Origin 1.1)."""
    answer = service.sync("SELECT TOP 1 ra FROM sim1.main")
    infos = {info.name: info.value for info in _votable(answer).resources[0].infos}
    assert infos["rights_uri"] == "https://creativecommons.org/publicdomain/zero/1.0/"
    assert infos["server_software"].startswith("vo/")
    assert {"creator", "resource_version", "publisher", "request_date", "query"} <= set(infos)
    answer = service.sync("SELECT TOP 1 table_name FROM tap_schema.tables", FORMAT="json")
    assert "rights_uri" not in answer.json()["info"]


@pytest.mark.parametrize("name", ["csv", "tsv"])
@pytest.mark.parametrize(("maxrec", "told"), [(55, "false"), (54, "true"), (0, "true")])
def test_overflow_of_plain_text_is_told_in_the_header(
    service: Service, name: str, maxrec: int, told: str
) -> None:
    """CSV and TSV have no place for it; a result that is too large to know says how many rows may come."""
    answer = service.sync("SELECT tilename FROM sim1.tile_info", MAXREC=maxrec, FORMAT=name)
    assert len(answer.text.splitlines()) == maxrec + 1
    assert (answer.headers["vo-overflow"], answer.headers["vo-maxrec"]) == (told, str(maxrec))


def test_overflow_of_much_text_is_unknown_at_its_beginning(service: Service) -> None:
    """More than two blocks: the header is sent before the last row is seen, and says so."""
    answer = service.sync("SELECT * FROM sim1.main", MAXREC=10_000, FORMAT="csv")
    assert len(answer.content) > 3_000_000
    assert (answer.headers["vo-overflow"], answer.headers["vo-maxrec"]) == ("unknown", "10000")


@pytest.mark.parametrize(("maxrec", "cut"), [(10_000, True), (50_000, False)])
def test_overflow_of_much_text_is_told_afterwards(service: Service, maxrec: int, cut: bool) -> None:  # noqa: FBT001  a column of the table
    """The answer links to its status, which knows as soon as the last byte is there, and of no other job."""
    answer = service.sync("SELECT * FROM sim1.main", MAXREC=maxrec, FORMAT="csv")
    link = answer.links["status"]
    told = httpx.get(link["url"], timeout=60)
    assert told.headers["content-type"] == link["type"] == "application/json"
    rows = len(answer.text.splitlines()) - 1
    assert told.json() == {
        "job": answer.headers["x-job"],
        "phase": "COMPLETED",
        "rows": rows,
        "bytes": len(answer.content),
        "overflow": cut,
        "error": None,
    }
    assert (rows == maxrec) == cut
    assert "link" not in service.sync("SELECT TOP 1 ra FROM sim1.main", FORMAT="csv").headers
    job = service.start_job("SELECT TOP 1 ra FROM sim1.main").rpartition("/")[2]
    for unknown in (job, "x" * 16):
        assert service.get(f"/uws/sync/{unknown}").status_code == 404


def test_maxrec_0_gives_the_metadata_alone(service: Service) -> None:
    """MAXREC=0 describes the columns, says OVERFLOW and runs nothing (TAP 1.1, 2.7.4)."""
    answer = service.sync("SELECT ra, dec FROM sim1.main", MAXREC=0, FORMAT="votable/td")
    table = _votable(answer).get_first_table()
    assert [field.name for field in table.fields] == ["ra", "dec"]
    assert len(table.array) == 0
    assert _status(answer) == ["OK", "OVERFLOW"]


def test_maxrec_is_cut_to_the_limit(service: Service) -> None:
    """More rows than the service's limit are never sent; the cut is told."""
    query = "SELECT a.ra FROM sim1.main AS a, sim1.tile_info AS b"
    answer = service.sync(query, MAXREC=99999999)
    assert len(_votable(answer).get_first_table().array) == 50_000
    assert _status(answer)[-1] == "OVERFLOW"


BAD = [
    ({"QUERY": "SELECT ra FROM sim1.mian"}, 400, "sim1.main"),
    ({"QUERY": "SELECT raa FROM sim1.main"}, 400, "line 1, column 8"),
    ({"QUERY": "SELECT 1; SELECT 2"}, 400, ";"),
    ({"QUERY": "DROP TABLE sim1.main"}, 400, "DROP"),
    ({"QUERY": "COPY sim1.main TO '/tmp/x'"}, 400, "COPY"),
    ({"QUERY": "SELECT * FROM read_csv('/etc/passwd')"}, 400, "read_csv|table function"),
    ({"QUERY": "SELECT * FROM '/etc/passwd'"}, 400, ""),
    ({"QUERY": "PRAGMA database_list"}, 400, "PRAGMA"),
    ({"QUERY": "ATTACH '/tmp/x' AS y"}, 400, "ATTACH"),
    ({"QUERY": "SELECT * FROM duckdb_settings()"}, 400, ""),
    ({"QUERY": "SELECT * FROM information_schema.tables"}, 400, "information_schema"),
    ({"QUERY": "SELECT hpx29 FROM sim1.main"}, 400, "hpx29"),
    ({"QUERY": "SELECT ra FROM sim1.main", "LANG": "foo"}, 400, "unknown query language"),
    ({"QUERY": "SELECT ra FROM sim1.main", "LANG": "ADQL-3.0"}, 400, "unknown query language"),
    ({"QUERY": "SELECT ra FROM sim1.main", "MAXREC": "-1"}, 400, "MAXREC"),
    ({"QUERY": "SELECT ra FROM sim1.main", "MAXREC": "many"}, 400, "MAXREC"),
    ({"QUERY": "SELECT ra FROM sim1.main", "RESPONSEFORMAT": "foo"}, 400, "RESPONSEFORMAT"),
    ({"QUERY": "SELECT ra FROM sim1.main", "UPLOAD": "t,ftp://survey.example/t"}, 400, "upload"),
    ({"QUERY": ["SELECT 1", "SELECT 2"]}, 400, "QUERY"),
    ({"QUERY": ""}, 400, "QUERY"),
    ({}, 400, "QUERY"),
    ({"QUERY": "SELECT ra FROM sim1.main WHERE ra = 'a' || " + "b" * 300_000}, 413, "QUERY"),
]


@pytest.mark.parametrize(("params", "status", "words"), BAD, ids=range(len(BAD)))
def test_bad_requests_get_a_dali_document(
    service: Service, params: dict[str, str], status: int, words: str
) -> None:
    """The right HTTP status, a VOTable with QUERY_STATUS ERROR, and words that help (TAP 1.1, 3.3)."""
    answer = httpx.post(service.url + "/tap/sync", data={"LANG": "ADQL", **params}, timeout=60)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/x-votable+xml"
    infos = [info for info in _votable(answer).resources[0].infos if info.name == "QUERY_STATUS"]
    assert [info.value for info in infos] == ["ERROR"]
    assert any(word.lower() in infos[0].content.lower() for word in words.split("|"))
    assert "\x1b" not in infos[0].content


def test_a_body_of_10_megabytes_is_refused(service: Service) -> None:
    """A huge QUERY is answered by 413 and harms nobody."""
    answer = service.post("/tap/sync", LANG="ADQL", QUERY="SELECT " + "1," * 5_000_000)
    assert answer.status_code == 413
    assert service.sync("SELECT TOP 1 ra FROM sim1.main").status_code == 200


def test_unknown_parameters_are_ignored(service: Service) -> None:
    """Spurious parameters change nothing (TAP 1.1, 2.7)."""
    query = "SELECT TOP 1 tilename FROM sim1.tile_info ORDER BY tilename"
    plain = service.sync(query, FORMAT="csv")
    assert service.sync(query, FORMAT="csv", REQUEST="doQuery", spam="egg").content == plain.content


def test_a_failing_value_is_an_error_not_a_crash(service: Service) -> None:
    """What only the data can tell is still a 4xx document with the reason."""
    answer = service.sync("SELECT CAST(tilename AS INTEGER) AS n FROM sim1.tile_info")
    assert answer.status_code == 400
    assert _status(answer) == ["ERROR"]


def test_tap_schema_describes_itself_and_the_release(service: Service) -> None:
    """Every published column is a row of TAP_SCHEMA.columns, joined to its table by ADQL."""
    query = (
        "SELECT t.table_name, COUNT(*) AS n FROM TAP_SCHEMA.tables AS t "
        "JOIN TAP_SCHEMA.columns AS c ON t.table_name = c.table_name GROUP BY t.table_name"
    )
    counts = {name: int(count) for name, count in _rows(service.sync(query, FORMAT="csv"))}
    tables = pyvo.dal.TAPService(f"{service.url}/tap").tables
    assert counts == {name: len(tables[name].columns) for name in tables.keys()}  # noqa: SIM118  no mapping
    assert counts["sim1.main"] > 90


def test_every_example_runs(service: Service) -> None:
    """The queries of /tap/examples, as pyvo reads them, all succeed."""
    examples = pyvo.dal.TAPService(f"{service.url}/tap").examples
    assert len(examples) >= 8
    for example in examples:
        answer = service.sync(example["QUERY"], MAXREC=5)
        assert answer.status_code == 200, (example["QUERY"], answer.text)


def test_a_client_that_leaves_stops_its_query(service: Service) -> None:
    """The statement of a client that went away, which would run for hours, frees its place on the lane."""
    endless = "SELECT COUNT(*) AS n FROM sim1.main AS a, sim1.main AS b, sim1.main AS c WHERE a.ra < b.ra"
    for _ in range(3):  # more than the lane has workers
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(service.url + "/tap/sync", params={"LANG": "ADQL", "QUERY": endless}, timeout=1)
    assert service.sync("SELECT TOP 1 ra FROM sim1.main").status_code == 200


def test_pages_are_for_people(service: Service) -> None:
    """/ and /tap are HTML pages that name the TAP URL."""
    for path in ("/", "/tap", "/tap/examples"):
        answer = service.get(path)
        assert answer.headers["content-type"].startswith("text/html")
        assert f"{service.url}/tap" in answer.text


def test_unknown_resources_are_404(service: Service) -> None:
    """With a document that says so."""
    for path in ("/nothing", "/tap/nothing", "/tap/tables/sim1.nothing", "/tap/async/aaaabbbbccccdddd"):
        answer = service.get(path)
        assert answer.status_code == 404
        assert _status(answer) == ["ERROR"]
