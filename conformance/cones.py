"""Cone searches: what pyvo and STILTS find with them must be what TAP finds."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pyvo
from coneskymatch import found_by_stilts
from judgement import Judgement, Notebook
from service import Service

PLACES = ((0.2, -40.3), (0.0, -40.1), (359.95, -40.6))
RADIUS = 0.03


def judge(service: Service) -> Iterator[Judgement]:
    """One judgement a client."""
    expected = sorted(name for place in PLACES for name in _by_tap(service, *place))
    notebook = Notebook("pyvo cone search", pyvo.__version__)
    with notebook.check("Every place has the objects of TAP"):
        found = sorted(name for place in PLACES for name in _by_pyvo(service, *place))
        assert found == expected, f"{len(found)} objects in place of {len(expected)}"
    yield notebook.judgement()
    if shutil.which("stilts") is None:
        yield Judgement("stilts coneskymatch", not_run="stilts is not installed")
        return
    notebook = Notebook("stilts coneskymatch", "")
    for verb in (1, 2, 3):
        with notebook.check(f"VERB={verb} has the objects of TAP"):
            found = _by_stilts(service, verb)
            assert found == expected, f"{len(found)} objects in place of {len(expected)}"
    yield notebook.judgement()


def _by_tap(service: Service, ra: float, dec: float) -> list[str]:
    query = f"SELECT coadd_object_id FROM sim1.main WHERE DISTANCE(ra, dec, {ra}, {dec}) <= {RADIUS}"
    return [str(row["coadd_object_id"]) for row in pyvo.dal.TAPService(service.tap).run_sync(query)]


def _by_pyvo(service: Service, ra: float, dec: float) -> list[str]:
    cones = pyvo.dal.SCSService(f"{service.url}/scs/sim1.main?")
    return [record.id for record in cones.search(pos=(ra, dec), radius=RADIUS)]


def _by_stilts(service: Service, verb: int) -> list[str]:
    url = f"{service.url}/scs/sim1.main?"
    return found_by_stilts("cone", url, "coadd_object_id", PLACES, RADIUS, f"verb={verb}")
