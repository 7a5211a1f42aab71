"""Image searches: what pyvo finds with SIA 2.0 must be what TAP finds in ivoa.obscore."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyvo
from judgement import Judgement, Notebook
from service import Service

SEARCHES: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "A circle": (
        {"pos": (0.2, -40.3, 0.1)},
        "INTERSECTS(s_region, CIRCLE(0.2, -40.3, 0.1)) = 1",
    ),
    "A range": (
        {"pos": (0.1, 0.4, -40.4, -40.2)},
        "INTERSECTS(s_region, POLYGON(0.1, -40.4, 0.4, -40.4, 0.4, -40.2, 0.1, -40.2)) = 1",
    ),
    "A band": ({"band": (4.5e-7, 5.2e-7)}, "em_min <= 5.2e-7 AND em_max >= 4.5e-7"),
    "A level of calibration": ({"calib_level": 3}, "calib_level = 3"),
    "A state of polarization that nobody measured": ({"pol": "V"}, "pol_states LIKE '%/V/%'"),
}
"""What is searched → the arguments of pyvo, and the condition of ADQL that means the same."""


def judge(service: Service) -> Iterator[Judgement]:
    """One judgement of all searches."""
    notebook = Notebook("pyvo image search", pyvo.__version__)
    images, tap = pyvo.dal.SIA2Service(f"{service.url}/sia/v2"), pyvo.dal.TAPService(service.tap)
    for what, (asked, condition) in SEARCHES.items():
        with notebook.check(what):
            found = sorted(record.obs_publisher_did for record in images.search(**asked))
            rows = tap.run_sync(f"SELECT obs_publisher_did FROM ivoa.obscore WHERE {condition}")
            assert found == sorted(row["obs_publisher_did"] for row in rows), f"{len(found)} images"
    yield notebook.judgement()
