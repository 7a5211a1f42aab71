"""How long a running statement outlives what should stop it: abort, deletion, time, a client that leaves.

    python bench/stop.py [DATA]

DATA is a data directory with the sample release; without it, one is built for the occasion. A statement has
stopped when the one worker of its lane has answered the next query, whose own time is taken off.
"""

from __future__ import annotations

import http.client
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

from service import PORT, built, serving

ENDLESS = "SELECT COUNT(*) AS n FROM sim1.main AS a, sim1.main AS b, sim1.main AS c WHERE a.ra < b.ra"
SHORT = "SELECT TOP 1 ra FROM sim1.main"
REPEATS = 5
ONE_WORKER = {"VO_SYNC_WORKERS": "1", "VO_QUERY_WORKERS": "1"}


def main() -> None:
    """Measure, print a line for each way to stop."""
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(sys.argv[1]) if len(sys.argv) > 1 else built(Path(scratch))
        with serving(data, **ONE_WORKER):
            alone_s = statistics.median(_run_job() for _ in range(REPEATS))
            for name, way in WAYS.items():
                taken = [way() - alone_s for _ in range(REPEATS)]
                print(f"{name}: {statistics.median(taken):.2f} s, longest {max(taken):.2f} s")
        stopped = [_shut_down(data) for _ in range(REPEATS)]
        print(f"shutdown of all with VO_DRAIN_S=0: {statistics.median(stopped):.2f} s")


def _aborted() -> float:
    job = _running_job()
    began = time.perf_counter()
    _request("POST", f"{job}/phase", PHASE="ABORT")
    return _until_free(began)


def _deleted() -> float:
    job = _running_job()
    began = time.perf_counter()
    _request("DELETE", job)
    return _until_free(began)


def _timed_out() -> float:
    job = _start(ENDLESS, EXECUTIONDURATION="1")
    _await_phase(job, "EXECUTING")
    began = time.perf_counter()
    _await_phase(job, "ABORTED")
    return time.perf_counter() - began - 1 + _run_job()


def _client_left() -> float:
    client = http.client.HTTPConnection("127.0.0.1", PORT)
    client.request("GET", f"/tap/sync?{urlencode({'LANG': 'ADQL', 'QUERY': ENDLESS})}")
    time.sleep(1)
    began = time.perf_counter()
    client.close()
    _request("GET", f"/tap/sync?{urlencode({'LANG': 'ADQL', 'QUERY': SHORT})}")
    return time.perf_counter() - began


WAYS: dict[str, Callable[[], float]] = {
    "abort": _aborted,
    "deletion": _deleted,
    "executionDuration": _timed_out,
    "client leaves a sync query": _client_left,
}


def _shut_down(data: Path) -> float:
    with serving(data, **ONE_WORKER, VO_DRAIN_S="0") as supervisor:
        job = _running_job()
        began = time.perf_counter()
        os.kill(supervisor.pid, signal.SIGTERM)
        supervisor.wait()
        taken = time.perf_counter() - began
    with serving(data):  # the job was handed back, and would keep the worker of the next round
        _request("DELETE", job)
    return taken


def _running_job(**controls: str) -> str:
    job = _start(ENDLESS, **controls)
    _await_phase(job, "EXECUTING")
    time.sleep(0.5)  # the statement begins soon after
    return job


def _run_job() -> float:
    return _until_free(time.perf_counter())


def _until_free(began: float) -> float:
    _await_phase(_start(SHORT), "COMPLETED")
    return time.perf_counter() - began


def _start(query: str, **controls: str) -> str:
    answer = _request("POST", "/tap/async", LANG="ADQL", QUERY=query, PHASE="RUN", **controls)
    return answer.headers["Location"].partition(str(PORT))[2]


def _await_phase(job: str, phase: str) -> None:
    while True:
        client = http.client.HTTPConnection("127.0.0.1", PORT)
        client.request("GET", f"{job}/phase")
        if client.getresponse().read().decode() == phase:
            return
        time.sleep(0.01)


def _request(method: str, path: str, **form: str) -> http.client.HTTPResponse:
    client = http.client.HTTPConnection("127.0.0.1", PORT)
    client.request(method, path, urlencode(form), {"Content-Type": "application/x-www-form-urlencoded"})
    answer = client.getresponse()
    answer.read()
    return answer


if __name__ == "__main__":
    main()
