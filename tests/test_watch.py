"""Watches: rows in by Redis, anomalies out by Redis and as events, whatever ends those who score."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis
from service import Service, free_port

from vo.data_dir import state_url_of
from vo.errors import UsageError
from vo.forest import Missing, Settings, fit, sample, score
from vo.forest.detector import Detector
from vo.forest.files import detector_table, read_detector
from vo.watch.checkpoint import Checkpoint
from vo.watch.streams import Keys
from vo.watch.watcher import Watcher, WatchOptions
from vo.watch.window import Window

NAMES = ("g_r", "r_i")
RNG = np.random.default_rng(5)


def cloud(rows: int, middle: float = 0.0) -> np.ndarray:
    """Two features of ordinary rows."""
    return RNG.normal(middle, 1, (2, rows))


@pytest.fixture(scope="module")
def detector() -> Detector:
    """A model of a cloud about the origin."""
    settings = Settings(ntrees=50, sample_size=128, seed=3)
    seen = sample.offered(sample.empty(3, 5000, 2), cloud(5000), np.arange(5000))
    return fit(seen, NAMES, settings, missing=[Missing.DROP, Missing.MEDIAN])


@pytest.fixture(scope="module")
def model(detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its file."""
    path = tmp_path_factory.mktemp("model") / "model.arrow"
    table = detector_table(detector)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return path


def arrow(columns: np.ndarray, **more: Any) -> dict[bytes, bytes]:
    """Rows as an entry."""
    table = pa.table({**dict(zip(NAMES, columns, strict=True)), **more})
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return {b"arrow": out.getvalue()}


@contextmanager
def watching(url: str, keys: Keys, detector: Detector, directory: Path, **options: Any) -> Iterator[Redis]:
    """A watcher at work in a thread, and a client."""
    stop = threading.Event()
    with Redis.from_url(url) as client, Redis.from_url(url) as other:
        watcher = Watcher(client, keys, detector, WatchOptions(**options), directory)
        thread = threading.Thread(target=watcher.run, args=[stop])
        thread.start()
        try:
            yield other
        finally:
            stop.set()
            thread.join()


def until_done(client: Redis, keys: Keys, rows: int) -> dict[bytes, bytes]:
    """The numbers of a watch once it has scored so many rows."""
    deadline = time.monotonic() + 60
    while True:
        numbers: Any = client.hgetall(keys.numbers)
        if int(numbers.get(b"rows", 0)) + int(numbers.get(b"broken", 0)) >= rows and not client.xlen(
            keys.rows
        ):
            return dict(numbers)
        assert time.monotonic() < deadline, numbers
        time.sleep(0.02)


def test_rows_are_scored_and_the_strange_told(redis_url: str, detector: Detector, tmp_path: Path) -> None:
    """Single rows and Arrow alike: what is told has the score of the model, and its row as it came."""
    keys, columns = Keys("w"), cloud(1000)
    columns[:, 17] = 9, -9
    with watching(redis_url, keys, detector, tmp_path, threshold=0.7, trees=0) as client:
        client.xadd(keys.rows, arrow(columns, name=[f"o{i}" for i in range(1000)]))
        client.xadd(keys.rows, {"g_r": "-9.5", "r_i": "9.5", "id": "7", "note": ""})
        numbers = until_done(client, keys, 1001)
        found: Any = client.xrange(keys.found)
    expected = score(detector, columns)
    assert {json.loads(fields[b"row"])["name"] for _, fields in found[:-1]} == {
        f"o{i}" for i in np.flatnonzero(expected >= 0.7)
    }
    assert "o17" in {json.loads(fields[b"row"])["name"] for _, fields in found[:-1]}
    assert float(found[0][1][b"score"]) == expected[expected >= 0.7][0]
    assert json.loads(found[-1][1][b"row"]) == {"g_r": "-9.5", "r_i": "9.5", "id": "7", "note": ""}
    assert (int(numbers[b"rows"]), int(numbers[b"found"])) == (1001, len(found))


def test_a_watch_shows_that_it_lives(detector: Detector, tmp_path: Path) -> None:
    """Its file is touched as long as it asks for rows, also where no Redis answers."""
    alive, stop = tmp_path / "alive", threading.Event()
    with Redis.from_url(f"redis://127.0.0.1:{free_port()}") as nobody:
        watcher = Watcher(nobody, Keys("alone"), detector, WatchOptions(), tmp_path)
        thread = threading.Thread(target=watcher.run, args=[stop, alive])
        thread.start()
        try:
            for _ in range(2):
                deadline = time.monotonic() + 60
                while not alive.exists() or alive.stat().st_mtime == 0:
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
                os.utime(alive, (0, 0))
        finally:
            stop.set()
            thread.join()


def test_what_cannot_be_scored_is_kept_with_the_reason(
    redis_url: str, detector: Detector, tmp_path: Path
) -> None:
    """Words for numbers, missing columns, no Arrow, a value that must be there: none stops the others."""
    keys = Keys("w")
    with watching(redis_url, keys, detector, tmp_path, threshold=0.7) as client:
        client.xadd(keys.rows, {"g_r": "red", "r_i": "1"})
        client.xadd(keys.rows, {"r_i": "1"})
        client.xadd(keys.rows, {"arrow": b"no stream"})
        client.xadd(keys.rows, {"arrow": arrow(cloud(3))[b"arrow"][:-30]})
        client.xadd(keys.rows, {"g_r": "0", "r_i": "0"})
        deadline = time.monotonic() + 30
        while client.xlen(keys.rows) and time.monotonic() < deadline:
            time.sleep(0.02)
        broken: Any = client.xrange(keys.broken)
        assert client.hget(keys.numbers, "broken") == b"4"
    reasons = sorted(fields[b"reason"].decode() for _, fields in broken)
    assert [reason.split(":")[0][:20] for reason in reasons] == [
        "A value is missing",
        "It is no stream of A",
        "It is no stream of A",
        "g_r is b'red', which",
    ]


def test_nothing_is_lost_when_a_watcher_is_killed(redis_url: str, model: Path, tmp_path: Path) -> None:
    """Kill -9 in the middle, twice: every anomaly is told at least once, and no row stays."""
    keys, batches = Keys("killed"), 120
    command = [sys.executable, "-m", "vo.cli", "anomaly", "watch", str(model), "--name", keys.name]
    options = [
        "--claim",
        "0.5",
        "--batch",
        "3",
        "--trees",
        "0",
        "--threshold",
        "0.7",
        "--data",
        str(tmp_path),
    ]
    environment = {**os.environ, "VO_STATE_URL": redis_url}
    with Redis.from_url(redis_url) as client:
        for batch in range(batches):
            columns = cloud(2000)
            columns[:, 0] = 12, -12
            client.xadd(keys.rows, arrow(columns, batch=[batch] * 2000))
        for kills in range(3):
            process = subprocess.Popen([*command, *options], env=environment)
            try:
                if kills < 2:
                    at_least = (kills + 1) * batches // 4
                    while int(client.hget(keys.numbers, "rows") or 0) < 2000 * at_least:  # type: ignore[arg-type]
                        time.sleep(0.005)
                    process.send_signal(signal.SIGKILL)
                else:
                    until_done(client, keys, 2000 * batches)
                    process.send_signal(signal.SIGTERM)
                code = process.wait(20)
            finally:
                process.kill()
        told: Any = client.xrange(keys.found)
    assert code == 0
    planted = [json.loads(fields[b"row"]) for _, fields in told]
    assert {row["batch"] for row in planted if row["g_r"] == 12} == set(range(batches))


def test_the_model_follows_the_rows(detector: Detector) -> None:
    """Rows of another place are strange at first, and ordinary once the trees have seen them."""
    window = Window(detector, size=1000, every=500, trees=25)
    there = cloud(4000, middle=8)
    before = np.median(score(window.detector, there))
    renewals = sum(window.see(there[:, start : start + 100]) for start in range(0, 4000, 100))
    after = np.median(score(window.detector, there))
    assert renewals == 7  # the window was not full before row 1,000
    assert window.renewed == 175
    assert before > 0.7
    assert after < 0.55
    assert len(window.detector.forest) == 50


def test_a_renewed_model_is_taken_up_again(detector: Detector, tmp_path: Path) -> None:
    """What was written last is read, that of another model or a damaged one is not."""
    checkpoint = Checkpoint(tmp_path / "w.arrow", detector)
    assert checkpoint.read() is None
    window = Window(detector, size=500, every=500, trees=5)
    window.see(cloud(500, middle=3))
    checkpoint.write(window.detector, window.renewed)
    found = Checkpoint(tmp_path / "w.arrow", detector).read()
    assert found is not None
    assert found[1] == 5
    assert np.array_equal(found[0].forest.thresholds, window.detector.forest.thresholds)
    assert not np.array_equal(found[0].forest.thresholds, detector.forest.thresholds)
    other = read_detector(detector_table(detector))
    object.__setattr__(other, "names", ("a", "b"))
    assert Checkpoint(tmp_path / "w.arrow", other).read() is None
    (tmp_path / "w.arrow").write_bytes(b"half")
    assert Checkpoint(tmp_path / "w.arrow", detector).read() is None


def test_bad_options_are_refused(detector: Detector) -> None:
    """Thresholds, windows, names."""
    with pytest.raises(UsageError, match="between 0 and 1"):
        WatchOptions(threshold=1.5)
    with pytest.raises(UsageError, match="too small"):
        Window(detector, size=10, every=5)
    with pytest.raises(UsageError, match="cannot be called"):
        Keys("a:b")


@pytest.mark.parametrize("content", [None, b"no model", b"ARROW1\0\0half"])
def test_a_file_that_is_no_model_is_told(tmp_path: Path, content: bytes | None) -> None:
    """The command says what is wrong, and reads nothing."""
    path = tmp_path / "x"
    if content is not None:
        path.write_bytes(content)
    command = [sys.executable, "-m", "vo.cli", "anomaly", "watch", str(path), "--name", "x"]
    told = subprocess.run([*command, "--data", str(tmp_path)], capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "model" in told.stderr or "cannot be read" in told.stderr
    assert "Traceback" not in told.stderr


def events(response: httpx.Response) -> Iterator[dict[str, Any]]:
    """The events of a stream as they come."""
    event: dict[str, Any] = {}
    for line in response.iter_lines():
        if line.startswith(("id: ", "event: ", "data: ")):
            name, _, value = line.partition(": ")
            event[name] = value
        elif not line and event:
            yield {**event, "data": json.loads(event["data"])}
            event = {}


def test_browsers_are_told(service: Service, model: Path) -> None:
    """Events of what is found, from where the client stopped; numbers for people and Prometheus."""
    keys = Keys("told")
    command = [sys.executable, "-m", "vo.cli", "anomaly", "watch", str(model), "--name", keys.name]
    with (
        subprocess.Popen([*command, "--threshold", "0.7", "--data", str(service.data)]) as process,
        Redis.from_url(state_url_of(service.data)) as client,
    ):
        try:
            client.xadd(keys.rows, {"g_r": "12", "r_i": "-12", "id": "first"})
            until_done(client, keys, 1)
            with httpx.stream("GET", f"{service.url}/anomaly/watch/told/events", timeout=30) as response:
                assert response.headers["content-type"].startswith("text/event-stream")
                for number in range(3):
                    client.xadd(keys.rows, {"g_r": "13", "r_i": "-12", "id": f"live{number}"})
                stream = events(response)
                live = [next(stream) for _ in range(3)]
            assert [event["data"]["row"]["id"] for event in live] == ["live0", "live1", "live2"]
            assert live[0]["data"]["score"] > 0.7
            url = f"{service.url}/anomaly/watch/told/events"
            with httpx.stream("GET", url, headers={"Last-Event-ID": live[0]["id"]}, timeout=30) as response:
                assert next(events(response))["data"]["row"]["id"] == "live1"
            with httpx.stream("GET", url, params={"since": "0"}, timeout=30) as response:
                assert next(events(response))["data"]["row"]["id"] == "first"
            numbers = service.get("/anomaly/watch/told").json()
            assert (numbers["rows"], numbers["found"], numbers["waiting"]) == (4, 4, 0)
            assert service.get("/anomaly/watch").json() == [numbers | {"seen_s": pytest.approx(1, abs=5)}]
            metrics = {
                sample.name: sample.value
                for family in text_string_to_metric_families(service.get("/metrics").text)
                for sample in family.samples
                if sample.labels == {"watch": "told"}
            }
            assert metrics["vo_watch_rows_total"] == metrics["vo_watch_found_total"] == 4
            assert metrics["vo_watch_lag_seconds"] == 0
        finally:
            process.terminate()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/anomaly/watch/nothing", 404),
        ("/anomaly/watch/nothing/events", 404),
        ("/anomaly/watch/a:b", 400),
        ("/anomaly/watch/a/events?since=x", 400),
    ],
)
def test_unknown_watches(service: Service, path: str, status: int) -> None:
    """What is not there, or cannot be, is told as everywhere."""
    assert httpx.get(service.url + path).status_code == status
