"""The service in single processes, as in a cluster: two Redis servers, web, sweeps, and workers apart."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx
from service import Service, free_port

from vo.serve import redis_server

START_S = 110


class Wire(Protocol):
    """The way from a worker to the Redis servers, which can be cut."""

    prefix: Sequence[str]
    """What is put in front of a command that has no other way."""

    def address(self, port: int) -> str:
        """Where the server on this port of the machine is found, host:port."""
        ...

    def cut(self) -> None:
        """Lose every packet from now on."""
        ...

    def mend(self) -> None:
        """Lose none any more."""
        ...


class Namespace:
    """A network namespace with one cable to this machine; a PermissionError where it may not be made."""

    def __init__(self, number: int) -> None:
        self._name = f"vo-{os.getpid()}-{number}"
        self._cable = f"vo{os.getpid() % 100_000}x{number}"
        self._host = f"10.213.{number}.1"
        _ip("netns", "add", self._name)
        try:
            _ip("link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", self._name)
            _ip("addr", "add", f"{self._host}/30", "dev", self._cable)
            _ip("link", "set", self._cable, "up")
            for words in (f"addr add 10.213.{number}.2/30 dev eth0", "link set eth0 up", "link set lo up"):
                _ip("-n", self._name, *words.split())
        except PermissionError:
            self.remove()
            raise
        self.prefix = ("ip", "netns", "exec", self._name)

    def address(self, port: int) -> str:
        """This end of the cable."""
        return f"{self._host}:{port}"

    def cut(self) -> None:
        """Take the cable out."""
        _ip("link", "set", self._cable, "down")

    def mend(self) -> None:
        """Put it back."""
        _ip("link", "set", self._cable, "up")

    def remove(self) -> None:
        """Leave nothing."""
        with suppress(PermissionError):
            _ip("netns", "del", self._name)


def _ip(*words: str) -> None:
    try:
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise PermissionError(f"no namespaces: {error}") from error


class Relayed:
    """The same on loopback: connections pass through this process, which may stop passing them on."""

    prefix: Sequence[str] = ()

    def __init__(self) -> None:
        self._flows = threading.Event()
        self._flows.set()

    def address(self, port: int) -> str:
        """A port of its own for each server."""
        listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, args=(listening, port), daemon=True).start()
        return f"127.0.0.1:{listening.getsockname()[1]}"

    def cut(self) -> None:
        """Keep all bytes back."""
        self._flows.clear()

    def mend(self) -> None:
        """Let them go."""
        self._flows.set()

    def remove(self) -> None:
        """The threads end with the process."""

    def _accept(self, listening: socket.socket, port: int) -> None:
        while True:
            client, _ = listening.accept()
            self._flows.wait()
            server = socket.create_connection(("127.0.0.1", port))
            for ends in ((client, server), (server, client)):
                threading.Thread(target=self._pump, args=ends, daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while block := source.recv(1 << 16):
                self._flows.wait()
                target.sendall(block)
        self._flows.wait()
        for end in (source, target):  # to close them would not wake who reads from the other
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def wires(count: int) -> Iterator[list[Namespace | Relayed]]:
    """Ways that can be cut one by one: namespaces where they may be made, connections passed on elsewhere."""
    found: list[Namespace | Relayed] = []
    try:
        try:
            found += [Namespace(number) for number in range(1, count + 1)]
        except PermissionError:
            found += [Relayed() for _ in range(count - len(found))]
        yield found
    finally:
        for wire in found:
            wire.remove()


@dataclass
class Part:
    """One process, and what it logs."""

    process: subprocess.Popen[bytes]
    log: Path

    def events(self, name: str) -> list[dict[str, Any]]:
        """The lines of its log about one kind of event."""
        lines = self.log.read_text(errors="replace").splitlines()
        parsed = (json.loads(line) for line in lines if line.startswith("{") and line.endswith("}"))
        return [event for event in parsed if event["event"] == name]

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it; its exit status."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


@dataclass
class Cluster:
    """A service in parts on `data`; `settings` are those of all parts."""

    data: Path
    settings: dict[str, str]
    stack: ExitStack
    ports: dict[str, int] = field(default_factory=dict)

    def redis(self, *hosts: str) -> None:
        """Start both servers; the one of jobs keeps its file in `data`."""
        for name, kept in (("state", "yes"), ("relay", "no")):
            self.ports[name] = free_port()
            (self.data / name).mkdir(exist_ok=True)
            place = ["--bind", "127.0.0.1", *hosts, "--port", str(self.ports[name]), "--protected-mode", "no"]
            files = ["--save", "", "--appendonly", kept, "--dir", str(self.data / name)]
            self._run(f"redis-{name}", [redis_server(), *place, *files], {})
            await_true(lambda name=name: _listens(self.ports[name]))  # type: ignore[misc]  # bound at once

    def vo(self, name: str, *arguments: str, wire: Wire | None = None, **settings: str) -> Part:
        """Start `vo` with these arguments, perhaps behind a wire."""
        addresses = {
            f"VO_{server.upper()}_URL": f"redis://{wire.address(port) if wire else f'127.0.0.1:{port}'}/0"
            for server, port in self.ports.items()
        }
        command = [*(wire.prefix if wire else ()), sys.executable, "-m", "vo.cli", *arguments]
        environment = {**addresses, **self.settings, **settings, "VO_DATA_DIR": str(self.data)}
        return self._run(name, command, environment)

    def web(self) -> Service:
        """Start a web server, and wait until it is ready."""
        port = free_port()
        part = self.vo("web", "web", VO_PORT=str(port))
        url = f"http://127.0.0.1:{port}"
        await_true(lambda: _is_ready(url), part.log.read_text)
        return Service(url, self.data, part.process)

    def workers(self, lane: str, *wires: Wire | None) -> list[Part]:
        """Start a worker behind each wire, and wait until all hear their calls."""
        alive = [self.data / f"{lane}-{number}.alive" for number in range(len(wires))]
        parts = [
            self.vo(file.stem, "worker", "--lane", lane, wire=wire, VO_ALIVE_FILE=str(file))
            for file, wire in zip(alive, wires, strict=True)
        ]
        await_true(lambda: all(file.exists() for file in alive), parts[0].log.read_text)
        return parts

    def _run(self, name: str, command: Sequence[str], environment: dict[str, str]) -> Part:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("VO_")}
        log = self.data / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                command, env={**inherited, **environment}, stdout=output, stderr=subprocess.STDOUT
            )
        self.stack.callback(_end, process)
        return Part(process, log)


@contextmanager
def cluster(data: Path, **settings: str) -> Iterator[Cluster]:
    """An empty one, whose parts end with the block."""
    quick = {
        "VO_LOG_FORMAT": "json",
        "VO_DUCKDB_MEMORY": "256MB",
        "VO_DUCKDB_THREADS": "1",
        **{f"VO_{lane}_WORKERS": "1" for lane in ("SYNC", "QUERY", "CUTOUT", "ANOMALY")},
    }
    with ExitStack() as stack:
        yield Cluster(data, {**quick, **settings}, stack)


def await_true(
    condition: Callable[[], object], told: Callable[[], str] = lambda: "", timeout_s: float = START_S
) -> None:
    """Wait for something that has to happen; `told` says more should it not."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, told()
        time.sleep(0.1)


def _is_ready(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"{url}/ready", timeout=5).status_code == 200
    return False


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
