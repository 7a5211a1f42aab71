"""How long a request to score rows takes, beside the loops alone.

    python bench/anomaly_score.py [REPEATS]

A model of six features and 100 trees is sent to a service, then rows, 1,000 and 10,000 at a time, as Parquet,
JSON, CSV and VOTable, over one connection; the answer has the form of the question. The clock: median and
least of REPEATS (30). Beside it the processor time of the web server.
"""

from __future__ import annotations

import io
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from astropy.io.votable import from_table, writeto
from astropy.table import Table

from vo.anomaly.models import model_bytes
from vo.forest import Missing, Settings, fit, sample
from vo.forest.detector import Detector, score

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from service import Service, serving

NAMES = tuple(f"f{number}" for number in range(6))
COUNTS = (1_000, 10_000)


def main() -> None:
    """Print a line for each form and number of rows."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    detector = _model(np.random.default_rng(1))
    print(f"{'':10}{'rows':>8}{'median ms':>11}{'least ms':>10}{'cpu ms':>8}{'rows/s':>11}{'rows/cpu s':>12}")
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), VO_LOG_LEVEL="warning") as service:
        answer = httpx.post(
            f"{service.url}/anomaly/models", files={"MODEL": model_bytes(detector)}, timeout=60
        )
        url = f"{answer.headers['location']}/score"
        for count in COUNTS:
            rows = np.random.default_rng(count).normal(size=(6, count))
            table = pa.table({"id": np.arange(count), **dict(zip(NAMES, rows, strict=True))})
            for name, (kind, made) in FORMS.items():
                _requests(service, url, name, kind, made(table), count, repeats)
            _alone(detector, rows, repeats)


def _model(rng: np.random.Generator) -> Detector:
    rows = rng.normal(size=(6, 100_000))
    seen = sample.offered(sample.empty(1, 25_600, 6), rows, np.arange(100_000))
    return fit(seen, NAMES, Settings(), missing=[Missing.MEDIAN] * 6)


def _requests(
    service: Service, url: str, name: str, kind: str, content: bytes, count: int, repeats: int
) -> None:
    took = []
    with httpx.Client(headers={"Content-Type": kind}, timeout=60) as client:
        params = {"RESPONSEFORMAT": name}
        for _ in range(3):
            client.post(url, params=params, content=content).raise_for_status()
        [web] = service.processes("vo web")
        before = web.cpu_times()
        for _ in range(repeats):
            start = time.perf_counter()
            client.post(url, params=params, content=content).raise_for_status()
            took.append(time.perf_counter() - start)
        after = web.cpu_times()
    cpu = (after.user + after.system - before.user - before.system) / repeats
    _line(name, count, took, cpu)


def _alone(detector: Detector, rows: np.ndarray, repeats: int) -> None:
    score(detector, rows)
    took, before = [], time.process_time()
    for _ in range(repeats):
        start = time.perf_counter()
        score(detector, rows)
        took.append(time.perf_counter() - start)
    _line("loops", rows.shape[1], took, (time.process_time() - before) / repeats)


def _line(name: str, count: int, took: list[float], cpu: float) -> None:
    median = float(np.median(took))
    print(
        f"{name:10}{count:8,}{1e3 * median:11.2f}{1e3 * min(took):10.2f}{1e3 * cpu:8.2f}"
        f"{count / median:11,.0f}{count / cpu:12,.0f}",
        flush=True,
    )


def _parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def _json(table: pa.Table) -> bytes:
    return json.dumps(table.to_pylist()).encode()


def _csv(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pyarrow.csv.write_csv(table, file)
    return file.getvalue()


def _votable(table: pa.Table) -> bytes:
    file = io.BytesIO()
    writeto(from_table(Table(table.to_pydict())), file, tabledata_format="binary2")
    return file.getvalue()


FORMS: Mapping[str, tuple[str, Callable[[pa.Table], bytes]]] = {
    "parquet": ("application/vnd.apache.parquet", _parquet),
    "json": ("application/json", _json),
    "csv": ("text/csv", _csv),
    "votable": ("application/x-votable+xml", _votable),
}


if __name__ == "__main__":
    main()
