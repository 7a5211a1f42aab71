"""Cone searches: what pyvo and STILTS find with them must be what TAP finds."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyvo
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
    with tempfile.TemporaryDirectory() as folder:
        places = Path(folder) / "places.csv"
        places.write_text("ra,dec\n" + "".join(f"{ra},{dec}\n" for ra, dec in PLACES))
        done = subprocess.run(
            [
                "stilts", "coneskymatch", f"in={places}", "ifmt=csv", "ra=ra", "dec=dec", f"sr={RADIUS}",
                "find=all", "servicetype=cone", f"serviceurl={service.url}/scs/sim1.main?", f"verb={verb}",
                "erract=abort", "ofmt=csv", "ocmd=keepcols coadd_object_id",
            ],
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )  # fmt: skip
    return sorted(done.stdout.split()[1:])
