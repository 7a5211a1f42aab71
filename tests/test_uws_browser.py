"""A real browser keeps the page of a running job up to date."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from asgi import Results, Service
from contracts.job_store import FULL, a_job
from lxml import html

from vo.config import Config
from vo.uws.job import Phase
from vo.uws.memory import MemoryJobStore
from vo.uws.watch import MemoryJobWatch

CHROMIUM = shutil.which("chromium")
EVIL = "</title><script>document.title = 'broken'</script>"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")


class Watch(MemoryJobWatch):
    """A watch that tells when somebody begins to wait."""

    def __init__(self, store: MemoryJobStore) -> None:
        super().__init__(store)
        self.asked = threading.Event()

    async def wait_for_change(
        self, job_id: str, phase: Phase, timeout_s: float, *, asker: str | None = None
    ) -> None:
        """Tell, and wait."""
        self.asked.set()
        await super().wait_for_change(job_id, phase, timeout_s, asker=asker)


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A service of the anonymous public."""
    return Service(Config(), Results(tmp_path))


@pytest.fixture
def url(service: Service) -> Iterator[str]:
    """The URL of its job list, over a real socket."""
    server = uvicorn.Server(uvicorn.Config(service.app(), lifespan="off", ws="none", log_level="error"))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/tap/async"
        finally:
            server.should_exit = True
            thread.join()


def test_a_browser_follows_a_job(service: Service, url: str, tmp_path: Path) -> None:
    """The page that was opened while the job ran shows its end, and what is text stays text."""
    now = datetime.now(UTC)
    job = a_job(
        phase=Phase.EXECUTING, created=now, started=now, destruction=now + timedelta(days=1), run_id=EVIL
    )
    service.store.create(job)
    watch = Watch(service.store)
    service.watch = watch
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    options += ["--virtual-time-budget=20000", "--dump-dom", f"{url}/{job.id}"]
    with subprocess.Popen(
        [str(CHROMIUM), *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as browser:
        assert watch.asked.wait(60), "the page does not ask for news"
        service.store.move(job.id, Phase.COMPLETED, ended=now, results=FULL.results, report=FULL.report)
        page = html.document_fromstring(browser.communicate(timeout=60)[0])
    assert page.xpath("string(//*[@id='state']//*[@class='phase completed'])") == "COMPLETED"
    assert page.xpath("//*[@id='state']//form/@action") == [f"{url}/{job.id}/rerun", f"{url}/{job.id}"]
    assert "12 rows" in page.get_element_by_id("state").text_content()
    assert page.get_element_by_id("outcome").findall(".//a")
    assert page.findtext(".//title") == f"Job {EVIL}"
