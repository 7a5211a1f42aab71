"""A whole service in processes of its own, for tests that go through the door."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from vo.load import load_images, load_release, load_tiles
from vo.sample import Order, image_tiles, write_images, write_sample, write_tile_list

from loading import config_of  # isort: skip  a module of the tests

START_S = 120
OBJECTS = 20_000


@dataclass
class Service:
    """A running `vo serve`; `url` is its root."""

    url: str
    data: Path
    process: subprocess.Popen[bytes]

    def sync(self, query: str, **params: Any) -> httpx.Response:
        """The answer of /tap/sync."""
        return self.get("/tap/sync", LANG="ADQL", QUERY=query, **params)

    def get(self, path: str, **params: Any) -> httpx.Response:
        """GET a resource, not following redirections."""
        return httpx.get(self.url + path, params=params, timeout=60)

    def post(self, path: str, **data: Any) -> httpx.Response:
        """POST a form, not following redirections."""
        return httpx.post(self.url + path, data=data, timeout=60)

    def start_job(self, query: str, **params: Any) -> str:
        """The path of a job that was created and started."""
        answer = self.post("/tap/async", LANG="ADQL", QUERY=query, PHASE="RUN", **params)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"].removeprefix(self.url)

    def phase(self, job: str) -> str:
        """The phase of a job."""
        return self.get(f"{job}/phase").text

    def await_phase(self, job: str, *phases: str, timeout_s: float = 40) -> str:
        """The first of `phases` that the job reaches."""
        deadline = time.monotonic() + timeout_s
        while (phase := self.phase(job)) not in phases:
            assert time.monotonic() < deadline, f"{job} is still {phase}"
            time.sleep(0.05)
        return phase

    def processes(self, *names: str) -> list[psutil.Process]:
        """Those below the supervisor that have one of the names, children of pools last; at least one."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        found = [process for process in below if is_alive(process) and process.name() in names]
        assert found, f"no process is called {names}"
        return found

    def stop(self) -> int:
        """End it as an operator does; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=40)


def is_alive(process: psutil.Process) -> bool:
    """Whether the process runs; a zombie only waits for somebody to read its exit status."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def small_sample(directory: Path) -> Path:
    """A data directory with a small sample release and its tiles."""
    source = directory / "source"
    source.mkdir()
    write_sample(source, objects=OBJECTS)
    load_release(source, config_of(directory / "data"), name="sim1")
    write_tile_list(directory / "tiles.csv")
    load_tiles(directory / "tiles.csv", config_of(directory / "data"), release="sim1")
    return directory / "data"


def small_images(sample: Path, directory: Path) -> Path:
    """A data directory with the release of `sample` and images: two tiles beside RA 0h, and one at the pole.

    Each in g, r and i, of 500 x 500 pixels of 5.26 arcsec, as <data>/images/sim1/<tile>_<band>.fits.fz.
    """
    data = directory / "data"
    (data / "releases").mkdir(parents=True)
    for release in ("sim1", "tiles"):
        shutil.copy(sample / "releases" / f"{release}.duckdb", data / "releases")
    tiles = image_tiles()
    order = Order(bands=("g", "r", "i"), pixels=500, objects=OBJECTS)
    write_images(data / "images" / "sim1", order, tiles=[*tiles[:2], tiles[-1]])
    load_images(data / "images" / "sim1", config_of(data), release="sim1")
    return data


@contextmanager
def serving(data: Path, **settings: str) -> Iterator[Service]:
    """`vo serve` on `data` and a free port, until the block ends."""
    port = free_port()
    command = [sys.executable, "-m", "vo.cli", "serve", "--data", str(data), "--port", str(port)]
    log = data / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=_environment(settings), stdout=output, stderr=subprocess.STDOUT
        )
    service = Service(f"http://127.0.0.1:{port}", data, process)
    try:
        _await_ready(service, log)
        yield service
    finally:
        if process.poll() is None:
            service.stop()


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("VO_")}
    return {**inherited, "PYTHONUNBUFFERED": "1", **settings}


def _await_ready(service: Service, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while b"Serving" not in log.read_bytes():
        assert service.process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
