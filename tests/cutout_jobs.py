"""Jobs of cutouts, started and read as clients do."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections import Counter
from typing import Any

import httpx
from astropy.io.votable import parse_single_table
from astropy.table import Table
from service import Service


def started(service: Service, table: bytes | str | None, **params: Any) -> str:
    """The path of a job on a table of positions."""
    content = table.encode() if isinstance(table, str) else table
    files = None if content is None else {"POSITIONS": ("mine", content)}
    data = {"PHASE": "RUN", **params}
    answer = httpx.post(f"{service.url}/cutout/async", data=data, files=files, timeout=60)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].removeprefix(service.url)


def done(service: Service, table: bytes | str, **params: Any) -> str:
    """The path of a job that went well."""
    job = started(service, table, **params)
    assert service.await_phase(job, "COMPLETED", "ERROR") == "COMPLETED", service.get(f"{job}/error").text
    return job


def manifest(service: Service, job: str) -> Table:
    """The manifest of a job."""
    answer = service.get(f"{job}/results/manifest")
    return parse_single_table(io.BytesIO(answer.content)).to_table()


def statuses(service: Service, job: str) -> dict[str, int]:
    """How many lines of the manifest have each status."""
    return dict(Counter(str(status) for status in manifest(service, job)["status"]))


def archived(service: Service, job: str) -> dict[str, bytes]:
    """The files of the archive of a job, by name, in its order."""
    content = service.get(f"{job}/results/cutouts").content
    if content[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            assert archive.testzip() is None
            return {name: archive.read(name) for name in archive.namelist()}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        files = {member.name: archive.extractfile(member) for member in archive.getmembers()}
        return {name: file.read() for name, file in files.items() if file is not None}


def refused(service: Service, table: bytes | str | None, words: str, **params: Any) -> None:
    """A job ends in an error that says this, and leaves nothing."""
    job = started(service, table, **params)
    assert service.await_phase(job, "COMPLETED", "ERROR") == "ERROR"
    assert words in service.get(f"{job}/error").text
    assert "<uws:result " not in service.get(job).text
