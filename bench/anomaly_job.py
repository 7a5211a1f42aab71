"""What an anomaly job costs through the door: time, processor time and memory, with one and two processes.

    python bench/anomaly_job.py [ROWS [TREES [DIRECTORY]]]

ROWS (default 2,000,000) of six magnitudes are scored by TREES (default 100) trees. The table is kept in
DIRECTORY for the next run, if it is given. 50,000,000 rows need 12 GB of disk and 4 GB of memory a process.
Below the table: the same forest on the same rows in this process, without service, files or order.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from vo.config import Config
from vo.forest import sample
from vo.forest.detector import fit, score
from vo.forest.preparation import Missing, Scaling
from vo.forest.settings import Settings
from vo.load import load_release

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from service import Service, serving

CHUNK_ROWS = 1_000_000
BANDS = "ugrizy"
LIMIT_S = 24 * 3600
DESCRIPTION = """\
name: strange
description: Magnitudes for measurements.
tables:
  - name: objects
    primaryKey: id
    columns:
      - {name: id, datatype: long, ivoa:ucd: meta.id;meta.main}
      - {name: ra, datatype: double, ivoa:unit: deg, ivoa:ucd: pos.eq.ra;meta.main}
      - {name: dec, datatype: double, ivoa:unit: deg, ivoa:ucd: pos.eq.dec;meta.main}
""" + "".join(f"      - {{name: mag_{band}, datatype: float, ivoa:unit: mag}}\n" for band in BANDS)
QUERY = "SELECT * FROM strange.objects"
FEATURES = ", ".join(f"mag_{band}" for band in BANDS)


@dataclass
class Watch:
    """What the processes of a lane used between two moments: seconds of a processor, bytes at the most."""

    processes: list[psutil.Process]
    cpu_s: float = 0.0
    peak: int = 0
    done: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Look at them four times a second."""
        before = sum(_cpu(process) for process in self.processes)
        thread = threading.Thread(target=self._look)
        thread.start()
        try:
            yield
        finally:
            self.done.set()
            thread.join()
            self.cpu_s = sum(_cpu(process) for process in self.processes) - before

    def _look(self) -> None:
        while not self.done.wait(0.25):
            self.peak = max(self.peak, *(process.memory_info().rss for process in self.processes))


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> None:
    """Measure one and two processes, then the loops alone."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
    trees = int(sys.argv[2]) if len(sys.argv) > 2 else 100
    with tempfile.TemporaryDirectory() as folder:
        data = Path(sys.argv[3] if len(sys.argv) > 3 else folder) / f"strange-{rows}"
        build(data, rows)
        print(f"{rows:,} rows x {len(BANDS)} features x {trees} trees, extension {len(BANDS) - 1}")
        print(f"{'':14}{'wall s':>9}{'cpu s':>9}{'read':>8}{'grow':>8}{'score':>8}{'rank':>8}{'peak MB':>9}")
        for processes in (1, 2):
            measure(data, processes, trees)
        alone(data, trees)


def build(data: Path, rows: int) -> None:
    """Write the table and load it as users load theirs; kept for the next run."""
    config = Config(data_dir=data)
    if (config.releases_dir / "strange.duckdb").exists():
        return
    source = data / "source"
    source.mkdir(parents=True, exist_ok=True)
    (source / "release.yaml").write_text(DESCRIPTION)
    random = np.random.default_rng(8)
    writer = None
    for first in range(0, rows, CHUNK_ROWS):
        table = chunk(first, min(CHUNK_ROWS, rows - first), random)
        writer = writer or pq.ParquetWriter(source / "objects.parquet", table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()
    print(load_release(source, config))
    (source / "objects.parquet").unlink()


def chunk(first: int, rows: int, random: np.random.Generator) -> pa.Table:
    """Objects of one colour sequence with some scatter, one in a thousand anywhere."""
    bright, kind = random.gamma(9, 2.6, rows), random.normal(0, 1, rows)
    columns = {
        "id": np.arange(first, first + rows),
        "ra": random.uniform(0, 360, rows),
        "dec": np.degrees(np.arcsin(random.uniform(-1, 1, rows))),
    }
    odd = random.random(rows) < 0.001
    for place, band in enumerate(BANDS):
        magnitude = bright + kind * (0.8 - 0.3 * place) + random.normal(0, 0.1, rows)
        columns[f"mag_{band}"] = np.where(odd, random.uniform(10, 40, rows), magnitude).astype("f4")
    return pa.table(columns)


def measure(data: Path, processes: int, trees: int) -> None:
    """One job on a service whose lane has so many processes, each with one thread."""
    settings = {
        "VO_ANOMALY_WORKERS": str(processes),
        "VO_ANOMALY_THREADS": "1",
        "VO_DUCKDB_THREADS": "1",
        "VO_LOG_LEVEL": "warning",
        "VO_DURATION_LIMIT_S": "0",
    }
    with serving(data, **settings) as service:
        watch = Watch(service.processes("vo anomaly"))
        started = time.monotonic()
        with watch.running():
            job = _start(service, NTREES=str(trees), RESPONSEFORMAT="parquet", EXECUTIONDURATION="0")
            phase = service.await_phase(job, "COMPLETED", "ERROR", timeout_s=LIMIT_S)
        wall_s = time.monotonic() - started
        assert phase == "COMPLETED", service.get(f"{job}/error").text
        summary = service.get(f"{job}/results/summary").json()
    steps = "".join(f"{summary['timings_s'][step]:8.1f}" for step in ("read", "grow", "score", "rank"))
    name = f"{processes} process{'es' * (processes > 1)}"
    print(f"{name:14}{wall_s:9.1f}{watch.cpu_s:9.1f}{steps}{watch.peak >> 20:9,}", flush=True)
    print(f"{'':14}shards: {json.dumps(sorted(summary['shards'].values()))}")


def _start(service: Service, **params: str) -> str:
    answer = service.post("/anomaly/async", PHASE="RUN", QUERY=QUERY, FEATURES=FEATURES, **params)
    return answer.headers["location"].removeprefix(service.url)


def alone(data: Path, trees: int) -> None:
    """The loops on rows that are in memory already: what all else is measured against."""
    rows = int(data.name.rpartition("-")[2])
    few = min(rows, CHUNK_ROWS)
    random = np.random.default_rng(8)
    table = chunk(0, few, random)
    columns = [table.column(f"mag_{band}").to_numpy() for band in BANDS]
    settings = Settings(ntrees=trees)
    first = sample.empty(0, sample.capacity(settings, len(BANDS)), len(BANDS))
    first = sample.offered(first, columns, np.arange(few))  # loads the loops, and fills the sample
    began = time.process_time()
    seen = sample.offered(first, columns, np.arange(few, 2 * few))
    drawn_s = (time.process_time() - began) * rows / few
    missing = [Missing.MEDIAN] * len(BANDS)
    detector = fit(seen, BANDS, settings, missing=missing, scaling=Scaling.STANDARD)
    score(detector, [column[:4096] for column in columns])
    began = time.process_time()
    score(detector, columns)
    scored_s = (time.process_time() - began) * rows / few
    print(f"the loops alone, by {few:,} rows: {drawn_s:.1f} s of drawing, {scored_s:.1f} s of scoring (cpu)")


if __name__ == "__main__":
    main()
