"""What the way through HTTP, Celery and the relay costs, beside calling the database directly.

    python bench/service.py [DATA]

DATA is a data directory with the sample release; without it, one is built for the occasion.
"""

from __future__ import annotations

import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psutil

from vo.adql import translate
from vo.config import Config
from vo.context import open_database
from vo.db.base import Database
from vo.load import load_release
from vo.sample import write_sample
from vo.tap.schema import describe
from vo.uws.relay import BLOCK_BYTES, CREDITS

PORT = 8765
TOP = "SELECT TOP 1 * FROM sim1.main"
NARROW = "SELECT TOP 1 ra, dec, mag_auto_i FROM sim1.main"
WHOLE = "SELECT * FROM sim1.main"
REPEATS = 200
MIB = 1 << 20


def main() -> None:
    """Measure, print a table."""
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(sys.argv[1]) if len(sys.argv) > 1 else built(Path(scratch))
        with open_database(Config(data_dir=data), describe) as database, serving(data) as supervisor:
            for query in (TOP, NARROW):
                _latency(query, database)
            _rate(database)
            _memory(supervisor)


def built(directory: Path) -> Path:
    """A data directory with the sample release."""
    write_sample(directory / "source")
    load_release(directory / "source", Config(data_dir=directory / "data"), name="sim1")
    return directory / "data"


@contextmanager
def serving(data: Path, **settings: str) -> Iterator[psutil.Process]:
    """The supervisor of a service on `data`."""
    command = [sys.executable, "-m", "vo.cli", "serve", "--data", str(data), "--port", str(PORT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **settings}) as process:
        assert process.stdout is not None
        while b"Serving" not in (line := process.stdout.readline()):
            assert line, "the service did not start"
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


def _latency(query: str, database: Database) -> None:
    client = http.client.HTTPConnection("127.0.0.1", PORT)
    direct = _median(lambda: _run(database, query))
    served = _median(lambda: fetch(client, query))
    added = 1e3 * (served - direct)
    print(f"{query}: database {1e3 * direct:.1f} ms, service {1e3 * served:.1f} ms, added {added:.1f} ms")


def _rate(database: Database) -> None:
    client = http.client.HTTPConnection("127.0.0.1", PORT)
    direct = min(_timed(lambda: _run(database, WHOLE)) for _ in range(5))
    passes = [fetch(client, WHOLE) for _ in range(5)]
    served, size = min(seconds for seconds, _, _ in passes), passes[0][2]
    first = statistics.median(first for _, first, _ in passes)
    print(
        f"{WHOLE}: database to Arrow {direct:.2f} s; service, BINARY2, {size / 1e6:.0f} MB {served:.2f} s "
        f"({size / served / 1e6:.0f} MB/s), ratio {direct / served:.2f}; first byte {1e3 * first:.0f} ms"
    )


def _memory(supervisor: psutil.Process) -> None:
    """Resident memory of web and sync worker while a result many times the relay's bound passes slowly."""
    watched = [p for p in supervisor.children(recursive=True) if p.name() in ("vo web", "vo sync")]
    client = http.client.HTTPConnection("127.0.0.1", PORT)
    fetch(client, WHOLE)
    before = {p.pid: p.memory_info().rss for p in watched}
    peak = dict(before)
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            for process in watched:
                peak[process.pid] = max(peak[process.pid], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, _, size = fetch(client, WHOLE, pause_s=0.005)
    done.set()
    watcher.join()
    growth = max(peak[pid] - before[pid] for pid in peak) / MIB
    times = size / (BLOCK_BYTES * CREDITS)
    print(
        f"memory: a result {times:.0f} times the relay's bound adds {growth:.0f} MiB to the largest process"
    )


def _run(database: Database, query: str) -> None:
    statement = translate(query, database.catalog(), maxrec=10**7)
    with database.stream(statement) as result:
        for _ in result:
            pass


def fetch(client: http.client.HTTPConnection, query: str, pause_s: float = 0) -> tuple[float, float, int]:
    """Seconds in all, seconds to the first byte, bytes."""
    buffer, size = bytearray(MIB), 1
    started = time.perf_counter()
    client.request("GET", f"/tap/sync?LANG=ADQL&MAXREC=10000000&QUERY={quote(query)}")
    answer = client.getresponse()
    assert answer.status == http.client.OK
    answer.read(1)
    first = time.perf_counter() - started
    while count := answer.readinto(buffer):
        size += count
        time.sleep(pause_s)
    return time.perf_counter() - started, first, size


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _median(action: Callable[[], object]) -> float:
    for _ in range(REPEATS // 10):
        action()
    return statistics.median(_timed(action) for _ in range(REPEATS))


if __name__ == "__main__":
    main()
