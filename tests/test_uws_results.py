"""Results are files as HTTP knows them: they have a length, a time and a tag, and can be had in parts."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from asgi import JOBS, Client, Results, Service, serving
from contracts.job_store import a_job

from vo.config import Config
from vo.errors import TransientError
from vo.uws.job import JobResult, Phase
from vo.uws.results import ResultStore

BODY = bytes(range(256)) * 20_000  # several blocks
CSV = "text/csv;header=present"


@pytest.fixture
def service(tmp_path: Path) -> Service:
    """A service of the anonymous public."""
    return Service(Config(), Results(tmp_path))


@pytest.fixture
def url(service: Service) -> str:
    """The URL of a result."""
    job = a_job(phase=Phase.COMPLETED, results=(JobResult("result", "result.csv", CSV, len(BODY)),))
    service.store.create(job)
    path = service.results.root / job.id / "result.csv"
    path.parent.mkdir()
    path.write_bytes(BODY)
    return f"{JOBS}/{job.id}/results/result"


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    """A client of the service."""
    with serving(service.app()) as client:
        yield client


def test_a_whole_result(client: Client, url: str) -> None:
    """The file is what was written, and its headers tell type, length, time, tag, name (DALI 5.1)."""
    response = client("GET", url)
    assert response.content == BODY
    headers = response.headers
    assert (headers["content-type"], headers["content-length"]) == (CSV, str(len(BODY)))
    assert headers["last-modified"].endswith("GMT")
    assert headers["etag"].startswith('"')
    assert headers["accept-ranges"] == "bytes"
    assert headers["content-disposition"] == 'inline; filename="result.csv"'
    assert headers["x-content-type-options"] == "nosniff"


def test_head_is_get_without_the_body(client: Client, url: str) -> None:
    """HEAD tells the same headers and sends nothing, whatever part is asked for (RFC 9110, 14.2)."""
    whole = client("GET", url)
    for extra in ({}, {"Range": "bytes=0-1"}):
        head = client("HEAD", url, headers=extra)
        assert (head.status_code, head.content) == (200, b"")
        assert {**head.headers, "date": ""} == {**whole.headers, "date": ""}


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-", 5, len(BODY)),
        ("bytes=-7", len(BODY) - 7, len(BODY)),
        ("bytes=0-99999999", 0, len(BODY)),
        ("Bytes=1000000-3000000", 1_000_000, 3_000_001),
    ],
)
def test_a_part(client: Client, url: str, asked: str, start: int, end: int) -> None:
    """Range gives just that part, with 206 and its place."""
    part = client("GET", url, headers={"Range": asked})
    assert part.status_code == 206
    assert part.content == BODY[start:end]
    assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{len(BODY)}"
    assert part.headers["content-length"] == str(end - start)


def test_several_parts(client: Client, url: str) -> None:
    """Two ranges come as two parts."""
    parts = client("GET", url, headers={"Range": "bytes=0-3,1000-1003"})
    assert parts.status_code == 206
    assert parts.headers["content-type"].startswith("multipart/byteranges")
    for start in (0, 1000):
        assert f"bytes {start}-{start + 3}/{len(BODY)}".encode() in parts.content
    assert len(parts.content) == int(parts.headers["content-length"])


def test_a_part_that_is_not_there(client: Client, url: str) -> None:
    """A range beyond the end is 416, with the length that there is (RFC 9110, 15.5.17)."""
    response = client("GET", url, headers={"Range": f"bytes={len(BODY)}-"})
    assert response.status_code == 416
    assert response.headers["content-range"] == f"bytes */{len(BODY)}"


def test_unknown_units_are_ignored(client: Client, url: str) -> None:
    """A range in rows is no range that we know, and the whole comes (RFC 9110, 14.2)."""
    response = client("GET", url, headers={"Range": "rows=0-1"})
    assert (response.status_code, response.content) == (200, BODY)


def _conditions(first: httpx.Response) -> Mapping[str, tuple[Mapping[str, str], int]]:
    tag, time = first.headers["etag"], first.headers["last-modified"]
    early, late = "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
    return {
        "the same tag": ({"If-None-Match": tag}, 304),
        "the same tag, weak": ({"If-None-Match": f"W/{tag}"}, 304),
        "one of many": ({"If-None-Match": f'"x", {tag}'}, 304),
        "any": ({"If-None-Match": "*"}, 304),
        "another tag": ({"If-None-Match": '"x"'}, 200),
        "another tag decides": ({"If-None-Match": '"x"', "If-Modified-Since": late}, 200),
        "the same time": ({"If-Modified-Since": time}, 304),
        "later": ({"If-Modified-Since": late}, 304),
        "earlier": ({"If-Modified-Since": early}, 200),
        "no time": ({"If-Modified-Since": "yesterday"}, 200),
        "part of the same": ({"If-Range": tag, "Range": "bytes=0-1"}, 206),
        "part of another": ({"If-Range": '"x"', "Range": "bytes=0-1"}, 200),
        "known before its part": ({"If-None-Match": tag, "Range": "bytes=0-1"}, 304),
    }


def test_nothing_is_sent_twice(client: Client, url: str) -> None:
    """Who has the file already is told so, by its tag or by its time."""
    first = client("GET", url)
    for name, (headers, status) in _conditions(first).items():
        for method in ("GET", "HEAD"):
            response = client(method, url, headers=headers)
            expected = 200 if (method, status) == ("HEAD", 206) else status
            assert response.status_code == expected, f"{method}: {name}"
            if status == 304:
                assert response.content == b""
                assert response.headers["etag"] == first.headers["etag"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """A disk without room is a passing fault with its reason; whatever failed, no part of a file is left."""

    def full(_: int) -> None:
        raise OSError(number, "as if")

    monkeypatch.setattr(os, "fsync", full)
    expected = OSError if number == errno.EIO else TransientError
    with pytest.raises(expected), ResultStore(tmp_path).create("job", 1, "result.csv") as file:
        file.write(b"1,2,3")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
