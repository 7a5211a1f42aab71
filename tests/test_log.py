"""Logs: a line an event, in one form, about its job, and nobody outside writes lines of their own."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asgi import Service as UwsService
from asgi import serving
from contracts.job_store import a_job
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vo.access import AccessLog
from vo.config import Config
from vo.errors import ConfigError
from vo.log import LONGEST, about, configure, logger

from asgi import Results  # isort: skip  a module of the tests


@pytest.fixture(autouse=True)
def _root_as_before() -> Iterator[None]:
    """Every test leaves logging as it was."""
    root, ours = logging.root, logging.getLogger("vo")
    before = root.handlers, root.level, ours.level
    yield
    root.handlers, root.level, ours.level = before
    logging.captureWarnings(capture=False)


def _written(form: str, act: Callable[[], object], level: str = "info") -> list[str]:
    stream = io.StringIO()
    configure(level, form, stream)
    act()
    return stream.getvalue().splitlines()


def _events(act: Callable[[], object], level: str = "info") -> list[dict[str, Any]]:
    return [json.loads(line) for line in _written("json", act, level)]


def test_an_event_is_a_line_of_json() -> None:
    """Words, values, level, time, module and process stand under names of their own."""
    (event,) = _events(lambda: logger("vo.test").info("job ended", rows=5))
    assert {name: event[name] for name in ("event", "rows", "level", "logger")} == {
        "event": "job ended",
        "rows": 5,
        "level": "info",
        "logger": "vo.test",
    }
    assert event["timestamp"].endswith("Z")
    assert isinstance(event["pid"], int)
    assert list(event)[:3] == ["timestamp", "level", "event"]


def test_other_loggers_go_the_same_way() -> None:
    """What libraries log and what Python warns of has the same form."""

    def act() -> None:
        logging.getLogger("library.part").warning("port %s is %s", 80, "taken")
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        events = _events(act)
    assert [event["logger"] for event in events] == ["library.part", "py.warnings"]
    assert events[0]["event"] == "port 80 is taken"


def test_every_line_about_a_job_names_it() -> None:
    """Within `about` lines of any module carry the job; afterwards they do not."""
    job = a_job(kind="tap-sync", lane="sync", owner="ada")

    def act() -> None:
        with about(job):
            logger("vo.a").info("one")
            logging.getLogger("celery.x").warning("two")
        logger("vo.a").info("three")

    *within, after = _events(act)
    facts = {"job_id": job.id, "kind": "tap-sync", "lane": "sync", "owner": "ada"}
    assert [{name: event.get(name) for name in facts} for event in within] == [facts, facts]
    assert not facts.keys() & after.keys()


def test_an_exception_is_part_of_its_line() -> None:
    """A traceback does not make lines of JSON that are none."""

    def act() -> None:
        try:
            _fail()
        except ZeroDivisionError:
            logger("vo.a").exception("failed")

    (event,) = _events(act)
    assert event["exception"].endswith("ZeroDivisionError: by\nzero")
    first, *trace = _written("text", act)
    assert "failed" in first
    assert all(line.startswith("  | ") for line in trace)


def _fail() -> None:
    raise ZeroDivisionError("by\nzero")


@given(st.text(), st.sampled_from(["json", "text"]))
def test_nobody_forges_a_line(text: str, form: str) -> None:
    """Whatever text is logged, as an event, as a value or by a library, one event is one line."""

    def act() -> None:
        logger("vo.a").warning(text, value=text)
        logging.getLogger("other").warning(text.replace("%", "%%"))

    lines = _written(form, act)
    assert len(lines) == 2
    assert "\x1b" not in "".join(lines)


def test_a_long_value_is_cut() -> None:
    """A query of a megabyte does not become a line of a megabyte."""
    (event,) = _events(lambda: logger("vo.a").info("x", sql="y" * 10 * LONGEST))
    assert len(event["sql"]) < LONGEST + 100


def test_levels_hold() -> None:
    """What is below the level is not written, and libraries begin at warnings."""

    def act() -> None:
        logger("vo.a").debug("no")
        logger("vo.a").info("yes")
        logging.getLogger("library.part").info("no")

    assert [event["event"] for event in _events(act)] == ["yes"]
    assert [event["event"] for event in _events(act, "debug")] == ["no", "yes"]


@pytest.mark.parametrize(("level", "form"), [("loud", "json"), ("info", "xml"), ("INFO", "json"), ("", "")])
def test_wrong_settings_are_named(level: str, form: str) -> None:
    """A setting that cannot be is refused with what it can be."""
    with pytest.raises(ConfigError, match="must be one of"):
        configure(level, form)


def _app(tmp_path: Path) -> tuple[AccessLog, CollectorRegistry]:
    registry = CollectorRegistry()
    return AccessLog(UwsService(Config(), Results(tmp_path)).app(), registry), registry


def test_a_request_is_a_line(tmp_path: Path) -> None:
    """Method, path, status, time, bytes and the job; not what was asked for."""
    app, registry = _app(tmp_path)

    def act() -> None:
        with serving(app) as client:
            made = client("POST", "/tap/async", data={"QUERY": "SELECT secret"})
            client("GET", f"{made.headers['location'].partition('//')[2].partition('/')[2]}?WAIT=0&x=secret")
            client("GET", "/a%0Ab")
            client("FOO\x21", "/")

    created, shown, missing, odd = (event for event in _events(act) if event["event"] == "request")
    assert (created["method"], created["path"], created["status"]) == ("POST", "/tap/async", 303)
    assert shown["job_id"] == created["job_id"]
    assert shown["path"] == f"/tap/async/{created['job_id']}"
    assert shown["bytes"] > 500
    assert shown["ms"] > 0
    assert (missing["path"], missing["status"]) == ("/a\nb", 404)
    assert "job_id" not in missing
    assert odd["method"] == "other"
    assert "secret" not in json.dumps([created, shown])
    assert b'vo_http_request_seconds_count{method="POST",status="303"} 1.0' in generate_latest(registry)


def test_an_answer_that_broke_off_says_so() -> None:
    """An application that fails in the middle of an answer, or before it, leaves a line all the same."""

    async def broken(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"12345", "more_body": True})
        raise OSError

    async def gone(_scope: Scope, _receive: Receive, _send: Send) -> None:
        return

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_: Message) -> None:
        return

    async def ask(app: ASGIApp) -> None:
        scope = {"type": "http", "method": "GET", "path": "/x"}
        try:
            await AccessLog(app, CollectorRegistry())(scope, receive, send)
        except OSError:
            return

    half, none = _events(lambda: (asyncio.run(ask(broken)), asyncio.run(ask(gone))))
    assert (half["status"], half["bytes"], half["incomplete"]) == (200, 5, True)
    assert (none["status"], none["incomplete"]) == (499, True)
