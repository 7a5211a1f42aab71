"""Anomaly detection through the door: what comes out is what the forest says, and bad input is told."""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from anomaly_jobs import FEATURES, FEW, read_csv, result, run, scores_of, start
from astropy.io.votable import parse_single_table
from astropy.table import Table
from PIL import Image
from service import Service

QUERY = "SELECT * FROM sim1.main WHERE mag_auto_i < 22"


@pytest.fixture(scope="module")
def job(service: Service) -> str:
    """A job with colours, a magnitude and a size, all of whose rows are in its table."""
    return run(service, QUERY=QUERY, FEATURES=FEATURES, RESPONSEFORMAT="csv", MAXREC="50000", TOP="25", **FEW)


def test_scores_are_those_of_the_model(service: Service, job: str) -> None:
    """A walk over the downloaded trees, apart from all code of the service, gives the scores of the table."""
    rows = read_csv(result(service, job))
    some = [*rows[:40], *rows[-40:]]
    columns = [
        np.array([float(row[name] or "nan") for row in some])
        for name in ("g_r", "r_i", "mag_auto_i", "flux_radius_i")
    ]
    found = scores_of(result(service, job, "model"), columns)
    assert found == pytest.approx([float(row["score"]) for row in some], abs=1e-6)


def test_rows_are_ranked(service: Service, job: str) -> None:
    """Every object of the query is there once, the strangest first, as many anomalies as TOP."""
    rows = read_csv(result(service, job))
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert [int(row["rank"]) for row in rows] == list(range(1, len(rows) + 1))
    assert [row["anomaly"] for row in rows[:26]] == ["true"] * 25 + ["false"]
    known = read_csv(service.sync(QUERY.replace("*", "coadd_object_id"), FORMAT="csv", MAXREC=50000).content)
    assert {row["coadd_object_id"] for row in rows} == {row["coadd_object_id"] for row in known}
    assert len(rows) == len(known)


def test_features_are_as_the_query_has_them(service: Service, job: str) -> None:
    """An expression in FEATURES is that of ADQL, row by row; NULL stays NULL in the table."""
    rows = {row["coadd_object_id"]: row for row in read_csv(result(service, job))}
    query = "SELECT coadd_object_id, ra, mag_auto_g - mag_auto_r AS g_r FROM sim1.main WHERE mag_auto_i < 22"
    for row in read_csv(service.sync(query, FORMAT="csv", MAXREC=50000).content):
        mine = rows[row["coadd_object_id"]]
        assert mine["ra"] == row["ra"]
        assert (mine["g_r"] == "") == (row["g_r"] == "")
        if row["g_r"]:
            assert float(mine["g_r"]) == pytest.approx(float(row["g_r"]), abs=1e-6)


def test_the_summary_tells_of_all_rows(service: Service, job: str) -> None:
    """Quantiles, the histogram and the threshold are those of the table."""
    rows = read_csv(result(service, job))
    scores = np.array([float(row["score"]) for row in rows])
    told = json.loads(result(service, job, "summary"))
    assert told["objects"] == len(rows)
    assert told["anomalies"] == 25
    assert told["threshold"] == scores[24]
    assert (told["score"]["least"], told["score"]["greatest"]) == (scores[-1], scores[0])
    for level, value in told["score"]["quantiles"].items():
        assert value == pytest.approx(np.quantile(scores, float(level), method="inverted_cdf"), abs=1e-12)
    histogram = told["score"]["histogram"]
    counts, _ = np.histogram(scores, bins=np.linspace(0, 1, histogram["bins"] + 1))
    assert histogram["counts"] == counts[histogram["first"] :][: len(histogram["counts"])].tolist()
    assert sum(histogram["counts"]) == len(rows)
    assert told["parameters"]["NTREES"] == 20
    assert set(told["timings_s"]) >= {"read", "grow", "score"}


def test_the_same_request_has_the_same_results(service: Service, job: str) -> None:
    """Table and model are the same to the byte, and another seed makes another forest."""
    params = {"QUERY": QUERY, "FEATURES": FEATURES, "RESPONSEFORMAT": "csv", "MAXREC": "50000", "TOP": "25"}
    again = run(service, **params, **FEW)
    assert result(service, again) == result(service, job)
    assert result(service, again, "model") == result(service, job, "model")
    other = run(service, **params, **FEW, SEED="1")
    assert result(service, other, "model") != result(service, job, "model")


READERS: dict[str, Callable[[bytes], Any]] = {
    "votable": lambda content: parse_single_table(io.BytesIO(content)).to_table()["score"],
    "votable/td": lambda content: parse_single_table(io.BytesIO(content)).to_table()["score"],
    "fits": lambda content: Table.read(io.BytesIO(content), format="fits")["score"],
    "csv": lambda content: Table.read(io.BytesIO(content), format="ascii.csv")["score"],
    "tsv": lambda content: Table.read(io.BytesIO(content), format="ascii.tab")["score"],
    "parquet": lambda content: pq.read_table(io.BytesIO(content))["score"].to_pylist(),
    "arrow": lambda content: pa.ipc.open_stream(content).read_all()["score"].to_pylist(),
}


@pytest.mark.parametrize("form", READERS)
def test_every_format_has_the_table(service: Service, form: str) -> None:
    """The table comes in the formats of all other services."""
    found = run(
        service, QUERY="SELECT TOP 300 * FROM sim1.main", RESPONSEFORMAT=form, FEATURES=FEATURES, **FEW
    )
    scores = list(READERS[form](result(service, found)))
    assert len(scores) == 300
    assert scores == sorted(scores, reverse=True)


def test_a_query_is_enough(service: Service) -> None:
    """Without further words the measured numbers are the features, and UCDs tell what names an object."""
    query = (
        "SELECT TOP 2000 coadd_object_id, tilename, ra, dec, mag_auto_g, mag_auto_r, flags_g FROM sim1.main"
    )
    found = run(service, QUERY=query)
    table = parse_single_table(io.BytesIO(result(service, found))).to_table()
    assert table.colnames[:7] == ["coadd_object_id", "ra", "dec", "mag_auto_g", "mag_auto_r", "score", "rank"]
    assert len(table) == 2000
    assert str(table["mag_auto_g"].unit) == "mag"
    told = json.loads(result(service, found, "summary"))
    assert told["anomalies"] == 100


@pytest.mark.parametrize(
    ("cut", "share"), [({"THRESHOLD": "0.6"}, None), ({"CONTAMINATION": "0.013"}, 0.013)]
)
def test_anomalies_by_score_or_share(service: Service, cut: dict[str, str], share: float | None) -> None:
    """THRESHOLD takes all from that score on, CONTAMINATION that part of all rows, rounded up."""
    query = "SELECT TOP 999 * FROM sim1.main"
    found = run(service, QUERY=query, FEATURES="mag_auto_g, mag_auto_r", RESPONSEFORMAT="csv", **cut, **FEW)
    rows = read_csv(result(service, found))
    strange = sum(row["anomaly"] == "true" for row in rows)
    wanted = sum(float(row["score"]) >= 0.6 for row in rows) if share is None else 13
    assert strange == wanted > 0


def test_rows_without_values_are_left_out_on_request(service: Service) -> None:
    """MISSING=drop scores no row that lacks a value, for all features or for one."""
    query = "SELECT TOP 3000 coadd_object_id, wavg_mag_psf_g AS a, wavg_mag_psf_y AS b FROM sim1.main"
    counts = read_csv(
        service.sync(
            f"SELECT COUNT(*) AS n, COUNT(a) AS a, COUNT(a + b) AS a_b FROM ({query}) AS q", FORMAT="csv"
        ).content
    )[0]
    for missing, wanted in (("branch", "n"), ("drop", "a_b"), ("b:median,a:drop", "a")):
        params = {"QUERY": query, "MISSING": missing, "RESPONSEFORMAT": "csv", **FEW}
        rows = read_csv(result(service, run(service, **params)))
        assert len(rows) == int(counts[wanted]) > 0


def test_uploads_and_earlier_results_are_searched(service: Service) -> None:
    """A table that comes along, or that a job left, is searched like one of the release."""
    lines = ["name,x,y", *(f"star {i},{i % 17},{i % 23}" for i in range(500)), "odd,1000,-1000"]
    lines += ["star 7,1,1", "star 7,2,2"]
    files = {"t": "\n".join(lines).encode()}
    found = run(service, files=files, UPLOAD="mine,param:t", ID="name", RESPONSEFORMAT="csv", **FEW)
    assert read_csv(result(service, found))[0]["name"] == "odd"
    assert json.loads(result(service, found, "summary"))["repeated_ids"] == 2
    earlier = f"again,job:{found.rpartition('/')[2]}"
    query = "SELECT name, x, y FROM TAP_UPLOAD.again WHERE name <> 'odd'"
    second = run(service, QUERY=query, UPLOAD=earlier, ID="name", RESPONSEFORMAT="csv", **FEW)
    assert len(read_csv(result(service, second))) == 502


def test_planted_oddities_are_found(service: Service) -> None:
    """Objects planted in the sample are far more frequent among the anomalies than among all objects."""
    query = (
        "SELECT m.*, t.is_oddity FROM sim1.main AS m JOIN sim1.truth AS t USING (coadd_object_id)"
        " WHERE m.mag_auto_i < 22"
    )
    features = ", ".join(
        [*(f"mag_auto_{a} - mag_auto_{b} AS {a}_{b}" for a, b in ("gr", "ri", "iz")), "spread_model_i"]
    )
    found = run(
        service,
        QUERY=query,
        FEATURES=features,
        ID="coadd_object_id, is_oddity",
        CONTAMINATION="0.02",
        RESPONSEFORMAT="csv",
        MAXREC="50000",
        SCALING="robust",
    )
    rows = read_csv(result(service, found))
    planted = [row for row in rows if row["is_oddity"] == "true"]
    hits = [row for row in planted if row["anomaly"] == "true"]
    assert len(hits) / len(planted) > 5 * 0.02


CROWDS = "name,x,y,w\n" + "".join(
    f"{crowd}{i},{9 * (crowd == 'b') + (i % 17) / 10},{(i * i % 23) / 10},{weight if i else ''}\n"
    for crowd, weight in (("a", 2), ("b", 0))
    for i in range(300)
)
"""Two crowds of points, of which one has no weight; the first of each has none either."""


def _crowds(service: Service, **params: str) -> tuple[list[dict[str, str]], dict[str, Any], bytes]:
    """The rows, the summary and the model of a run on two crowds."""
    wanted = {"FEATURES": "x, y", "ID": "name", "RESPONSEFORMAT": "csv", "NTREES": "40", "SAMPLE_SIZE": "64"}
    job = run(service, files={"t": CROWDS.encode()}, UPLOAD="t,param:t", **wanted, **params)
    told: dict[str, Any] = json.loads(result(service, job, "summary"))
    return read_csv(result(service, job)), told, result(service, job, "model")


def test_objects_count_by_their_weight(service: Service) -> None:
    """What has no weight is scored, but no tree grows from it, so a crowd of such objects is strange."""
    (rows, told, _), (plain, plainly_told, _) = (
        _crowds(service, **params) for params in ({"WEIGHT": "w * 3"}, {})
    )
    ahead, even = (
        np.subtract(*(np.mean([float(row["score"]) for row in each if row["name"][0] == c]) for c in "ba"))
        for each in (rows, plain)
    )
    assert len(rows) == 600
    assert ahead > 0.1 > 5 * abs(even)
    assert (told["without_weight"], told["parameters"]["WEIGHT"]) == (301, "w * 3")
    assert (plainly_told["without_weight"], "WEIGHT" in plainly_told["parameters"]) == (0, False)


def test_equal_weights_make_no_difference(service: Service) -> None:
    """A weight that is the same for all makes the model that no weight makes, and another one another."""
    models = [_crowds(service, **params)[2] for params in ({}, {"WEIGHT": "x - x + 4"}, {"WEIGHT": "x + 1"})]
    assert models[0] == models[1] != models[2]


BAD: tuple[tuple[dict[str, str], str], ...] = (
    ({}, "QUERY is missing"),
    ({"QUERY": "SELECT nothing FROM sim1.main"}, "nothing"),
    ({"QUERY": QUERY, "FEATURES": "mag_auto_q"}, "FEATURES: mag_auto_q"),
    ({"QUERY": QUERY, "FEATURES": "tilename"}, "is of type char and must be a number"),
    ({"QUERY": QUERY, "FEATURES": "mag_auto_i, mag_auto_i"}, "2 times"),
    ({"QUERY": QUERY, "FEATURES": "mag_auto_i FROM sim1.main --"}, "FEATURES"),
    ({"QUERY": QUERY, "FEATURES": "mag_auto_i) AS q --"}, "out of place"),
    ({"QUERY": QUERY, "FEATURES": "mag_auto_i,,ra"}, "missing in"),
    ({"QUERY": QUERY, "FEATURES": "mag_auto_i; ra"}, "out of place"),
    ({"QUERY": QUERY, "FEATURES": "'text' AS x"}, "must be a number"),
    ({"QUERY": QUERY, "FEATURES": "mag_auto_i * 0 AS nil"}, "is the same in every row"),
    ({"QUERY": QUERY, "FEATURES": "NULLIF(mag_auto_i, mag_auto_i) AS nil"}, ""),
    ({"QUERY": QUERY, "FEATURES": ", ".join(f"ra AS f{i}" for i in range(1_000))}, "may name 256"),
    ({"QUERY": QUERY, "FEATURES": ", ".join(f"ra AS f{i}" for i in range(10_000))}, "20000 words"),
    ({"QUERY": QUERY, "ID": "coadd_id"}, "Did you mean coadd_object_id?"),
    ({"QUERY": QUERY, "ID": "1 + 1"}, "ID must name columns"),
    ({"QUERY": "SELECT * FROM sim1.main WHERE ra > 400", "FEATURES": "ra"}, "QUERY has no rows"),
    ({"QUERY": "SELECT TOP 1 * FROM sim1.main", "FEATURES": "ra"}, "the same in every row"),
    ({"QUERY": "SELECT tilename FROM sim1.main"}, "Name some columns in FEATURES"),
    ({"QUERY": QUERY, "WEIGHT": "mag_auto_q"}, "WEIGHT: mag_auto_q"),
    ({"QUERY": QUERY, "WEIGHT": "tilename"}, "WEIGHT: weight is of type char and must be a number"),
    ({"QUERY": QUERY, "WEIGHT": "ra, dec"}, "WEIGHT must be one expression, and is 2"),
    ({"QUERY": QUERY, "WEIGHT": "ra) FROM sim1.main --"}, "WEIGHT: "),
    ({"QUERY": QUERY, "WEIGHT": "1"}, "It would be the same for all"),
    ({"QUERY": QUERY, "WEIGHT": "dec", "FEATURES": "ra"}, "in some row and must not be negative"),
    ({"QUERY": QUERY, "WEIGHT": "ra * 0", "FEATURES": "ra"}, "WEIGHT is above 0 in 0 of the rows"),
    ({"QUERY": QUERY, "WEIGHT": "ra", "MODEL": "some"}, "WEIGHT and MODEL exclude each other"),
    ({"QUERY": QUERY, "EXTENSION": "2", "FEATURES": "ra, dec"}, "allow at most 1"),
    ({"QUERY": QUERY, "EXTENSION": "some"}, "EXTENSION"),
    ({"QUERY": QUERY, "NTREES": "0"}, "ntrees is 0"),
    ({"QUERY": QUERY, "NTREES": "many"}, "NTREES must be a whole number"),
    ({"QUERY": QUERY, "SAMPLE_SIZE": "100000000"}, "sample_size"),
    ({"QUERY": QUERY, "DEPTH_LIMIT": "60"}, "depth_limit"),
    ({"QUERY": QUERY, "SEED": "-1"}, "seed"),
    ({"QUERY": QUERY, "SCALING": "robst"}, "Did you mean robust?"),
    ({"QUERY": QUERY, "MISSING": "medain"}, "Did you mean median?"),
    ({"QUERY": QUERY, "FEATURES": "ra", "MISSING": "dec:drop"}, "there is no feature"),
    ({"QUERY": QUERY, "TOP": "5", "THRESHOLD": "0.5"}, "exclude each other"),
    ({"QUERY": QUERY, "TOP": "0"}, "TOP must be at least 1"),
    ({"QUERY": QUERY, "CONTAMINATION": "1.5"}, "between 0 and 1"),
    ({"QUERY": QUERY, "THRESHOLD": "nan"}, "THRESHOLD must be a number"),
    ({"QUERY": QUERY, "RESPONSEFORMAT": "xls"}, "RESPONSEFORMAT"),
    ({"QUERY": QUERY, "UPLOAD": "mine,param:none"}, "no file part"),
    ({"QUERY": QUERY, "UPLOAD": "mine,job:none"}, "no job"),
)


@pytest.mark.parametrize(("params", "words"), BAD, ids=[words or "NULL" for _, words in BAD])
def test_bad_input_is_told_and_leaves_nothing(service: Service, params: dict[str, str], words: str) -> None:
    """The job is made, as DALI asks, and fails with what is wrong; there is no result, not even half."""
    job = start(service, **params)
    assert service.await_phase(job, "COMPLETED", "ERROR") == "ERROR"
    told = service.get(f"{job}/error").text
    assert words in told
    assert "tell the operators" not in told
    assert "<uws:result " not in service.get(f"{job}/results").text
    folder = service.data / "results" / job.rpartition("/")[2]
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_one_feature_and_few_rows_are_enough(service: Service) -> None:
    """One feature makes a forest of cuts along it; a sample is no larger than there are rows."""
    query = "SELECT TOP 50 coadd_object_id, mag_auto_i FROM sim1.main WHERE mag_auto_i < 23"
    found = run(service, QUERY=query, RESPONSEFORMAT="csv", TOP="500")
    rows = read_csv(result(service, found))
    assert [row["anomaly"] for row in rows] == ["true"] * 50
    told = json.loads(result(service, found, "summary"))
    assert told["parameters"]["SAMPLE_SIZE"] == 50
    assert told["parameters"]["EXTENSION"] == 0


def test_infinity_is_a_missing_value(service: Service) -> None:
    """NaN and Inf, which files can hold, are treated like NULL."""
    table = pa.table(
        {
            "name": [str(i) for i in range(300)],
            "x": [float(i % 7) for i in range(297)] + [math.inf, -math.inf, math.nan],
        }
    )
    file = io.BytesIO()
    pq.write_table(table, file)
    params = {"UPLOAD": "t,param:f", "ID": "name", "RESPONSEFORMAT": "csv", "MISSING": "drop", **FEW}
    rows = read_csv(result(service, run(service, files={"f": file.getvalue()}, **params)))
    assert len(rows) == 297


def test_the_documents_are_valid(service: Service, assert_valid: Callable[[bytes], None]) -> None:
    """Capabilities and availability are those of VOSI; the page is well-formed and starts a job that runs."""
    for name in ("capabilities", "availability"):
        assert_valid(service.get(f"/anomaly/{name}").content)
    page = httpx.get(f"{service.url}/anomaly", headers={"Accept": "text/html"})
    assert page.status_code == 200
    fields = {
        name: text.strip()
        for name, text in re.findall(r'<textarea id="\w+" name="(\w+)"[^>]*>([^<]*)</textarea>', page.text)
    }
    assert set(fields) == {"QUERY", "FEATURES"}
    run(service, **fields, **FEW)


def test_the_strangest_are_explained(service: Service, job: str) -> None:
    """Each anomaly has its reasons, which add up to the whole, in the table as in the explanations."""
    rows = read_csv(result(service, job))
    told = json.loads(result(service, job, "explanations"))
    assert [each["rank"] for each in told] == list(range(1, 26))
    for each, row in zip(told, rows, strict=False):
        assert str(each["object"]["coadd_object_id"]) == row["coadd_object_id"]
        assert sum(each["contributions"].values()) == pytest.approx(1)
        for name, share in each["contributions"].items():
            assert float(row[f"contribution_{name}"]) == pytest.approx(share, abs=1e-6)
        assert len(each["nearest_ordinary"]) == 3
        distances = [other["distance"] for other in each["nearest_ordinary"]]
        assert distances == sorted(distances)
    assert rows[25]["contribution_g_r"] == ""


def test_the_nearest_ordinary_objects_are_the_nearest(service: Service) -> None:
    """Of all rows in the lower half of the scores, by distance in units of the deviation of each feature."""
    columns = "coadd_object_id, mag_auto_g, mag_auto_r"
    query = f"SELECT TOP 400 {columns} FROM sim1.main WHERE mag_auto_g + mag_auto_r < 99"
    params = {"QUERY": query, "TOP": "5", "SAMPLE_SIZE": "400", "RESPONSEFORMAT": "csv"}
    found = run(service, **params)
    rows = read_csv(result(service, found))
    values = np.array([[float(row["mag_auto_g"]), float(row["mag_auto_r"])] for row in rows])
    scaled = values / values.std(axis=0)
    median = json.loads(result(service, found, "summary"))["score"]["quantiles"]["0.5"]
    ordinary = [place for place, row in enumerate(rows) if float(row["score"]) <= median]
    for place, each in enumerate(json.loads(result(service, found, "explanations"))):
        distances = np.sort(np.sqrt(((scaled[ordinary] - scaled[place]) ** 2).sum(axis=1)))[:3]
        assert [near["distance"] for near in each["nearest_ordinary"]] == pytest.approx(distances, rel=1e-4)


def test_pictures_are_drawn(service: Service, job: str) -> None:
    """Each picture is a PNG in which something is drawn; anomalies are red in it."""
    for name in ("histogram", "corner", "scoremap", "skymap", "forest"):
        picture = np.asarray(Image.open(io.BytesIO(result(service, job, name))).convert("RGB")).astype(int)
        assert picture.shape[0] >= 300
        red = (picture[..., 0] > 180) & (picture[..., 1] < 110) & (picture[..., 2] < 130)
        assert red.sum() > 20, name
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20
    assert service.get(f"{job}/results/contactsheet").status_code == 404


def test_images_make_a_contact_sheet(image_service: Service) -> None:
    """Where there are images, the strangest objects are shown, and linked to cutouts that are there."""
    query = "SELECT TOP 3000 * FROM sim1.main WHERE DISTANCE(ra, dec, 0, -40) < 5 OR dec < -88.5"
    found = run(image_service, QUERY=query, FEATURES=FEATURES, TOP="30", **FEW)
    told = json.loads(result(image_service, found, "explanations"))
    links = [each["cutout"] for each in told if "cutout" in each]
    assert links
    answer = httpx.get(links[0], timeout=60)
    assert answer.headers["content-type"] == "image/png", answer.text
    sheet = Image.open(io.BytesIO(result(image_service, found, "contactsheet")))
    assert sheet.width > 800
