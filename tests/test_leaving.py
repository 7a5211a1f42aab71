"""A web server that is told to stop says no first, goes on for a while, and leaves nobody unanswered."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import httpx
import pytest
from parts import await_true, cluster

pytestmark = pytest.mark.timeout(240)

LEAVE_S = 4


def test_it_leaves_before_it_ends(sample_data: Path, tmp_path: Path) -> None:
    """After SIGTERM /ready is 503 and /alive 200, requests are answered and their connections closed.

    A request in WAIT is answered when it ends, long before its time; then the port is closed, all in order.
    """
    (tmp_path / "releases").symlink_to(sample_data / "releases")
    with cluster(tmp_path, VO_LEAVE_S=str(LEAVE_S), VO_DRAIN_S="20") as parts, httpx.Client() as client:
        parts.redis()
        service = parts.web()
        job = service.start_job("SELECT TOP 1 tilename FROM sim1.tile_info")  # nobody runs it
        waited: list[httpx.Response] = []
        waiting = threading.Thread(
            target=lambda: waited.append(service.get(job, WAIT="60", PHASE="QUEUED")), daemon=True
        )
        waiting.start()
        await_true(lambda: service.get("/status").json()["waiting_requests"] == 1)
        client.get(f"{service.url}/tap/capabilities").raise_for_status()  # over a connection that is kept
        began = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        await_true(lambda: service.get("/ready").status_code == 503)
        assert "about to stop" in service.get("/ready").text
        assert service.get("/alive").status_code == 200
        answer = client.get(f"{service.url}/tap/capabilities")
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert waiting.is_alive()
        waiting.join(timeout=30)
        assert waited[0].status_code == 200
        assert "QUEUED" in waited[0].text
        service.process.wait(timeout=30)
        assert time.monotonic() - began >= LEAVE_S
        with pytest.raises(httpx.ConnectError):
            service.get("/alive")
