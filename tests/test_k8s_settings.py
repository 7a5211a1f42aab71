"""The manifests of k8s/ and the code agree: on settings, commands, directories, passwords and accounts."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import reduce
from pathlib import Path

import pytest
from manifests import OVERLAYS, Manifest, NoRendererError, Pod, of_kind, pods, rendered
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry
from service import free_port

from vo.cli import parsed
from vo.config import Config, variable
from vo.serve import redis_server
from vo.watch.watcher import WatchOptions

Documents = tuple[Manifest, ...]

ELSEWHERE = {
    "data_dir": "the image says where volumes are mounted",
    "images_dir": "the image says where volumes are mounted",
    "host": "the image listens everywhere: network policies say who may ask",
    "port": "Service, probes and health check rely on the default",
    "state_url": "it has a password: every pod makes it from the Secret",
    "relay_url": "it has a password: every pod makes it from the Secret",
    "relay_dir": "pods share no memory",
    "drain_s": "each kind of pod has its own, in keeping with its terminationGracePeriodSeconds",
    "leave_s": "only web servers are sent requests",
    "alive_file": "only what is probed by it",
    "sweep_interval_s": "the CronJob says how often",
    "oracle_password": "the Secret is mounted, and VO_ORACLE_PASSWORD_FILE names it",
    "oracle_wallet_password": "a secret: an overlay whose wallet has one adds it by secretKeyRef",
    "oracle_wait_s": "its default goes with VO_ORACLE_CONNECTIONS",
}
"""Settings that are in no ConfigMap, with the reason."""

OWN = {
    "base_url": "links need the public address",
    "proxies": "network policies let nobody but the proxy in",
    "log_format": "logs are collected",
    "duckdb_memory": "that of a web server; workers have that of their lane",
    "upload_from": "no policy opens a way out",
}
"""Settings of the base that are not the defaults of the code, with the reason."""

POD_OWN = {
    "VO_DRAIN_S",
    "VO_LEAVE_S",
    "VO_ALIVE_FILE",
    "VO_DUCKDB_MEMORY",
    "VO_ORACLE_USER",
    "VO_ORACLE_CATALOG",
}
"""What may be set for one kind of pod alone."""

KEPT = {
    "web": ("results_dir", "models_dir"),
    "worker sync": ("results_dir",),
    "worker query": ("results_dir",),
    "worker cutout": ("results_dir",),
    "worker anomaly": ("results_dir", "models_dir"),
    "sweep": ("results_dir", "models_dir"),
    "watch": ("models_dir", "watch_dir"),
    "check": ("results_dir",),
}
"""Which directories of a kind of pod outlive it, and are shared with others."""


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> Documents:
    """The documents of each overlay in turn."""
    return _rendered(request.param)


def _rendered(name: str) -> Documents:
    try:
        return rendered(name)
    except NoRendererError as reason:
        pytest.skip(str(reason))


def _ours(documents: Documents) -> list[Pod]:
    return [pod for pod in pods(documents) if pod.is_ours]


def _settings(documents: Documents) -> dict[str, str]:
    [data] = (
        document["data"]
        for name, document in of_kind(documents, "ConfigMap").items()
        if name.startswith("settings-")
    )
    return data  # type: ignore[no-any-return]  # YAML


def _command(pod: Pod, documents: Documents) -> list[str]:
    """The arguments as Kubernetes fills in variables."""
    known = pod.environment(documents)
    return [re.sub(r"\$\((\w+)\)", lambda found: known[found[1]], word) for word in pod.container["args"]]


def test_settings_are_those_of_the_code(overlay: Documents) -> None:
    """Every pod of ours starts with its variables: each is a setting, of the right form."""
    for pod in _ours(overlay):
        config = Config.from_env(_vo_variables(pod, overlay))
        app = pod.labels["app"]
        if app != "load":
            assert config.state_url == "redis://:$(REDIS_PASSWORD)@state:6379/0", pod.name
        if app not in ("load", "watch"):
            assert config.relay_url == "redis://:$(REDIS_PASSWORD)@relay:6379/0", pod.name


def _vo_variables(pod: Pod, documents: Documents) -> dict[str, str]:
    return {name: value for name, value in pod.environment(documents).items() if name.startswith("VO_")}


def test_settings_of_all_pods_agree(overlay: Documents) -> None:
    """What is set for one pod alone concerns that pod alone."""
    for pod in _ours(overlay):
        names = {entry["name"] for entry in pod.container.get("env", ())}
        assert names <= POD_OWN | {"REDIS_PASSWORD", "VO_STATE_URL", "VO_RELAY_URL"}, pod.name


def test_every_setting_has_its_place() -> None:
    """Each is in the ConfigMap, that of Oracle at the latest, or there is a reason; and none has both."""
    placed = set(_settings(_rendered("oracle")))
    names = {variable(setting.name) for setting in fields(Config)}
    excused = {variable(name) for name in ELSEWHERE}
    assert placed <= names
    assert names - placed == excused


def test_what_the_base_says_is_the_default_or_has_a_reason() -> None:
    """A default that changes in the code changes here, too."""
    documents = _rendered("oracle")
    config, usual = Config.from_env(_settings(documents)), Config()
    differing = {
        setting.name
        for setting in fields(Config)
        if getattr(config, setting.name) != getattr(usual, setting.name)
    }
    assert {name for name in differing if not name.startswith("oracle_")} == set(OWN)


def test_commands_are_those_of_the_code(overlay: Documents) -> None:
    """The command line takes the arguments of every pod."""
    for pod in _ours(overlay):
        options = parsed(_command(pod, overlay))
        assert (
            pod.labels["app"] == "worker"
            or pod.labels["app"] in options.run.__module__
            or (options.run.__module__ == "vo.commands.publish" and pod.labels["app"] == "load")
        ), pod.name


def test_a_watch_says_all_that_it_can_be_told() -> None:
    """Each of its options is in its ConfigMap, as it would be without."""
    documents = _rendered("watch")
    [watch] = (pod for pod in _ours(documents) if pod.labels["app"] == "watch")
    options = parsed(_command(watch, documents))
    told = {setting.name: getattr(options, setting.name) for setting in fields(WatchOptions)}
    assert WatchOptions(**told) == WatchOptions()
    assert len([word for word in watch.container["args"] if word.startswith("--")]) == len(told) + 1
    assert options.model.parent == Config(data_dir=Path("/data")).models_dir


def test_what_is_kept_is_on_a_volume(overlay: Documents) -> None:
    """What one pod leaves for another lies on a claim, not on what goes with the pod."""
    config = Config(data_dir=Path("/data"))
    for pod in _ours(overlay):
        kind = " ".join(filter(None, (pod.labels["app"], pod.labels.get("lane"))))
        for name in KEPT.get(kind, ()):
            assert _claim(pod, getattr(config, name)) == name.removesuffix("_dir"), pod.name


def test_a_load_into_oracle_goes_on_in_another_pod() -> None:
    """What is on its way lies on a claim, and failures are tried again; only publishing needs neither."""
    [load] = (pod for pod in _ours(_rendered("oracle")) if pod.labels["app"] == "load")
    assert _claim(load, Config(data_dir=Path("/data")).staging_dir) == "staging"
    assert _claim(load, Path("/source")) == "source"
    assert load.owner["spec"]["backoffLimit"] >= 3
    assert parsed(load.container["args"]).database == "oracle"


def _claim(pod: Pod, directory: Path) -> str:
    """The claim on which a directory lies."""
    mounts = {Path(mount["mountPath"]): mount["name"] for mount in pod.container["volumeMounts"]}
    volume = next(mounts[path] for path in (directory, *directory.parents) if path in mounts)
    [source] = (each for each in pod.spec["volumes"] if each["name"] == volume)
    return str(source.get("persistentVolumeClaim", {}).get("claimName"))


@pytest.mark.parametrize("name", ["oracle", "scale"])
def test_who_owns_the_tables_is_the_load_alone(name: str) -> None:
    """Its password is mounted where the settings look for one, and for the Job `load` only."""
    documents = _rendered(name)
    for pod in _ours(documents):
        config = Config.from_env(_vo_variables(pod, documents))
        [secret] = (each["secret"] for each in pod.spec["volumes"] if each["name"] == "oracle")
        owns = pod.labels["app"] == "load"
        assert secret["items"] == [{"key": "admin-password" if owns else "password", "path": "password"}]
        assert config.oracle_user == ("vo_admin" if owns else "vo_reader"), pod.name
        [mount] = (m["mountPath"] for m in pod.container["volumeMounts"] if m["name"] == "oracle")
        assert config.oracle_password_file == f"{mount}/password"


def test_who_brings_rows_may_do_nothing_else(tmp_path: Path) -> None:
    """The account `rows`, as the manifests give it to Redis, adds rows to any watch, and that is all."""
    with _state(tmp_path) as port:
        url = f"redis://{{}}127.0.0.1:{port}"
        with (
            Redis.from_url(url.format("rows:bring@")) as producer,
            Redis.from_url(url.format(":state@")) as owner,
        ):
            producer.xadd("vo:watch:alerts:rows", {"g_r": "0.4"})
            assert owner.xlen("vo:watch:alerts:rows") == 1
            for refused in (
                lambda: producer.xadd("vo:watch:alerts:found", {"score": "1"}),
                lambda: producer.xrange("vo:watch:alerts:rows"),
                producer.keys,
                lambda: producer.hgetall("vo:job:1"),
                producer.flushall,
            ):
                with pytest.raises(NoPermissionError):
                    refused()


@contextmanager
def _state(directory: Path) -> Iterator[int]:
    """The server of jobs with the arguments of the overlay `watch`; its port."""
    state = next(pod for pod in pods(_rendered("watch")) if pod.name == "StatefulSet/state")
    secrets = {"$(REDIS_PASSWORD)": "state", "$(ROWS_PASSWORD)": "bring", "/data": str(directory)}
    arguments = [
        reduce(lambda text, name: text.replace(name, secrets[name]), secrets, word)
        for word in state.container["args"]
    ]
    port = free_port()
    command = [redis_server(), "--port", str(port), "--bind", "127.0.0.1", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=directory) as server:
        try:
            with Redis.from_url(
                f"redis://:state@127.0.0.1:{port}", retry=Retry(ConstantBackoff(0.05), 200)
            ) as client:
                client.ping()
            yield port
        finally:
            server.terminate()
