"""What is not in order is named, with the way out, by `vo check` and by each process that starts."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from service import free_port

from vo import alive, check
from vo.anomaly.models import model_bytes
from vo.catalog import FORM as CATALOG_FORM
from vo.config import Config
from vo.errors import ConfigError
from vo.forest import Missing, Settings, fit, sample
from vo.forest.detector import Detector
from vo.serve import redis_server
from vo.uws.pool import Pool
from vo.uws.record import FORM


@pytest.fixture
def config(sample_data: Path, tmp_path: Path, redis_url: str) -> Config:
    """Settings with which all is in order."""
    (tmp_path / "releases").symlink_to(sample_data / "releases")
    return Config(data_dir=tmp_path, state_url=redis_url, relay_url=redis_url, duckdb_memory="256MB")


def _lines(config: Config) -> Iterator[str]:
    examined = check.check(config)
    while True:
        try:
            yield next(examined)
        except (StopIteration, ConfigError):
            return


def test_all_in_order_starts(config: Config) -> None:
    """No fault, and the job store knows from now on in which form its jobs are."""
    assert not [line for line in _lines(config) if line.startswith("FAULT")]
    check.start(config, "worker", patience_s=0)
    with Redis.from_url(config.state_url, decode_responses=True) as state:
        assert state.get(check.FORM_KEY) == str(FORM)


def _no_password(config: Config, _: pytest.MonkeyPatch) -> Config:
    return replace(config, state_url=config.state_url.replace("://", "://nobody:wrong@"))


def _wrong_address(config: Config, _: pytest.MonkeyPatch) -> Config:
    return replace(config, relay_url=f"redis://:secret@127.0.0.1:{free_port()}/0")


def _no_address(config: Config, _: pytest.MonkeyPatch) -> Config:
    return replace(config, state_url="state:6379")


def _no_account(config: Config, _: pytest.MonkeyPatch) -> Config:
    return replace(config, oracle_dsn="db.example.org:1521/survey")


def _no_password_of_oracle(config: Config, _: pytest.MonkeyPatch) -> Config:
    file = str(config.data_dir / "nowhere")
    return replace(config, oracle_dsn="db/survey", oracle_user="vo", oracle_password_file=file)


def _no_volume(config: Config, _: pytest.MonkeyPatch) -> Config:
    config.results_dir.write_text("not a directory")
    return config


def _clock_behind(config: Config, monkeypatch: pytest.MonkeyPatch) -> Config:
    now = time.time
    monkeypatch.setattr(check.time, "time", lambda: now() - 120)  # type: ignore[attr-defined]  # a module
    return config


def _older_jobs(config: Config, _: pytest.MonkeyPatch) -> Config:
    with Redis.from_url(config.state_url) as state:
        state.set(check.FORM_KEY, FORM - 1)
    return config


def _newer_jobs(config: Config, _: pytest.MonkeyPatch) -> Config:
    with Redis.from_url(config.state_url) as state:
        state.set(check.FORM_KEY, FORM + 1)
    return config


def _release_of(form: int) -> Callable[[Config, pytest.MonkeyPatch], Config]:
    def prepare(config: Config, _: pytest.MonkeyPatch) -> Config:
        sample = config.releases_dir.resolve()
        config.releases_dir.unlink()
        shutil.copytree(sample, config.releases_dir)
        with duckdb.connect(str(config.releases_dir / "sim1.duckdb")) as release:
            release.execute(
                "UPDATE vo_meta.catalog SET json = replace(json, ?, ?)",
                [f'"form": {CATALOG_FORM}', f'"form": {form}'],
            )
        return config

    return prepare


FAULTS: dict[str, tuple[Callable[[Config, pytest.MonkeyPatch], Config], str, tuple[str, ...]]] = {
    "missing secret": (_no_password, "state", ("refuses the password", "VO_STATE_URL")),
    "wrong address": (_wrong_address, "relay", ("does not answer", "VO_RELAY_URL")),
    "no address": (_no_address, "state", ("VO_STATE_URL is no address",)),
    "missing account": (_no_account, "releases", ("VO_ORACLE_USER is not set",)),
    "missing file of a secret": (_no_password_of_oracle, "releases", ("VO_ORACLE_PASSWORD_FILE", "nowhere")),
    "results that cannot be written": (_no_volume, "results", ("cannot be written", "read-write")),
    "a clock behind": (_clock_behind, "clock", ("120 s behind", "NTP")),
    "jobs of an older version": (_older_jobs, "state", ("an older version", "docs/operations.md")),
    "jobs of a newer version": (_newer_jobs, "state", ("a newer version", "docs/operations.md")),
    "a release of an older version": (
        _release_of(CATALOG_FORM - 1),
        "releases",
        ("sim1.duckdb", "older version", "vo load"),
    ),
    "a release of a newer version": (_release_of(CATALOG_FORM + 1), "releases", ("newer version: upgrade",)),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named(name: str, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """`vo check` says which part it is and what to do; a process that starts says the same, and does not."""
    prepare, part, words = FAULTS[name]
    wrong = prepare(config, monkeypatch)
    [fault] = [line for line in _lines(wrong) if line.startswith(f"FAULT {part}:")]
    assert [word for word in words if word not in fault] == []
    assert "secret@" not in fault
    with pytest.raises(ConfigError, match=f"Nothing was started; not in order: .*{part}"):
        check.start(wrong, "worker", patience_s=0)


def test_servers_that_start_are_waited_for(config: Config) -> None:
    """A Redis that comes a second later is no fault."""
    port = free_port()
    late = replace(config, relay_url=f"redis://127.0.0.1:{port}/0")
    program = "import os, sys, time; time.sleep(1); os.execv(sys.argv[1], sys.argv[1:])"
    command = [sys.executable, "-c", program, redis_server(), "--port", str(port), "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=config.data_dir) as server:
        try:
            check.start(late, "worker", patience_s=20)
        finally:
            server.terminate()


def test_a_full_volume_keeps_nobody_away(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """`vo check` finds it; processes start, as only a service can delete jobs."""

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    [fault] = [line for line in _lines(config) if line.startswith("FAULT")]
    assert fault.startswith("FAULT space:")
    assert "delete jobs" in fault
    check.start(config, "worker", patience_s=0)


@pytest.mark.parametrize(
    ("options", "part", "words"),
    [("ro", "results", "Read-only file system"), ("size=1m", "space", "delete jobs")],
)
def test_volumes_as_they_are(config: Config, options: str, part: str, words: str) -> None:
    """The same on a volume that is mounted read-only, and on one that is small."""
    config.results_dir.mkdir()
    script = f'mount -t tmpfs -o {options} tmpfs "$1" && shift && exec "$@"'
    command = [sys.executable, "-m", "vo.cli", "check", "--data", str(config.data_dir)]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", str(config.results_dir), *command],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare:" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr.strip()}")
    [fault] = [line for line in done.stdout.splitlines() if line.startswith("FAULT")]
    assert fault.startswith(f"FAULT {part}:")
    assert words in fault
    assert done.returncode == 1


def _run(config: Config, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command that should end by itself, with these settings alone."""
    return subprocess.run(
        [sys.executable, "-m", "vo.cli", *command, "--data", str(config.data_dir)],
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("VO_")},
            "VO_LOG_FORMAT": "json",
            "VO_PORT": str(free_port()),
            **settings,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _tells(done: subprocess.CompletedProcess[str], part: str, words: str) -> None:
    """It has ended with a line of log that names the part, and said last that nothing was started."""
    assert done.returncode == 1
    assert f'"part": "{part}"' in done.stderr
    assert words in done.stderr
    assert done.stderr.splitlines()[-1].startswith(f"vo: Nothing was started; not in order: {part}")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", ["web", "worker --lane query", "sweep", "anomaly watch {model} --name alerts"]
)
def test_nothing_is_half_started(config: Config, command: str) -> None:
    """A process whose secret is wrong ends at once, with a line of its log for each fault and the way out."""
    model = config.data_dir / "model.arrow"
    model.write_bytes(model_bytes(_detector()))
    words = [str(model) if word == "{model}" else word for word in command.split()]
    state_url = config.state_url.replace("://", "://nobody:wrong@")
    done = _run(config, *words, VO_STATE_URL=state_url, VO_RELAY_URL=config.relay_url)
    _tells(done, "state", "It belongs into VO_STATE_URL")


def _detector() -> Detector:
    rows = np.random.default_rng(1).normal(size=(2, 300))
    seen = sample.offered(sample.empty(3, 300, 2), rows, np.arange(300))
    return fit(seen, ("g_r", "r_i"), Settings(ntrees=5, sample_size=64), missing=[Missing.DROP] * 2)


def test_a_service_of_another_version_starts_nothing(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    """`vo serve` looks before it starts anything, and leaves nothing behind."""
    _release_of(CATALOG_FORM - 1)(config, monkeypatch)
    _tells(_run(config, "serve"), "releases", "vo load")
    assert not (config.data_dir / "redis").exists()


def test_a_port_that_is_taken_starts_nothing(config: Config) -> None:
    """Neither the whole service nor a web server, and both say which."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        words = f"Port {port} of 127.0.0.1 cannot be listened on: Address already in use"
        _tells(_run(config, "serve", "--port", str(port)), "address", words)
        assert not (config.data_dir / "redis").exists()
        with pytest.raises(ConfigError, match="Nothing was started; not in order: address"):
            check.start(replace(config, port=port), "web", patience_s=0)


@pytest.mark.parametrize(
    ("host", "port"), [("nowhere.invalid", 8000), ("192.0.2.1", 8000), ("127.0.0.1", 70_000)]
)
def test_an_address_that_is_not_ours_is_a_fault(config: Config, host: str, port: int) -> None:
    """Names that nobody knows, addresses of others, ports that are none."""
    with pytest.raises(ConfigError, match="address"):
        check.start(replace(config, host=host, port=port), "port", patience_s=0)


def test_jobs_of_another_version_start_no_worker(config: Config) -> None:
    """Of its own Redis `vo serve` knows only once that runs: it ends that, and has started nothing else."""
    directory = config.data_dir / "redis"
    directory.mkdir()
    port, files = free_port(), ["--dir", str(directory), "--appendonly", "yes", "--save", ""]
    command = [redis_server(), "--port", str(port), *files]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        with Redis.from_url(f"redis://127.0.0.1:{port}", retry=Retry(ConstantBackoff(0.05), 200)) as state:
            state.set(check.FORM_KEY, FORM - 1)
        server.terminate()
    done = _run(config, "serve")
    _tells(done, "state", "those of an older version")
    assert "vo.worker" not in done.stderr
    assert not (config.data_dir / "tmp").exists() or not list((config.data_dir / "tmp").iterdir())


@pytest.mark.parametrize("command", [["serve"], ["serve", "--sample"]])
def test_a_directory_that_cannot_be_is_told(config: Config, command: list[str]) -> None:
    """Before anything is built or started."""
    (config.data_dir / "file").touch()
    done = _run(replace(config, data_dir=config.data_dir / "file" / "data"), *command)
    assert done.returncode == 1
    assert "data cannot be written: Not a directory. Set VO_DATA_DIR, or --data" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_worker_that_hears_no_call_is_not_alive() -> None:
    """One that has a free process and has heard nothing for long; not one that is busy, or ends."""
    pool = Pool(2)
    assert not pool.is_deaf(60)
    assert pool.is_deaf(-1)
    for index in (0, 1):
        pool.seat(index).beat()
    assert not pool.is_deaf(-1)
    pool.seat(1).rest()
    assert pool.is_deaf(-1)
    pool.drain()
    assert not pool.is_deaf(-1)


def test_the_check_of_a_container(tmp_path: Path) -> None:
    """A worker's file tells by its age, a web server by its answer; each fault is named."""
    file = tmp_path / "alive"
    environ = {"VO_ALIVE_FILE": str(file)}
    assert "cannot be seen" in str(alive.problem(environ))
    file.touch()
    assert alive.problem(environ) is None
    os.utime(file, (0, 0))
    assert "last touched" in str(alive.problem(environ))
    assert "does not answer" in str(alive.problem({"VO_PORT": str(free_port())}))
