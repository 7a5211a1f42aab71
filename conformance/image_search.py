"""Image searches: what pyvo and STILTS find with SIA 2.0 and 1.0 must be what TAP finds in ivoa.obscore."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pyvo
from coneskymatch import found_by_stilts
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

_BOX = "POLYGON(0.1344, -40.35, 0.2656, -40.35, 0.2655, -40.25, 0.1345, -40.25)"
REGIONS: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "A region": ({"size": 0.1}, f"INTERSECTS(s_region, {_BOX}) = 1"),
    "What covers a region": ({"size": 0.1, "intersect": "COVERS"}, f"CONTAINS({_BOX}, s_region) = 1"),
    "A position": ({"size": 0}, "CONTAINS(POINT(0.2, -40.3), s_region) = 1"),
    "The middle of a region": (
        {"size": (9, 1), "intersect": "CENTER"},
        "CONTAINS(POINT(0.2, -40.3), s_region) = 1",
    ),
    "Everything": ({"size": 360, "intersect": "ENCLOSED"}, "s_region IS NOT NULL"),
    "Pictures": ({"size": 0, "format": "graphic"}, "1 = CONTAINS(POINT(0.2, -40.3), s_region)"),
}
"""The same for SIA 1.0, around one position."""

_PICTURES = {"image/jpeg", "image/png"}
FORMATS = {"all": {"image/fits", *_PICTURES}, "graphic": _PICTURES, "image/fits": {"image/fits"}}
"""The formats of the rows for what pyvo calls a format."""

PLACES = ((0.2, -40.3), (359.9, -40.1), (150.0, 2.0))
RADIUS = 0.05


def judge(service: Service) -> Iterator[Judgement]:
    """One judgement of each client and protocol."""
    notebook = Notebook("pyvo image search", pyvo.__version__)
    newer = pyvo.dal.SIA2Service(f"{service.url}/sia/v2")
    for what, (asked, condition) in SEARCHES.items():
        with notebook.check(what):
            _compare([record.obs_publisher_did for record in newer.search(**asked)], service, condition)
    yield notebook.judgement()
    notebook = Notebook("pyvo SIA 1.0", pyvo.__version__)
    older = pyvo.dal.SIAService(f"{service.url}/sia/v1/query?")
    for what, (asked, condition) in REGIONS.items():
        with notebook.check(what):
            found = older.search(pos=(0.2, -40.3), **asked)
            assert {record.format for record in found} <= FORMATS[asked.get("format", "all")]
            for name in FORMATS[asked.get("format", "all")]:
                dids = [record["obs_publisher_did"] for record in found if record.format == name]
                _compare(dids, service, condition)
    with notebook.check("What is told of a cutout, and the cutout"):
        _look(older.search(pos=(0.2, -40.3), size=0.1, format="image/fits")[0])
    yield notebook.judgement()
    yield _by_stilts(service)


def _compare(found: list[str], service: Service, condition: str) -> None:
    query = f"SELECT obs_publisher_did FROM ivoa.obscore WHERE {condition}"
    rows = pyvo.dal.TAPService(service.tap).run_sync(query)
    assert sorted(found) == sorted(row["obs_publisher_did"] for row in rows), f"{len(found)} images"


def _look(record: pyvo.dal.sia.SIARecord) -> None:
    assert record.naxes == len(record.naxis) == len(record.scale) == 2
    assert record.cdmatrix.shape == (2, 2)
    assert record.bandpass_lolimit < record.bandpass_refvalue < record.bandpass_hilimit
    assert record.dateobs.mjd > 50_000
    answer = httpx.get(record.getdataurl()).raise_for_status()
    assert record.suggest_extension() == "fits"
    assert answer.content.startswith(b"SIMPLE  =")


def _by_stilts(service: Service) -> Judgement:
    """TOPCAT's searches for images at many positions."""
    name = "stilts coneskymatch, images"
    if shutil.which("stilts") is None:
        return Judgement(name, not_run="stilts is not installed")
    notebook = Notebook(name, "")
    for kind, url in (("sia1", f"{service.url}/sia/v1/query?"), ("sia2", f"{service.url}/sia/v2/query")):
        with notebook.check(f"Images by {kind}"):
            found = found_by_stilts(kind, url, "obs_publisher_did", PLACES, RADIUS)
            older = pyvo.dal.SIAService(f"{service.url}/sia/v1/query?")
            expected = [
                record["obs_publisher_did"]
                for place in PLACES
                for record in older.search(pos=place, size=2 * RADIUS, format="image/fits")
            ]
            assert found == sorted(expected), f"{len(found)} images in place of {len(expected)}"
    return notebook.judgement()
