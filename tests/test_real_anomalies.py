"""Real galaxies, from a file to their scores: 10,892 of DES Y3 GOLD, random among its 388 million objects."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import h5py
import httpx
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from anomaly_jobs import result, run
from plain_forest import plain_scores, ranks
from service import Service

GALAXIES = (
    Path(__file__).resolve().parents[2]
    / "shared"
    / "data"
    / "anomaly"
    / "dora_des_y3gold_10892_lups_colors.h5"
)
COLOURS = ("color_g_minus_r", "color_i_minus_r", "color_z_minus_r")
FEATURES = f"{', '.join(COLOURS)}, lup_r - 22.5 AS faintness"


@pytest.fixture(scope="module")
def galaxies() -> pa.Table:
    """The rows of the frame that pandas wrote, with COADD_OBJECT_ID as the whole number that it is."""
    if not GALAXIES.exists():
        pytest.skip(f"{GALAXIES.name} is not here")
    with h5py.File(GALAXIES) as file:
        frame = file["data"]
        names = [name.decode() for name in frame["block0_items"][:]]
        columns = {"coadd_object_id": frame["axis1"][:].astype(np.int64)}
        return pa.table(columns | dict(zip(names, frame["block0_values"][:].T, strict=True)))


@pytest.fixture(scope="module")
def sent(galaxies: pa.Table) -> bytes:
    """The galaxies as a file."""
    file = io.BytesIO()
    pq.write_table(galaxies, file)
    return file.getvalue()


@pytest.fixture(scope="module")
def job(service: Service, sent: bytes) -> str:
    """A run on all of them."""
    params = {"FEATURES": FEATURES, "ID": "coadd_object_id", "NTREES": "300", "CONTAMINATION": "0.01"}
    files = {"f": sent}
    return run(service, files=files, UPLOAD="galaxies,param:f", RESPONSEFORMAT="parquet", **params)


def _scores(table: pa.Table, galaxies: pa.Table) -> np.ndarray[Any, Any]:
    """The scores in the order of the galaxies."""
    found = dict(zip(table["coadd_object_id"].to_pylist(), table["score"].to_pylist(), strict=True))
    return np.array([found[name] for name in galaxies["coadd_object_id"].to_pylist()])


def test_galaxies_are_ranked_as_by_the_paper(service: Service, job: str, galaxies: pa.Table) -> None:
    """Each galaxy is scored once, and scores are those of a plain forest but for its noise."""
    table = pq.read_table(io.BytesIO(result(service, job)))
    assert sorted(table["coadd_object_id"].to_pylist()) == sorted(galaxies["coadd_object_id"].to_pylist())
    rows = np.column_stack([galaxies[name].to_numpy() for name in (*COLOURS, "lup_r")])
    ours = _scores(table, galaxies)
    plain = plain_scores(rows / rows.std(axis=0), 200, 256, 3, seed=1)
    assert np.corrcoef(ranks(ours), ranks(plain))[0, 1] > 0.95
    strangest = [set(np.argsort(-scores)[:109].tolist()) for scores in (ours, plain)]
    assert len(strangest[0] & strangest[1]) > 80
    told = json.loads(result(service, job, "summary"))
    assert (told["objects"], told["anomalies"], told["repeated_ids"]) == (10_892, 109, 0)


def test_their_model_scores_them_again(service: Service, job: str, galaxies: pa.Table) -> None:
    """The kept model gives each galaxy that is sent the score of the run."""
    kept = service.post("/anomaly/models", JOB=job.rpartition("/")[2]).headers["location"]
    table = galaxies.append_column("faintness", pa.array(galaxies["lup_r"].to_numpy() - 22.5))
    file = io.BytesIO()
    pq.write_table(table, file)
    answer = httpx.post(
        f"{kept}/score", params={"RESPONSEFORMAT": "parquet"}, content=file.getvalue(), timeout=60
    )
    again = pq.read_table(io.BytesIO(answer.content))
    assert again["coadd_object_id"].to_pylist() == galaxies["coadd_object_id"].to_pylist()
    first = _scores(pq.read_table(io.BytesIO(result(service, job))), galaxies)
    assert np.array_equal(again["score"].to_numpy(), first)


def test_what_was_planted_among_them_is_found(service: Service, galaxies: pa.Table) -> None:
    """Galaxies whose colours were turned around stand out among the others."""
    names = ["coadd_object_id", *COLOURS]
    planted = galaxies.select(names).slice(0, 100)
    planted = pa.table({name: -planted[name].to_numpy() for name in names})
    file = io.BytesIO()
    pyarrow.csv.write_csv(pa.concat_tables([galaxies.select(names), planted]), file)
    params = {"FEATURES": ", ".join(COLOURS), "ID": "coadd_object_id", "RESPONSEFORMAT": "parquet"}
    job = run(service, files={"f": file.getvalue()}, UPLOAD="g,param:f", CONTAMINATION="0.02", **params)
    table = pq.read_table(io.BytesIO(result(service, job)))
    found = table["anomaly"].to_numpy(zero_copy_only=False)[table["coadd_object_id"].to_numpy() < 0]
    assert len(found) == 100
    assert found.mean() > 0.5
