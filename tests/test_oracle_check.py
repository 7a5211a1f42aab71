"""An Oracle that cannot be used is told before anything starts, with what to mend and no password."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from service import free_port

from vo import check
from vo.catalog import FORM, Catalog
from vo.config import Config
from vo.errors import ConfigError

pytest.importorskip("oracledb", reason="python-oracledb is not installed")

from oracle_wire import double as wire

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
"""The driver leaves a socket open that was refused."""


def _nothing_published(sql: str, _binds: list[object], _session: wire.Session) -> wire.Answer:
    if sql.startswith("SELECT"):
        raise wire.OraError(942, "table or view does not exist")
    return wire.counting(0)(sql, [], _session)


@pytest.fixture
def double() -> Iterator[wire.OracleDouble]:
    """A server with an account, and nothing that this account may read."""
    with wire.OracleDouble(_nothing_published) as running:
        yield running
    gc.collect()


@pytest.fixture
def config(double: wire.OracleDouble, tmp_path: Path, redis_url: str) -> Config:
    """Settings with which all but what is published is in order."""
    return Config(
        data_dir=tmp_path,
        state_url=redis_url,
        relay_url=redis_url,
        port=free_port(),
        oracle_dsn=double.dsn,
        oracle_user=double.user,
        oracle_password=double.password,
    )


FAULTS: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
    "nobody listens": (
        {"oracle_dsn": "127.0.0.1:{free}/survey"},
        ("127.0.0.1:{free}/survey does not answer", "mend VO_ORACLE_DSN"),
    ),
    "no such host": (
        {"oracle_dsn": "db.invalid:1521/survey"},
        ("db.invalid:1521/survey does not answer", "mend VO_ORACLE_DSN"),
    ),
    "a name that nobody explains": ({"oracle_dsn": "nobody knows"}, ("as it is set", "Mend VO_ORACLE_DSN")),
    "half an address": ({"oracle_dsn": "(DESCRIPTION=(ADDRESS="}, ("as it is set", "Mend VO_ORACLE_DSN")),
    "a port that is none": (
        {"oracle_dsn": "127.0.0.1:port/survey"},
        ("as it is set", "Mend VO_ORACLE_DSN"),
    ),
    "wrong password": ({"oracle_password": "a wrong secret"}, ("VO_ORACLE_USER and VO_ORACLE_PASSWORD",)),
    "nothing published": ({}, ("VO_CATALOG", "vo publish")),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named(name: str, config: Config, caplog: pytest.LogCaptureFixture) -> None:
    """`vo check`, a process of a cluster and `vo serve` say the same."""
    changes, words = FAULTS[name]
    free = str(free_port())
    wrong = replace(config, **{key: value.replace("{free}", free) for key, value in changes.items()})
    _is_named(wrong, [word.replace("{free}", free) for word in words], caplog)


def test_a_service_that_the_listener_does_not_know(
    config: Config, double: wire.OracleDouble, caplog: pytest.LogCaptureFixture
) -> None:
    """The part of the address behind the slash is wrong, or its database is not up."""
    double.refuse_with = 12514
    _is_named(config, [config.oracle_dsn, "knows no such service", "mend VO_ORACLE_DSN"], caplog)


@pytest.mark.parametrize(
    ("form", "words"), [(-1, "older version: load or publish"), (1, "newer version: upgrade")]
)
def test_a_catalogue_of_another_version(
    form: int, words: str, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    """Written by a service that kept it otherwise."""
    text = Catalog((), "sky").to_json().replace(f'"form": {FORM}', f'"form": {FORM + form}')
    answers = wire.giving((wire.Column("c1", "VARCHAR2"),), [(text,)])
    with wire.OracleDouble(answers) as published:
        _is_named(replace(config, oracle_dsn=published.dsn), ["VO_CATALOG", words], caplog)


def _is_named(config: Config, words: list[str], caplog: pytest.LogCaptureFixture) -> None:
    told = ""
    with suppress(ConfigError):
        for line in check.check(config):
            told += line if line.startswith("FAULT releases:") else ""
    assert [word for word in words if word not in told] == [], told
    assert config.oracle_password not in told
    for who in ("worker", "serve"):
        caplog.clear()
        with pytest.raises(ConfigError, match=r"Nothing was started; not in order: releases\."):
            check.start(config, who, patience_s=0)
        [logged] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
        assert [word for word in words if word not in logged] == [], logged
        assert config.oracle_password not in logged


@pytest.mark.parametrize("command", ["web", "serve"])
def test_nothing_is_half_started(config: Config, command: str) -> None:
    """The command ends with the fault on its last lines, and has left nothing behind."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("VO_")},
        "VO_STATE_URL": config.state_url,
        "VO_RELAY_URL": config.relay_url,
        "VO_ORACLE_DSN": config.oracle_dsn,
        "VO_ORACLE_USER": config.oracle_user,
        "VO_ORACLE_PASSWORD": "a wrong secret",
    }
    done = subprocess.run(
        [sys.executable, "-m", "vo.cli", command, "--data", str(config.data_dir), "--port", str(config.port)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "Mend VO_ORACLE_USER and VO_ORACLE_PASSWORD" in done.stderr
    assert done.stderr.splitlines()[-1] == "vo: Nothing was started; not in order: releases."
    assert "Traceback" not in done.stderr
    assert "wrong secret" not in done.stderr
    assert not (config.data_dir / "redis").exists()
