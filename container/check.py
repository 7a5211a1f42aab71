"""The image as a cluster would run it, on loopback: each part from it, without rights, its root read-only.

    .venv/bin/python container/check.py [IMAGE]     (make image-check)

Two Redis servers, a worker a lane and the web server run in chroots of their own inside the image, with what
the image says of its environment, user and entry point; nothing but /data, /images and /tmp can be written.
The sample release is loaded and questions are asked, each with its answer. Needs root and buildah.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from questions import QUESTIONS, kept_model
from redis import Redis

IMAGE = "localhost/vo"
START_S = 300
PASSWORD = "loopback"
ENVIRONMENT = {"STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}

ENTER = """
set -eu
mount --bind "$ROOT" "$PLACE"
mount -o remount,bind,ro "$PLACE"
mount --bind "$DATA" "$PLACE/data"
mount --bind "$IMAGES" "$PLACE/images"
mount -o remount,bind,$IMAGES_MODE "$PLACE/images"
mount -t tmpfs tmpfs "$PLACE/tmp"
chmod 1777 "$PLACE/tmp"
mount --rbind /proc "$PLACE/proc"
mount --rbind /dev "$PLACE/dev"
exec chroot --userspec="$USER_OF_IMAGE" "$PLACE" "$@"
"""
"""A container in a dozen lines: the image, read-only, and what is mounted into it."""


@dataclass(frozen=True)
class Image:
    """What the image is, and says about itself."""

    root: Path
    environment: dict[str, str]
    user: str
    entrypoint: tuple[str, ...]
    health: tuple[str, ...]


@dataclass
class Container:
    """One process from the image."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    place: Path

    def inside(self, *command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Run another program in it, as its user."""
        enter = ["nsenter", "--target", str(self.process.pid), "--mount"]
        shown = [*enter, "chroot", "--userspec=10001:10001", str(self.place), *command]
        return subprocess.run(shown, env=environment, capture_output=True, text=True, check=False)

    def tail(self) -> str:
        """The end of what it said."""
        return self.log.read_text(errors="replace")[-3000:]


@dataclass
class Host:
    """Where containers are run, and the settings that all of them get."""

    image: Image
    scratch: Path
    stack: ExitStack
    settings: dict[str, str]

    @property
    def environment(self) -> dict[str, str]:
        """What every program inside sees."""
        return {**self.image.environment, **self.settings}

    def start(self, name: str, *command: str, images: str = "ro", **settings: str) -> Container:
        """Start one container; `images` is how that volume is mounted."""
        place, log = self.scratch / f"root-{name}", self.scratch / f"{name}.log"
        place.mkdir()
        mounts = {
            "ROOT": str(self.image.root),
            "PLACE": str(place),
            "DATA": str(self.scratch / "data"),
            "IMAGES": str(self.scratch / "images"),
            "IMAGES_MODE": images,
            "USER_OF_IMAGE": self.image.user,
        }
        shell = ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, name, *command]
        with log.open("wb") as output:
            process = subprocess.Popen(
                shell,
                env={**self.environment, **settings, **mounts},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.stack.callback(_end, process)
        return Container(name, process, log, place)

    def vo(self, name: str, *arguments: str, images: str = "ro", **settings: str) -> Container:
        """Start the image as its entry point has it."""
        return self.start(name, *self.image.entrypoint, *arguments, images=images, **settings)


def main() -> int:
    """Run everything once; 0 when all answers are right."""
    if os.geteuid() != 0:
        sys.exit("Chroots need root.")
    with ExitStack() as stack:
        image = stack.enter_context(_mounted(sys.argv[1] if len(sys.argv) > 1 else IMAGE))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vo-image-")))
        host = Host(image, scratch, stack, _settings())
        for volume in ("data", "images"):
            (scratch / volume).mkdir()
            os.chown(scratch / volume, 10001, 10001)
        _tell("load --sample", lambda: _loaded(host))
        containers = _started(host)
        url = f"http://127.0.0.1:{host.settings['VO_PORT']}"
        _tell("ready", lambda: _ready(url, containers))
        for name, question in QUESTIONS.items():
            _tell(name, lambda question=question: question(url))  # type: ignore[misc]  # bound at once
        _tell("watch", lambda: _watched(host, url, containers))
        _tell("compiled", lambda: _compiled(host, containers))
        _tell("health", lambda: _healthy(host, containers))
        _tell("no rights", lambda: _without_rights(host, containers[-1]))
        _tell("end", lambda: _ended(containers))
    return 0


def _tell(name: str, step: Callable[[], str]) -> None:
    began = time.monotonic()
    told = step()
    print(f"{name:<14} {told} ({time.monotonic() - began:.1f} s)", flush=True)


@contextmanager
def _mounted(name: str) -> Iterator[Image]:
    container = _buildah("from", name)
    try:
        root = Path(_buildah("mount", container))
        told = json.loads(_buildah("inspect", container))["Docker"]["config"]
        environment = dict(entry.split("=", 1) for entry in told["Env"])
        health = tuple(told["Healthcheck"]["Test"][1:])
        yield Image(root, environment, told["User"], tuple(told["Entrypoint"]), health)
    finally:
        _buildah("rm", container)


def _buildah(*arguments: str) -> str:
    done = subprocess.run(
        ["buildah", *arguments],
        env={**os.environ, **ENVIRONMENT},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def _settings() -> dict[str, str]:
    ports = {name: _free_port() for name in ("web", "state", "relay")}
    return {
        "VO_HOST": "127.0.0.1",
        "VO_PORT": str(ports["web"]),
        "VO_STATE_URL": f"redis://:{PASSWORD}@127.0.0.1:{ports['state']}",
        "VO_RELAY_URL": f"redis://:{PASSWORD}@127.0.0.1:{ports['relay']}",
        "VO_SYNC_WORKERS": "1",
        "VO_QUERY_WORKERS": "1",
    }


def _loaded(host: Host) -> str:
    loader = host.vo("load", "load", "--sample", images="rw")
    assert loader.process.wait(timeout=600) == 0, loader.tail()
    return "the sample release, by a process that may write the images"


def _started(host: Host) -> list[Container]:
    """Redis, a worker a lane, and the web server, last."""
    program = "from vo.serve import redis_server; print(redis_server())"
    redis = _output(host, "python", "-c", program)
    for name in ("state", "relay"):
        port = host.settings[f"VO_{name.upper()}_URL"].rpartition(":")[2]
        options = ["--bind", "127.0.0.1", "--port", port, "--requirepass", PASSWORD, "--save", ""]
        kept = ["--appendonly", "yes", "--dir", "/data"] if name == "state" else ["--dir", "/tmp"]
        host.start(name, redis, *options, *kept)
    lanes = _output(host, "python", "-c", "from vo.jobs import LANES; print(*LANES)").split()
    workers = [
        host.vo(f"worker-{lane}", "worker", "--lane", lane, VO_ALIVE_FILE="/tmp/alive") for lane in lanes
    ]
    return [*workers, host.vo("web", "web")]


def _output(host: Host, *command: str) -> str:
    asked = host.start(f"ask-{len(list(host.scratch.iterdir()))}", *command)
    assert asked.process.wait(timeout=START_S) == 0, asked.tail()
    return asked.log.read_text().strip().splitlines()[-1]


def _ready(url: str, containers: Sequence[Container]) -> str:
    deadline = time.monotonic() + START_S
    while True:
        with suppress(httpx.HTTPError):
            lanes = httpx.get(f"{url}/status", headers={"Accept": "application/json"}).json()["lanes"]
            if httpx.get(f"{url}/ready").status_code == 200 and all(lane["workers"] for lane in lanes):
                return f"the web server and workers of {', '.join(lane['name'] for lane in lanes)}"
        for container in containers:
            assert container.process.poll() is None, f"{container.name}: {container.tail()}"
        assert time.monotonic() < deadline, containers[-1].tail()
        time.sleep(0.2)


def _watched(host: Host, url: str, containers: list[Container]) -> str:
    """A model that is kept scores rows as they come; whoever does it joins the other containers."""
    model = kept_model(url)
    arguments = ["anomaly", "watch", f"/data/models/{model}.arrow", "--name", "checked"]
    watch = host.vo("watch", *arguments, VO_ALIVE_FILE="/tmp/alive")
    containers.insert(0, watch)
    with Redis.from_url(host.settings["VO_STATE_URL"]) as state:
        for turn in range(100):
            state.xadd("vo:watch:checked:rows", {"g_r": str(turn / 50), "r_i": "0.3"})
    deadline = time.monotonic() + START_S
    numbers = {"rows": 0}
    while numbers["rows"] < 100:
        assert watch.process.poll() is None, watch.tail()
        assert time.monotonic() < deadline, watch.tail()
        time.sleep(0.2)
        answer = httpx.get(f"{url}/anomaly/watch/checked")
        numbers = answer.json() if answer.status_code == 200 else numbers
    return f"{numbers['rows']} rows scored as they came, {numbers['found']} of them strange"


def _compiled(host: Host, containers: Sequence[Container]) -> str:
    """Whether the loops of the image were good enough for all."""
    others = "cd /tmp/numba && find . -type f ! -exec cmp -s {} /opt/vo/numba/{} ';' -print"
    for container in containers:
        done = container.inside("sh", "-c", others, environment=host.environment)
        assert done.returncode == 0, done.stderr
        assert not done.stdout, f"{container.name} has compiled: {done.stdout}"
    return "nothing: all loops came with the image"


def _healthy(host: Host, containers: Sequence[Container]) -> str:
    for container in containers:
        is_web = container.name == "web"
        environment = host.environment | ({} if is_web else {"VO_ALIVE_FILE": "/tmp/alive"})
        done = container.inside(*host.image.health, environment=environment)
        assert done.returncode == 0, f"{container.name}: {done.stderr}"
    return f"{len(containers)} of {len(containers)} by the image's own check"


def _without_rights(host: Host, container: Container) -> str:
    for command in ("touch /opt/vo/x", "touch /x", "touch /images/x"):
        done = container.inside("sh", "-c", command, environment=host.environment)
        assert done.returncode != 0, f"{command} worked"
        assert "Read-only" in done.stderr, done.stderr
    user = container.inside("id", "-u", environment=host.environment).stdout.strip()
    assert user == "10001", user
    return f"user {user}; root and images are read-only"


def _ended(containers: Sequence[Container]) -> str:
    for container in containers:
        container.process.send_signal(signal.SIGTERM)
    for container in containers:
        container.process.wait(timeout=30)
    return "all parts, by SIGTERM"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what is left; all of a container is one session, whose mounts go with it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
