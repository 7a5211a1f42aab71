"""The image as a cluster would run it, on loopback: each part from it, without rights, its root read-only.

    .venv/bin/python container/check.py [IMAGE]     (make image-check)

Two Redis servers, a worker a lane and the web server run in chroots of their own inside the image, with what
the image says of its environment, user and entry point; nothing but /data, /images and /tmp can be written.
The sample release is loaded and questions are asked, each with its answer. Needs root and buildah.
"""

from __future__ import annotations

import io
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
import pyvo
from astropy.io import fits
from astropy.table import Table

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


def _sync(url: str) -> str:
    rows = pyvo.dal.TAPService(f"{url}/tap").search("SELECT TOP 1000 ra, dec FROM sim1.main")
    assert len(rows) == 1000, rows
    return f"{len(rows)} rows of sim1.main"


def _async(url: str) -> str:
    job = pyvo.dal.TAPService(f"{url}/tap").submit_job("SELECT COUNT(*) AS n FROM sim1.main")
    job.run().wait(timeout=120)
    [row] = job.fetch_result()
    assert row["n"] > 400_000, row
    job.delete()
    return f"a job, which counted {row['n']:,}"


def _image(url: str) -> str:
    service = pyvo.dal.TAPService(f"{url}/tap")
    [row] = service.search("SELECT TOP 1 s_ra, s_dec, access_url FROM ivoa.obscore")
    answer = httpx.get(row["access_url"], timeout=60)
    assert answer.status_code == 200, answer.text
    return "the links of an image"


def _cutout(url: str) -> str:
    [row] = pyvo.dal.TAPService(f"{url}/tap").search("SELECT TOP 1 s_ra, s_dec FROM ivoa.obscore")
    form = {"RA": row["s_ra"], "DEC": row["s_dec"], "SIZE": 1, "BANDS": "g", "FORMAT": "fits"}
    answer = httpx.get(f"{url}/cutout", params=form, timeout=120)
    assert answer.status_code == 200, answer.text
    with fits.open(io.BytesIO(answer.content)) as stamp:
        shape = next(hdu.data.shape for hdu in stamp if hdu.data is not None)
    assert min(shape) > 10, shape
    return f"a stamp of {shape[1]} x {shape[0]} pixels"


def _anomaly(url: str) -> str:
    form = {"QUERY": "SELECT * FROM sim1.main WHERE mag_auto_i < 22", "RESPONSEFORMAT": "csv", "PHASE": "RUN"}
    features = "mag_auto_g - mag_auto_r AS g_r, mag_auto_r - mag_auto_i AS r_i"
    created = httpx.post(f"{url}/anomaly/async", data={**form, "FEATURES": features, "TOP": "25"}, timeout=60)
    assert created.status_code == 303, created.text
    job = created.headers["location"]
    deadline = time.monotonic() + START_S
    while (phase := httpx.get(f"{job}/phase").text) in ("QUEUED", "EXECUTING"):
        assert time.monotonic() < deadline, phase
        time.sleep(0.2)
    assert phase == "COMPLETED", httpx.get(f"{job}/error").text
    strangest = httpx.get(f"{job}/results/result").text.splitlines()
    assert len(strangest) > 25, strangest
    return f"the {len(strangest) - 1:,} rows of a job"


def _regions(url: str) -> str:
    """Shapes in columns, and rows that come along: both have loops of their own."""
    service = pyvo.dal.TAPService(f"{url}/tap")
    [row] = service.search("SELECT TOP 1 s_ra AS ra, s_dec AS dec FROM ivoa.obscore")
    mine = Table({"ra": [row["ra"]], "dec": [row["dec"]]})
    met = service.search(
        "SELECT o.s_region, AREA(o.s_region) AS extent, CENTROID(o.s_region) AS middle "
        "FROM ivoa.obscore AS o JOIN TAP_UPLOAD.mine AS m ON 1 = CONTAINS(POINT(m.ra, m.dec), o.s_region) "
        "WHERE 1 = INTERSECTS(o.s_region, CIRCLE(m.ra, m.dec, 0.1))",
        uploads={"mine": mine},
    )
    assert len(met), "no image has its own middle"
    return f"{len(met)} images of a table's position"


def _footprint(url: str) -> str:
    """Maps, coverage, and the tiles of positions, which have loops of their own."""
    [row] = pyvo.dal.TAPService(f"{url}/tap").search("SELECT TOP 1 s_ra, s_dec FROM ivoa.obscore")
    table = f"ra,dec\n{row['s_ra']},{row['s_dec']}\n"
    tiles = httpx.post(f"{url}/footprint/tiles", files={"t": ("positions.csv", table)}, timeout=120)
    assert tiles.status_code == 200, tiles.text
    for path in ("moc?TABLE=sim1.main&ORDER=8&RESPONSEFORMAT=ascii", "moc?BAND=g&RESPONSEFORMAT=json"):
        moc = httpx.get(f"{url}/footprint/{path}", timeout=120)
        assert moc.status_code == 200, moc.text
    picture = httpx.get(f"{url}/footprint/map?TABLE=sim1.main&ORDER=7&RESPONSEFORMAT=png", timeout=120)
    assert picture.status_code == 200, picture.text
    return f"tiles of positions, coverage, and a map of {len(picture.content):,} bytes"


QUESTIONS: dict[str, Callable[[str], str]] = {
    "TAP sync": _sync,
    "TAP async": _async,
    "regions": _regions,
    "DataLink": _image,
    "footprint": _footprint,
    "cutout": _cutout,
    "anomaly": _anomaly,
}


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
