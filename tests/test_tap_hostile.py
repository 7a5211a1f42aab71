"""Queries beyond all measure through the door: refused in the protocol's form, and the workers live on."""

from __future__ import annotations

import io

import pytest
from adql.test_hostile_queries import HOSTILE, LARGE
from astropy.io.votable import parse
from service import Service

TABLES = (("stars", "sim1.main"), ("extra", "sim1.tile_info"))


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "surrogate"])  # no UTF-8 has it
def test_monsters_are_refused_and_workers_live_on(service: Service, name: str) -> None:
    """An error document that is valid, and the same processes as before."""
    workers = {process.pid for process in service.processes("vo sync")}
    answer = service.post("/tap/sync", LANG="ADQL", QUERY=HOSTILE[name])
    assert answer.status_code in (400, 413)
    [status, *_] = parse(io.BytesIO(answer.content)).resources[0].infos
    assert (status.name, status.value) == ("QUERY_STATUS", "ERROR")
    assert {process.pid for process in service.processes("vo sync")} == workers
    assert service.sync("SELECT COUNT(*) FROM sim1.tile_info", FORMAT="csv").status_code == 200


@pytest.mark.parametrize("name", LARGE)
def test_large_queries_are_answered(service: Service, name: str) -> None:
    """Large and plain queries run, or are refused with a word on what is too much."""
    query = LARGE[name]
    for here, there in TABLES:
        query = query.replace(f"FROM {here}", f"FROM {there}").replace(f"JOIN {here}", f"JOIN {there}")
    answer = service.post("/tap/sync", LANG="ADQL", QUERY=query, MAXREC=5)
    assert answer.status_code in (200, 400, 413)
    assert parse(io.BytesIO(answer.content)).resources[0].infos[0].name == "QUERY_STATUS"
