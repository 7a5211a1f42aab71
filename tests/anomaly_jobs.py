"""Anomaly jobs through the door, and the scores of a downloaded model by a plain walk over its trees."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from service import Service

FEATURES = ["mag_auto_g - mag_auto_r AS g_r, mag_auto_r - mag_auto_i AS r_i", "mag_auto_i, flux_radius_i"]
FEW = {"NTREES": "20", "SAMPLE_SIZE": "64"}


def run(service: Service, **params: Any) -> str:
    """The path of a job that has completed."""
    job = start(service, **params)
    phase = service.await_phase(job, "COMPLETED", "ERROR", "ABORTED")
    assert phase == "COMPLETED", service.get(f"{job}/error").text
    return job


def start(service: Service, files: dict[str, bytes] | None = None, **params: Any) -> str:
    """The path of a job that was started."""
    url, data = service.url + "/anomaly/async", {"PHASE": "RUN", **params}
    answer = httpx.post(url, data=data, files=files, timeout=60)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].removeprefix(service.url)


def result(service: Service, job: str, name: str = "result") -> bytes:
    """A file that the job left."""
    answer = service.get(f"{job}/results/{name}")
    assert answer.status_code == 200, answer.text
    return answer.content


def read_csv(content: bytes) -> list[dict[str, str]]:
    """The rows of a table by the names of its columns."""
    return list(csv.DictReader(io.StringIO(content.decode())))


def scores_of(model: bytes, columns: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """The scores that a downloaded model gives rows, node by node as in Hariri et al. (2019)."""
    table = pa.ipc.open_file(model).read_all()
    told = json.loads(table.schema.metadata[b"vo.forest"])
    features = [
        (turn * (np.where(np.isfinite(column), column, fill) - centre)).astype(np.float32)
        for column, turn, centre, fill in zip(
            columns, told["turn"], told["centre"], told["fills"], strict=True
        )
    ]
    size, cut = told["settings"]["sample_size"], told["settings"]["extension"] + 1
    paths = np.zeros(len(columns[0]))
    for tree in table.to_pylist():
        nodes = len(tree["thresholds"])
        weights = np.reshape(tree["weights"], (cut, nodes))
        chosen = np.reshape(tree["features"], (cut, nodes))
        for row in range(len(paths)):
            node, edges = 0, 0
            while node < nodes and tree["counts"][node] > 1:
                total = 0.0
                for k in range(cut):
                    value = float(features[chosen[k, node]][row])
                    total = float(np.float32(float(weights[k, node]) * value + total))
                node, edges = 2 * node + (1 if total < tree["thresholds"][node] else 2), edges + 1
            paths[row] += edges + _average(tree["counts"][node])
    return np.asarray(2 ** -(paths / table.num_rows / _average(size)))


def _average(n: int) -> float:
    return 2 * math.fsum(1 / i for i in range(1, n)) - 2 * (n - 1) / n if n > 1 else 0.0
