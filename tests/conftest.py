"""What tests of several parts share: the contracts that implementations inherit, and a real Redis server."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lxml import etree
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from vo.serve import redis_server as redis_program

sys.path.insert(0, str(Path(__file__).parent))  # modules that several tests import: contracts, asgi
pytest.register_assert_rewrite("contracts", "service", "anomaly_jobs", "cutout_jobs")

from cutout_data import write_release  # noqa: E402  found by the line above
from service import Service, serving, small_images, small_sample  # noqa: E402  found by the line above


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """The URL of a private Redis server on a Unix socket, alive for the whole session."""
    program = redis_program()
    with tempfile.TemporaryDirectory(prefix="vo-") as folder:  # short: socket paths are limited
        socket = Path(folder) / "redis.sock"
        options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", folder]
        with subprocess.Popen([program, *options], stdout=subprocess.DEVNULL) as server:
            try:
                yield _answering(f"unix://{socket}")
            finally:
                server.terminate()


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The URL of the same server, empty."""
    with Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server


def _answering(url: str) -> str:
    with Redis.from_url(url) as client:
        for _ in range(200):
            try:
                client.ping()
            except RedisConnectionError:
                time.sleep(0.05)
            else:
                return url
    pytest.fail("the Redis server did not start")


@pytest.fixture(scope="session")
def assert_valid() -> Callable[[bytes], None]:
    """Judge a document by the schemas of the IVOA; the test is skipped where they are not at hand."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "xsd"
    if not folder.is_dir():
        pytest.skip("the IVOA's schemas are not at hand")
    spec = importlib.util.spec_from_file_location("ivoa_xsd", folder / "validate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    schema = module.schema()

    def judge(document: bytes) -> None:
        schema.assertValid(etree.fromstring(document))

    return judge


@pytest.fixture(scope="session")
def sample_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a small sample release, built once."""
    return small_sample(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="session")
def image_data(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the small sample release and images of three of its tiles, built once."""
    return small_images(sample_data, tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def service(sample_data: Path) -> Iterator[Service]:
    """A whole service on the small sample release, shared by all tests that leave it as it was."""
    with serving(sample_data, VO_DESTRUCTION_LIMIT_S="86400", VO_MAXREC_LIMIT="50000") as running:
        yield running


@pytest.fixture(scope="session")
def image_service(image_data: Path) -> Iterator[Service]:
    """A whole service on `image_data`, shared by all tests that leave it as it was."""
    with serving(image_data) as running:
        yield running


@pytest.fixture(scope="session")
def cutout_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with images of many kinds (`cutout_data`), and limits of cutouts that can be reached."""
    data = write_release(tmp_path_factory.mktemp("cutouts"))
    with serving(data, VO_CUTOUT_POSITIONS="6000", VO_CUTOUT_JOB_PIXELS="3000000") as running:
        yield running
