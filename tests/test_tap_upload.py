"""TAP_UPLOAD (TAP 1.1, 2.7.6), through the door of a running service: tables of every kind come and go."""

from __future__ import annotations

import base64
import csv
import io
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest
import pyvo
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io.votable import parse
from astropy.table import MaskedColumn, Table
from astropy.time import Time
from hypothesis import HealthCheck, given, settings
from lxml import etree
from service import Service, serving, small_sample
from votable_tables import EVERYTHING, record_batch, same, tables, written
from votable_tables import Table as Values

from vo.catalog import Column

COLUMNS = tuple(EVERYTHING)
BATCH = record_batch(COLUMNS, list(EVERYTHING.values()))
UNIQUE = [i for i, column in enumerate(COLUMNS) if column.name != "name" or column.datatype == "char"]


def post(
    service: Service, query: str, upload: str | list[str], files: dict[str, bytes], **more: Any
) -> httpx.Response:
    """A query with its files, as clients send them; `path` may lead elsewhere than to /tap/sync."""
    path = more.pop("path", "/tap/sync")
    data = {"QUERY": query, "LANG": "ADQL", "RESPONSEFORMAT": "csv", "UPLOAD": upload, **more}
    parts = {name: (name, content, "application/octet-stream") for name, content in files.items()}
    return httpx.post(f"{service.url}{path}", data=data, files=parts, timeout=60)


def rows(answer: httpx.Response) -> list[list[str]]:
    """The rows of an answer in CSV."""
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.text)))[1:]


def two_by_two(kind: str) -> bytes:
    """The same small table in each kind of file."""
    columns = (Column("id", "long"), Column("Wert B-V", "double", unit="mag"))
    batch = record_batch(columns, [[7, None], [1.5, None]])
    return written(kind, batch, columns)


@pytest.mark.parametrize("kind", ["votable", "votable/b", "votable/td", "fits", "csv", "tsv", "parquet"])
def test_every_kind_of_file_is_read(service: Service, kind: str) -> None:
    """The same rows, NULLs included, and a column whose name has to be delimited."""
    missing = "CASE WHEN id IS NULL THEN 1 ELSE 0 END AS missing"
    query = f'SELECT id, "Wert B-V" AS bv, {missing} FROM TAP_UPLOAD.mine ORDER BY missing'
    first, second = rows(post(service, query, "mine,param:table1", {"table1": two_by_two(kind)}))
    assert first == ["7", "1.5", "0"]
    assert second in (["", "", "1"], ["", "NaN", "1"])  # not all kinds tell NULL from NaN


def fits_in_votable(table: Table, fields: str) -> bytes:
    """A VOTable whose rows are in a FITS file within, which astropy wrote (VOTable 1.4, 5.2)."""
    file = io.BytesIO()
    table.write(file, format="fits")
    rows = base64.encodebytes(file.getvalue()).decode()
    return (
        f'<VOTABLE version="1.4"><RESOURCE><TABLE>{fields}<DATA><FITS extnum="1">'
        f'<STREAM encoding="base64">{rows}</STREAM></FITS></DATA></TABLE></RESOURCE></VOTABLE>'
    ).encode()


FIELDS = '<FIELD name="nr" datatype="long"/><FIELD name="B-V" datatype="double" unit="mag" ucd="phot.color"/>'


def test_fits_within_a_votable_is_read(service: Service) -> None:
    """The names and metadata are those of the VOTable, the values those of the FITS table, NULL included."""
    values = Table({"a": MaskedColumn([2**62, 5], mask=[False, True]), "b": [1.5, -0.25]})
    values["a"].fill_value = -99
    answer = post(
        service,
        'SELECT nr, "B-V" FROM TAP_UPLOAD.t ORDER BY "B-V" DESC',
        "t,param:t",
        {"t": fits_in_votable(values, FIELDS)},
        RESPONSEFORMAT="votable/td",
    )
    assert answer.status_code == 200, answer.text
    table = parse(io.BytesIO(answer.content)).get_first_table()
    assert [(field.datatype, field.unit, field.ucd) for field in table.fields][1] == (
        "double",
        "mag",
        "phot.color",
    )
    assert table.array["nr"].tolist() == [2**62, None]
    assert table.array["B-V"].tolist() == [1.5, -0.25]


def test_fits_within_a_votable_has_the_columns_that_it_declares(service: Service) -> None:
    """One FIELD for two columns is refused, in words of the table."""
    document = fits_in_votable(Table({"a": [1], "b": [2.0]}), '<FIELD name="nr" datatype="long"/>')
    answer = post(service, "SELECT * FROM TAP_UPLOAD.t", "t,param:t", {"t": document})
    assert answer.status_code == 400
    assert "declares 1 columns" in answer.text


@pytest.mark.parametrize("kind", ["votable/b2", "parquet"])
def test_all_types_come_back_exactly(service: Service, kind: str) -> None:
    """Every type with its extremes, metadata and NULLs: what goes in comes out (TAP 1.1, 2.7.6)."""
    columns = tuple(COLUMNS[i] for i in UNIQUE)
    document = written(kind, BATCH.select(UNIQUE), columns)
    answer = post(service, "SELECT * FROM TAP_UPLOAD.t", "t,param:t", {"t": document}, RESPONSEFORMAT="arrow")
    assert answer.status_code == 200, answer.text
    table = pa.ipc.open_stream(answer.content).read_all()
    assert table.column_names == [column.name for column in columns]
    for column, sent, got in zip(columns, BATCH.select(UNIQUE).columns, table.columns, strict=True):
        assert same(got.to_pylist(), sent.to_pylist()), column
    fields = parse(io.BytesIO(table.schema.metadata[b"votable"])).get_first_table().fields
    assert [(f.datatype, f.xtype, f.ucd, f.description) for f in fields] == [
        (c.datatype, c.xtype, c.ucd, c.description) for c in columns
    ]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(table=tables())
def test_any_table_comes_back_exactly(service: Service, table: Values) -> None:
    """Any columns and values, in BINARY2, survive the way in and the way out."""
    columns, values = table
    batch = record_batch(columns, values)
    document = written("votable/b2", batch, columns)
    answer = post(service, "SELECT * FROM TAP_UPLOAD.t", "t,param:t", {"t": document}, RESPONSEFORMAT="arrow")
    assert answer.status_code == 200, answer.text
    read = pa.ipc.open_stream(answer.content).read_all()
    for sent, got in zip(batch.columns, read.columns, strict=True):
        assert same(got.to_pylist(), sent.to_pylist())


def test_pyvo_uploads_a_table_of_astropy(service: Service) -> None:
    """The customary way: positions of a list matched with the catalogue, as astropy matches them."""
    tap = pyvo.dal.TAPService(f"{service.url}/tap")
    catalogue = tap.run_sync("SELECT ra, dec, coadd_object_id FROM sim1.main", maxrec=100_000).to_table()
    chosen = catalogue[:: max(1, len(catalogue) // 50)]
    mine = Table(
        {
            "number": np.arange(len(chosen)),
            "ra": np.asarray(chosen["ra"]) + 1e-5,
            "dec": np.asarray(chosen["dec"]),
            "size": MaskedColumn(np.arange(len(chosen)), mask=np.arange(len(chosen)) % 2 == 0),
            "seen": Time("2026-01-01") + np.arange(len(chosen)) * units.day,
        }
    )
    mine["seen"] = mine["seen"].isot
    query = (
        'SELECT m.number, m."size", c.coadd_object_id FROM sim1.main AS c JOIN TAP_UPLOAD.mine AS m'
        " ON DISTANCE(POINT(m.ra, m.dec), POINT(c.ra, c.dec)) < 1.0/3600 ORDER BY m.number"
    )
    found = tap.run_sync(query, uploads={"mine": mine}).to_table()
    there = SkyCoord(catalogue["ra"], catalogue["dec"], unit="deg")
    here = SkyCoord(mine["ra"], mine["dec"], unit="deg")
    left, right = np.nonzero(here[:, None].separation(there[None, :]) < 1 * units.arcsec)
    pairs = sorted(zip(left.tolist(), catalogue["coadd_object_id"][right].tolist(), strict=True))
    assert sorted(zip(found["number"].tolist(), found["coadd_object_id"].tolist(), strict=True)) == pairs
    assert len(pairs) >= len(chosen)
    assert found["size"].mask.tolist() == (np.asarray(found["number"]) % 2 == 0).tolist()


def test_an_async_job_keeps_its_file_and_can_be_run_again(service: Service) -> None:
    """The parameter is shown by reference, gives the file back, and a second run has it too."""
    query = "SELECT COUNT(*) AS n FROM TAP_UPLOAD.mine"
    answer = post(
        service, query, "mine,param:f1", {"f1": two_by_two("votable")}, path="/tap/async", PHASE="RUN"
    )
    job = answer.headers["location"].removeprefix(service.url)
    assert service.await_phase(job, "COMPLETED", "ERROR") == "COMPLETED"
    assert service.get(f"{job}/results/result").text.split() == ["n", "2"]
    [shown] = etree.fromstring(service.get(job).content).xpath("//*[@id='f1']")
    assert (shown.get("byReference"), shown.text) == ("true", f"{service.url}{job}/parameters/f1")
    assert service.get(f"{job}/parameters/f1").content == two_by_two("votable")
    again = httpx.post(f"{service.url}{job}/rerun").headers["location"].removeprefix(service.url)
    assert httpx.delete(f"{service.url}{job}").status_code == 303
    assert service.await_phase(again, "COMPLETED", "ERROR") == "COMPLETED"
    assert service.get(f"{again}/results/result").text.split() == ["n", "2"]


@pytest.mark.parametrize("kind", ["votable", "fits", "parquet", "csv"])
def test_the_result_of_a_job_is_a_table_of_the_next(service: Service, kind: str) -> None:
    """UPLOAD=name,job:id: what an earlier job left is queried like a table that was sent."""
    job = service.start_job("SELECT TOP 100 coadd_object_id, ra, dec FROM sim1.main", FORMAT=kind)
    assert service.await_phase(job, "COMPLETED", "ERROR") == "COMPLETED"
    query = "SELECT COUNT(*) FROM TAP_UPLOAD.t AS t JOIN sim1.main AS m USING (coadd_object_id)"
    answer = service.sync(query, UPLOAD=f"t,job:{job.rpartition('/')[2]}", FORMAT="csv")
    assert rows(answer) == [["100"]]


def test_a_job_without_a_table_is_refused(service: Service) -> None:
    """A job that is not there, has failed, or left what cannot be read, is told as such."""
    query = "SELECT * FROM TAP_UPLOAD.t"
    failed = service.start_job("SELECT nothing FROM sim1.main")
    page = service.start_job("SELECT TOP 1 ra FROM sim1.main", FORMAT="html")
    for job in (failed, page):
        service.await_phase(job, "COMPLETED", "ERROR")
    told = {
        "a" * 16: "no job",
        "../../etc": "no job",
        failed.rpartition("/")[2]: "is ERROR and has no result",
        page.rpartition("/")[2]: "no result that can be read",
    }
    for job_id, words in told.items():
        answer = service.sync(query, UPLOAD=f"t,job:{job_id}")
        assert answer.status_code in (400, 404)
        assert words in answer.text


def test_a_query_is_judged_with_its_tables(service: Service) -> None:
    """/tap/check knows the columns of what is sent, and of what a job has; a plan says why there is none."""
    files = {"f": two_by_two("votable")}
    query = 'SELECT "Wert B-V" AS bv FROM TAP_UPLOAD.mine'
    form = {"path": "/tap/check", "RESPONSEFORMAT": "json"}
    told = post(service, query, "mine,param:f", files, **form).json()
    assert [(column["name"], column["unit"]) for column in told["columns"]] == [("bv", "mag")]
    wrong = post(service, query.replace("Wert", "Wort"), "mine,param:f", files, **form)
    assert wrong.status_code == 400
    assert "Wert B-V" in wrong.json()["problems"][0]["suggestion"]
    job = post(service, query, "mine,param:f", files, path="/tap/async").headers["location"]
    judged = httpx.get(f"{job}/check", params={"RESPONSEFORMAT": "json"})
    assert [column["name"] for column in judged.json()["columns"]] == ["bv"]
    plan = httpx.get(f"{job}/plan")
    assert (plan.status_code, "no plan before it runs" in plan.text) == (400, True)
    assert "no file part" in post(service, query, "mine,param:g", files, **form).text


def test_several_tables_and_their_joins(service: Service) -> None:
    """Two tables of one request, named in one parameter or in two; names do not depend on case."""
    files = {"a": b"id,x\n1,10\n2,20\n", "b": b"id,y\n2,200\n3,300\n"}
    query = "SELECT one.id, x, y FROM tap_upload.One AS one JOIN TAP_UPLOAD.TWO AS two ON one.id = two.id"
    for upload in ("one,param:a;two,param:b", ["one,param:a", "two,param:b"]):
        assert rows(post(service, query, upload, files)) == [["2", "20", "200"]]


def test_nothing_stays(service: Service) -> None:
    """Nobody else sees an uploaded table, and a sync query leaves no file."""
    first = post(service, "SELECT COUNT(*) FROM TAP_UPLOAD.t", "t,param:t", {"t": b"a\n1\n"})
    assert rows(first) == [["1"]]
    second = service.sync("SELECT COUNT(*) FROM TAP_UPLOAD.t")
    assert second.status_code == 400
    assert "TAP_UPLOAD" in second.text
    assert "TAP_UPLOAD" not in service.get("/tap/tables").text
    results = service.data / "results"
    assert not [path for path in results.glob("*/upload.t") if path.stat().st_size == len(b"a\n1\n")]


VOTABLE = written("votable/td", record_batch((Column("a", "int"),), [[1]]), (Column("a", "int"),)).decode()
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    "<VOTABLE>&b;</VOTABLE>"
)
_FIELDS = "".join(f'<FIELD name="c{i}" datatype="int"/>' for i in range(2_500))
MANY = f"<VOTABLE><RESOURCE><TABLE>{_FIELDS}</TABLE></RESOURCE></VOTABLE>".encode()
TWICE = VOTABLE.replace("<DATA>", '<FIELD name="a" datatype="int"/><DATA>').encode()
BAD_FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "empty"),
    "no table": (b"<VOTABLE><RESOURCE/></VOTABLE>", "no such table"),
    "cut off": (VOTABLE[: VOTABLE.index("</TR>")].encode(), "ends within"),
    "not XML": (b"<VOTABLE><RESOURCE><TABLE", "well-formed"),
    "entities": (BOMB.encode(), "document type"),
    "wrong value": (VOTABLE.replace("<TD>1<", "<TD>one<").encode(), "one"),
    "two names": (TWICE, "called 'a'"),
    "many columns": (MANY, "2,500 columns"),
    "cut FITS": (two_by_two("fits")[:-2880], "cut off"),
    "cut Parquet": (two_by_two("parquet")[:-10], "Parquet"),
    "compressed": (b"\x1f\x8b" + b"x" * 100, "no kind that is read"),
    "ragged CSV": (b"a,b\n1,2\n3\n", "row 2"),
    "text in numbers": (b"a\n" + b"1\n" * 70_000 + b"x\n", "Row 70001, column a"),
}


@pytest.mark.parametrize("what", BAD_FILES)
def test_a_bad_file_is_refused_by_name(service: Service, what: str) -> None:
    """A clear error that names the table and the place; the service goes on."""
    content, told = BAD_FILES[what]
    answer = post(service, "SELECT * FROM TAP_UPLOAD.mine", "mine,param:f", {"f": content})
    assert answer.status_code in (400, 413), answer.text
    message = parse(io.BytesIO(answer.content)).resources[0].infos[0].content
    assert message.startswith("UPLOAD mine: ")
    assert told in message, message


BAD_UPLOADS = {
    "mine": "pairs",
    "mine,": "pairs",
    "1mine,param:f": "cannot name a table",
    "a.b,param:f": "cannot name a table",
    "mine,param:other": "no file part",
    "mine,file:///etc/passwd": "neither",
    "mine,ftp://example.org/t.vot": "neither",
    "mine,http://127.0.0.1:1/t.vot": "no public address",
    "mine,https://localhost/t.vot": "no public address",
    "mine,http://[::1]/t.vot": "no public address",
    "mine,http://169.254.169.254/latest/meta-data": "no public address",
    "mine,http://2130706433/": "no public address",
    "mine,http://": "no URL",
    "mine,param:f;MINE,param:f": "2 times",
    ";".join(f"t{i},param:f" for i in range(17)): "17 tables",
}


@pytest.mark.parametrize("upload", BAD_UPLOADS)
def test_a_bad_parameter_is_refused(service: Service, upload: str) -> None:
    """The message says what UPLOAD must look like."""
    answer = post(service, "SELECT * FROM TAP_UPLOAD.mine", upload, {"f": b"a\n1\n"})
    assert answer.status_code == 400
    assert BAD_UPLOADS[upload] in answer.text


class _Redirect(SimpleHTTPRequestHandler):
    """A file, and ways that lead elsewhere."""

    def do_GET(self) -> None:
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "http://localhost:1/secret")
            self.end_headers()
        elif self.path == "/round":
            self.send_response(301)
            self.send_header("Location", "/round")
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def website(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A web server with a table."""
    root = tmp_path_factory.mktemp("website")
    (root / "t.vot").write_bytes(two_by_two("votable"))
    (root / "large.csv").write_bytes(b"a\n" + b"1\n" * 60_000)
    (root / "long.csv").write_bytes(b"a\n" + b"1\n" * 1_500)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Redirect, directory=str(root))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def fetching(tmp_path_factory: pytest.TempPathFactory, website: str) -> Iterator[Service]:
    """A service that fetches from that server, with small limits."""
    limits = {"VO_UPLOAD_BYTES": "100000", "VO_UPLOAD_ROWS": "1000"}
    data = small_sample(tmp_path_factory.mktemp("fetching"))
    with serving(data, VO_UPLOAD_FROM=website, **limits) as service:
        yield service


def test_a_table_is_fetched_from_an_allowed_host(fetching: Service, website: str) -> None:
    """UPLOAD with a URL (TAP 1.1, 2.7.6), advertised in the capabilities."""
    upload = f"t,http://{website}/t.vot"
    answer = fetching.sync("SELECT COUNT(*) FROM TAP_UPLOAD.t", UPLOAD=upload, FORMAT="csv")
    assert rows(answer) == [["2"]]
    capabilities = fetching.get("/tap/capabilities").text
    assert "TAPRegExt#upload-http" in capabilities
    assert "TAPRegExt#upload-inline" in capabilities


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://{}/away", "fetches no tables from localhost"),
        ("http://{}/round", "redirected too often"),
        ("http://{}/nothing", "404"),
        ("http://{}/large.csv", "100,000 bytes"),
        ("http://{}/long.csv", "more than 1,000 rows"),
        ("http://localhost:{port}/t.vot", "fetches no tables"),
        ("http://169.254.169.254/latest", "fetches no tables"),
        ("http://[::1]:{port}/t.vot", "fetches no tables"),
    ],
)
def test_other_places_are_refused(fetching: Service, website: str, url: str, told: str) -> None:
    """Neither redirections nor names lead to hosts that are not allowed; limits hold for what is fetched."""
    target = url.replace("{port}", website.partition(":")[2]).replace("{}", website)
    answer = fetching.sync("SELECT * FROM TAP_UPLOAD.t", UPLOAD=f"t,{target}")
    assert answer.status_code in (400, 413)
    assert told in answer.text
