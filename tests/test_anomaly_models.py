"""Models as things: kept, told of, fetched, sent, scored with at once and by jobs, and forgotten."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from anomaly_jobs import FEATURES, FEW, read_csv, result, run, scores_of, start
from astropy.io.votable import from_table, parse_single_table, writeto
from astropy.table import Table
from service import Service

QUERY = "SELECT * FROM sim1.main WHERE mag_auto_i < 21"
NAMES = ("g_r", "r_i", "mag_auto_i", "flux_radius_i")


@pytest.fixture(scope="module")
def job(service: Service) -> str:
    """A job whose model is kept in these tests."""
    return run(service, QUERY=QUERY, FEATURES=FEATURES, RESPONSEFORMAT="csv", MAXREC="50000", **FEW)


@pytest.fixture(scope="module")
def model(service: Service, job: str) -> str:
    """The path of a kept model."""
    answer = service.post("/anomaly/models", JOB=job.rpartition("/")[2], NAME="bright ones")
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].removeprefix(service.url)


def send(service: Service, content: bytes, **params: str) -> httpx.Response:
    """The answer to a model that is sent."""
    return httpx.post(f"{service.url}/anomaly/models", data=params, files={"MODEL": content}, timeout=60)


def score(service: Service, model: str, content: bytes, kind: str, **params: Any) -> httpx.Response:
    """The answer to rows that are sent."""
    headers = {"Content-Type": kind}
    return httpx.post(
        f"{service.url}{model}/score", params=params, content=content, headers=headers, timeout=60
    )


def rows() -> Table:
    """Some rows, one with a value that is missing."""
    random = np.random.default_rng(5)
    table = Table({name: random.normal(1.0, 1.0, 50) for name in NAMES})
    table["name"] = [f"row {i}" for i in range(50)]
    table["g_r"][7] = np.nan
    return table


def test_a_model_is_told_of(service: Service, model: str, job: str) -> None:
    """It says what it knows, where it came from and how long it is kept, and is on the list."""
    told = service.get(model).json()
    assert (told["name"], told["origin"]) == ("bright ones", job.rpartition("/")[2])
    assert told["features"] == list(NAMES)
    assert told["settings"]["ntrees"] == 20
    assert told["created"] < told["expires"]
    assert "account" not in told
    assert told["id"] in [each["id"] for each in service.get("/anomaly/models").json()["models"]]


def test_the_file_is_that_of_the_job(service: Service, model: str, job: str) -> None:
    """What is downloaded can be sent again, as Arrow and as Parquet, and scores the same."""
    content = service.get(f"{model}/file").content
    assert content == result(service, job, "model")
    parquet = io.BytesIO()
    pq.write_table(pa.ipc.open_file(content).read_all(), parquet)
    sent = json.dumps([dict.fromkeys(NAMES, 1.5)]).encode()
    wanted = score(service, model, sent, "application/json").json()
    for file in (content, parquet.getvalue()):
        answer = send(service, file, NAME="again")
        assert answer.status_code == 303, answer.text
        again = answer.headers["location"].removeprefix(service.url)
        assert score(service, again, sent, "application/json").json()["data"] == wanted["data"]
        assert service.get(again).json()["features"] == list(NAMES)


def _plain(table: Table) -> dict[str, list[Any]]:
    columns = {name: table[name].tolist() for name in table.colnames}
    return {name: [None if _is_nan(value) else value for value in column] for name, column in columns.items()}


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _json(content: object) -> bytes:
    return json.dumps(content).encode()


def _written(table: Table, **form: str) -> bytes:
    file: Any = io.StringIO() if form["format"] == "ascii.csv" else io.BytesIO()
    table.write(file, **form)
    content: Any = file.getvalue()
    return content.encode() if isinstance(content, str) else content


def _votable(table: Table) -> bytes:
    file = io.BytesIO()
    writeto(from_table(table), file)
    return file.getvalue()


def _parquet(table: Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(_plain(table)), file)
    return file.getvalue()


KINDS: dict[str, tuple[str, Callable[[Table], bytes]]] = {
    "csv": ("text/csv", lambda table: _written(table, format="ascii.csv")),
    "votable": ("application/x-votable+xml", _votable),
    "fits": ("application/fits", lambda table: _written(table, format="fits")),
    "parquet": ("application/vnd.apache.parquet", _parquet),
    "json rows": ("application/json", lambda table: _json(pa.table(_plain(table)).to_pylist())),
    "json columns": ("application/json", lambda table: _json(_plain(table))),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_any_kind_are_scored(service: Service, model: str, kind: str) -> None:
    """Each kind of table gives the scores that a walk over the model gives, in the order of its rows."""
    media_type, written = KINDS[kind]
    table = rows()
    answer = score(service, model, written(table), media_type, RESPONSEFORMAT="csv")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    found = read_csv(answer.content)
    assert [row["name"].strip() for row in found] == list(table["name"])
    wanted = scores_of(service.get(f"{model}/file").content, [np.array(table[name]) for name in NAMES])
    assert [float(row["score"]) for row in found] == pytest.approx(wanted, abs=1e-6)


def test_scores_come_with_reasons(service: Service, model: str) -> None:
    """EXPLAIN=1 adds the part of each feature, which add up to the whole; VOTable is the default."""
    content = _written(rows(), format="ascii.csv")
    answer = score(service, model, content, "text/csv", EXPLAIN=1)
    table = parse_single_table(io.BytesIO(answer.content)).to_table()
    assert table.colnames == ["name", "score", *(f"contribution_{name}" for name in NAMES)]
    total = sum(np.asarray(table[f"contribution_{name}"], float) for name in NAMES)
    assert total == pytest.approx(np.ones(50), abs=1e-5)


def test_a_file_in_a_form_is_scored(service: Service, model: str) -> None:
    """A form with one file is taken as well, as browsers and curl -F send it."""
    files = {"rows": ("rows.csv", _written(rows(), format="ascii.csv"), "text/csv")}
    url, params = f"{service.url}{model}/score", {"RESPONSEFORMAT": "csv"}
    assert len(read_csv(httpx.post(url, data=params, files=files, timeout=60).content)) == 50


def test_a_job_scores_with_a_model(service: Service, model: str, job: str) -> None:
    """MODEL in place of a new forest: the same scores for the same objects, features as they were grown."""
    found = run(service, QUERY=QUERY, MODEL=model.rpartition("/")[2], RESPONSEFORMAT="csv", MAXREC="50000")
    assert result(service, found) == result(service, job)
    other = run(
        service,
        QUERY=QUERY.replace("21", "20"),
        MODEL=model.rpartition("/")[2],
        FEATURES="flux_radius_i, mag_auto_i, mag_auto_g - mag_auto_r AS G_R, mag_auto_r - mag_auto_i AS r_i",
        RESPONSEFORMAT="csv",
    )
    known = {row["coadd_object_id"]: row["score"] for row in read_csv(result(service, job))}
    some = read_csv(result(service, other))
    assert {row["coadd_object_id"]: row["score"] for row in some}.items() <= known.items()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"MODEL": "none"}, "There is no model"),
        ({"MODEL": "../../../../etc/passwd"}, "There is no model"),
        ({"FEATURES": "ra, dec"}, "FEATURES must be those of the model"),
        ({"QUERY": "SELECT ra, dec FROM sim1.main"}, "mag_auto_g - mag_auto_r"),
    ],
)
def test_a_job_without_its_model_fails(
    service: Service, model: str, params: dict[str, str], words: str
) -> None:
    """A model that is not there, or is of other features, is told."""
    found = start(service, **{"QUERY": QUERY, "MODEL": model.rpartition("/")[2], **params})
    assert service.await_phase(found, "COMPLETED", "ERROR") == "ERROR"
    assert words in service.get(f"{found}/error").text


def _broken(service: Service, model: str) -> dict[str, bytes]:
    content = service.get(f"{model}/file").content
    table = pa.ipc.open_file(content).read_all()

    def changed(name: str, value: float) -> bytes:
        rows = table.column(name).to_pylist()
        rows[0][0] = value
        kind = table.schema.field(name).type
        other = table.set_column(table.schema.get_field_index(name), name, pa.array(rows, kind))
        return _arrow(other)

    def told(**fields: Any) -> bytes:
        metadata = json.loads(table.schema.metadata[b"vo.forest"])
        words = json.dumps({**metadata, **fields}).encode()
        return _arrow(table.replace_schema_metadata({b"vo.forest": words}))

    settings = json.loads(table.schema.metadata[b"vo.forest"])["settings"]
    return {
        "no file": b"",
        "text": b"import os",
        "pickle": b"\x80\x04\x95\x00",
        "cut short": content[: len(content) // 2],
        "another table": _arrow(pa.table({"x": [1, 2]})),
        "no number": changed("weights", float("nan")),
        "feature out of range": changed("features", 10**6),
        "negative feature": changed("features", -1),
        "a count": changed("counts", 5),
        "no trees": _arrow(table.slice(0, 0)),
        "deeper trees": told(settings={**settings, "depth_limit": 16}),
        "names": told(names=["x"]),
        "scale": told(centre=[1e999, 0, 0, 0]),
        "policy": told(missing=["burn"] * 4),
    }


def _arrow(table: pa.Table) -> bytes:
    file = io.BytesIO()
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()


def test_what_is_no_model_is_refused(service: Service, model: str) -> None:
    """Files that are cut, changed or something else are told as such, and nothing is kept."""
    before = service.get("/anomaly/models").json()["models"]
    for what, content in _broken(service, model).items():
        answer = send(service, content)
        assert answer.status_code == 400, (what, answer.status_code, answer.text)
        assert "reference" not in answer.text, what
    for params in ({}, {"JOB": "none"}, {"JOB": "a" * 16}):
        assert service.post("/anomaly/models", **params).status_code in (400, 404)
    assert service.get("/anomaly/models").json()["models"] == before


@pytest.mark.parametrize(
    ("content", "kind", "status", "words"),
    [
        (b"", "text/csv", 400, "empty"),
        (b"a,b\n1,2\n", "text/csv", 400, "has no column g_r"),
        (b"g_r,r_i,mag_auto_i,flux_radius_i\n1,x,2,3\n", "text/csv", 400, "must be a number"),
        (b"g_r,r_i,mag_auto_i,flux_radius_i\n", "text/csv", 400, ""),
        (b"{", "application/json", 400, "JSON"),
        (b"7", "application/json", 400, "JSON"),
        (b"[]", "application/json", 400, "no rows"),
        (b'{"g_r": [1], "r_i": [1, 2]}', "application/json", 400, "JSON"),
        (b"\x00\x01", "application/octet-stream", 400, "no kind that is read"),
    ],
)
def test_bad_rows_are_told(
    service: Service, model: str, content: bytes, kind: str, status: int, words: str
) -> None:
    """What is wrong with rows that are sent is said in the answer."""
    answer = score(service, model, content, kind)
    assert answer.status_code == status, answer.text
    assert words in answer.text
    assert "reference" not in answer.text


def test_a_model_is_kept_until_it_expires_or_is_deleted(service: Service, job: str) -> None:
    """Its end can be set; what is deleted is gone, also for its address."""
    answer = service.post("/anomaly/models", JOB=job.rpartition("/")[2], EXPIRES="2027-01-02T00:00:00Z")
    one = answer.headers["location"].removeprefix(service.url)
    assert service.get(one).json()["expires"].startswith("2027-01-02T00:00:00")
    assert service.post(one, EXPIRES="2027-02-01").status_code == 303
    assert service.get(one).json()["expires"].startswith("2027-02-01")
    assert service.post(one, EXPIRES="never").status_code == 400
    assert service.post(one).status_code == 400
    assert httpx.delete(service.url + one).status_code == 303
    for path in (one, f"{one}/file"):
        assert service.get(path).status_code == 404
    assert score(service, one, b"[]", "application/json").status_code == 404
    past = service.post("/anomaly/models", JOB=job.rpartition("/")[2], EXPIRES="2020-01-01")
    assert service.get(past.headers["location"].removeprefix(service.url)).status_code == 404
