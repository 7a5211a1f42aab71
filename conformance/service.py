"""A fresh service for the judges: a small sample release with images, served from a temporary directory."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from vo.config import Config
from vo.load import load_images, load_release, load_tiles
from vo.sample import Order, write_images, write_sample, write_tile_list

OBJECTS = 20_000
LONG_QUERY = (
    "SELECT COUNT(*) AS n FROM sim1.main AS a, sim1.main AS b, sim1.main AS c "
    "WHERE SIN(a.ra + b.ra) * COS(b.dec + c.dec) > 0.5"
)
"""A query that would run for hours."""

READY = b"Serving "
SETTINGS = {"PYTHONUNBUFFERED": "1", "VO_WAIT_LIMIT_S": "8"}  # a judge waits for the longest WAIT
START_S = 60


@dataclass(frozen=True, slots=True)
class Service:
    """A running service; `url` is its root, without a slash at the end."""

    url: str

    @property
    def tap(self) -> str:
        """The URL of the TAP service."""
        return f"{self.url}/tap"

    def get(self, path: str, **params: Any) -> httpx.Response:
        """GET what lies at `path` below the root; parameters may be lists, redirections are followed."""
        return httpx.get(self.url + path, params=params or None, timeout=90, follow_redirects=True)

    def read(self, path: str) -> bytes:
        """The document at `path`, which must exist."""
        answer = self.get(path)
        assert answer.status_code == 200, f"{path}: status {answer.status_code}"
        return answer.content

    def post(self, path: str, **data: Any) -> httpx.Response:
        """POST a form; redirections are not followed."""
        return httpx.post(self.url + path, data=data, timeout=90)

    def delete(self, path: str) -> httpx.Response:
        """DELETE what lies at `path`; redirections are not followed."""
        return httpx.delete(self.url + path, timeout=90)

    def create(self, query: str, **params: Any) -> str:
        """The path of a new job."""
        answer = self.post("/tap/async", LANG="ADQL", QUERY=query, **params)
        assert answer.status_code == 303, f"creating a job: status {answer.status_code}"
        return answer.headers["location"].removeprefix(self.url)

    def await_phase(self, job: str, *phases: str, timeout_s: float = 60) -> None:
        """Wait until the job is in one of `phases`."""
        deadline = time.monotonic() + timeout_s
        while (phase := self.get(f"{job}/phase").text) not in phases:
            assert time.monotonic() < deadline, f"the job is still {phase}, not {' or '.join(phases)}"
            time.sleep(0.05)


@contextmanager
def fresh_service(objects: int = OBJECTS) -> Iterator[Service]:
    """The service on a free port of the loopback interface until the block ends, then nothing is left."""
    with tempfile.TemporaryDirectory(prefix="vo-conformance-") as folder:
        source, data = Path(folder) / "source", Path(folder) / "data"
        write_sample(source, objects=objects)
        config = Config(data_dir=data)
        load_release(source, config, name="sim1")
        write_images(data / "images" / "sim1", Order(pixels=500, objects=objects))
        load_images(data / "images" / "sim1", config, release="sim1")
        write_tile_list(Path(folder) / "tiles.csv")
        load_tiles(Path(folder) / "tiles.csv", config, release="sim1")
        with _serving(data) as url:
            yield Service(url)


@contextmanager
def _serving(data: Path) -> Iterator[str]:
    port, log = _free_port(), data / "serve.log"
    command = [sys.executable, "-m", "vo.cli", "serve", "--data", str(data), "--port", str(port)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VO_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**inherited, **SETTINGS}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _await_ready(process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def _await_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_S
    while READY not in log.read_bytes():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"The service did not start:\n{log.read_text()}")
        time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
