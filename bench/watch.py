"""Rows a second that one watcher takes from the stream, scores and removes: single rows, and rows in Arrow.

    python bench/watch.py [rows]

The model has six features and 100 trees of 256 rows; one row in a thousand is told of. A Redis of its own is
started. The producer is not timed: all rows wait before the watcher begins.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
from redis import Redis

from vo.forest import Missing, Settings, fit, sample, warm_up
from vo.forest.detector import Detector, score
from vo.serve import redis_server
from vo.watch.streams import Keys
from vo.watch.watcher import Watcher, WatchOptions

NAMES = tuple(f"f{number}" for number in range(6))
ARROW_ROWS = 10_000


@contextmanager
def own_redis() -> Iterator[str]:
    """The URL of a Redis that keeps an append-only file, as that of the service does."""
    with tempfile.TemporaryDirectory(prefix="vo-") as folder:
        socket = Path(folder) / "redis.sock"
        options = ["--port", "0", "--unixsocket", str(socket), "--appendonly", "yes", "--dir", folder]
        with subprocess.Popen([redis_server(), *options], stdout=subprocess.DEVNULL) as server:
            while not socket.exists():
                time.sleep(0.02)
            try:
                yield f"unix://{socket}"
            finally:
                server.terminate()


def model(rng: np.random.Generator) -> tuple[Detector, float]:
    """A model of a cloud, and the score that one row in a thousand reaches."""
    rows = rng.normal(size=(6, 100_000))
    seen = sample.offered(sample.empty(1, 25_600, 6), rows, np.arange(100_000))
    detector = fit(seen, NAMES, Settings(), missing=[Missing.MEDIAN] * 6)
    return detector, float(np.quantile(score(detector, rows), 0.999))


def produce(client: Redis, keys: Keys, rows: np.ndarray, *, arrow: bool) -> None:
    """Put all rows into the stream."""
    with client.pipeline(transaction=False) as entries:
        if arrow:
            for start in range(0, rows.shape[1], ARROW_ROWS):
                table = pa.table(dict(zip(NAMES, rows[:, start : start + ARROW_ROWS], strict=True)))
                out = io.BytesIO()
                with pa.ipc.new_stream(out, table.schema) as writer:
                    writer.write_table(table)
                entries.xadd(keys.rows, {"arrow": out.getvalue()})
        else:
            for row in rows.T.tolist():
                entries.xadd(keys.rows, dict(zip(NAMES, row, strict=True)))
        entries.execute()


def timed(url: str, name: str, rows: np.ndarray, *, arrow: bool) -> None:
    """One run, and its line."""
    detector, threshold = model(np.random.default_rng(1))
    keys, stop = Keys(name), threading.Event()
    with Redis.from_url(url) as client, tempfile.TemporaryDirectory() as directory:
        produce(client, keys, rows, arrow=arrow)
        options = WatchOptions(threshold=threshold, trees=1, batch=64 if arrow else 2_000)
        watcher = Watcher(client, keys, detector, options, Path(directory))
        start, used = time.perf_counter(), time.process_time()
        thread = threading.Thread(target=watcher.run, args=[stop])
        thread.start()
        with Redis.from_url(url) as other:
            while other.xlen(keys.rows):
                time.sleep(0.001)
            wall, cpu = time.perf_counter() - start, time.process_time() - used
            stop.set()
            thread.join()
            found = int(other.hget(keys.numbers, "found") or 0)  # type: ignore[arg-type]
    count = rows.shape[1]
    print(
        f"{name:8} {count:9,} rows  {count / wall:11,.0f} rows/s  "
        f"{count / cpu:11,.0f} a CPU second  {found} told"
    )


def main() -> None:
    """Both kinds of entries."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    warm_up()
    rows = np.random.default_rng(2).normal(size=(6, count))
    with own_redis() as url:
        timed(url, "arrow", rows, arrow=True)
        timed(url, "single", rows[:, : count // 10], arrow=False)


if __name__ == "__main__":
    main()
