"""What is asked of a service that runs from the image, each with its answer; a wrong one is an assertion."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

import httpx
import pyvo
from astropy.io import fits
from astropy.table import Table

JOB_S = 300


def _sync(url: str) -> str:
    rows = pyvo.dal.TAPService(f"{url}/tap").search("SELECT TOP 1000 ra, dec FROM sim1.main")
    assert len(rows) == 1000, rows
    return f"{len(rows)} rows of sim1.main"


def _async(url: str) -> str:
    job = pyvo.dal.TAPService(f"{url}/tap").submit_job("SELECT COUNT(*) AS n FROM sim1.main")
    job.run().wait(timeout=120)
    [row] = job.fetch_result()
    assert row["n"] > 400_000, row
    job.delete()
    return f"a job, which counted {row['n']:,}"


def _image(url: str) -> str:
    service = pyvo.dal.TAPService(f"{url}/tap")
    [row] = service.search("SELECT TOP 1 s_ra, s_dec, access_url FROM ivoa.obscore")
    answer = httpx.get(row["access_url"], timeout=60)
    assert answer.status_code == 200, answer.text
    return "the links of an image"


def _cutout(url: str) -> str:
    [row] = pyvo.dal.TAPService(f"{url}/tap").search("SELECT TOP 1 s_ra, s_dec FROM ivoa.obscore")
    form = {"RA": row["s_ra"], "DEC": row["s_dec"], "SIZE": 1, "BANDS": "g", "FORMAT": "fits"}
    answer = httpx.get(f"{url}/cutout", params=form, timeout=120)
    assert answer.status_code == 200, answer.text
    with fits.open(io.BytesIO(answer.content)) as stamp:
        shape = next(hdu.data.shape for hdu in stamp if hdu.data is not None)
    assert min(shape) > 10, shape
    return f"a stamp of {shape[1]} x {shape[0]} pixels"


def _anomaly(url: str) -> str:
    strangest = httpx.get(f"{_run_of_anomalies(url)}/results/result").text.splitlines()
    assert len(strangest) > 25, strangest
    return f"the {len(strangest) - 1:,} rows of a job"


def kept_model(url: str) -> str:
    """The id of a model that a job of anomalies made, and that the service keeps."""
    job = _run_of_anomalies(url).rpartition("/")[2]
    kept = httpx.post(f"{url}/anomaly/models", data={"JOB": job, "NAME": "checked"}, timeout=60)
    assert kept.status_code == 303, kept.text
    return kept.headers["location"].rpartition("/")[2]


def _run_of_anomalies(url: str) -> str:
    """The URL of a job that has completed."""
    form = {"QUERY": "SELECT * FROM sim1.main WHERE mag_auto_i < 22", "RESPONSEFORMAT": "csv", "PHASE": "RUN"}
    features = "mag_auto_g - mag_auto_r AS g_r, mag_auto_r - mag_auto_i AS r_i"
    created = httpx.post(f"{url}/anomaly/async", data={**form, "FEATURES": features, "TOP": "25"}, timeout=60)
    assert created.status_code == 303, created.text
    job = created.headers["location"]
    deadline = time.monotonic() + JOB_S
    while (phase := httpx.get(f"{job}/phase").text) in ("QUEUED", "EXECUTING"):
        assert time.monotonic() < deadline, phase
        time.sleep(0.2)
    assert phase == "COMPLETED", httpx.get(f"{job}/error").text
    return job


def _regions(url: str) -> str:
    """Shapes in columns, and rows that come along: both have loops of their own."""
    service = pyvo.dal.TAPService(f"{url}/tap")
    [row] = service.search("SELECT TOP 1 s_ra AS ra, s_dec AS dec FROM ivoa.obscore")
    mine = Table({"ra": [row["ra"]], "dec": [row["dec"]]})
    met = service.search(
        "SELECT o.s_region, AREA(o.s_region) AS extent, CENTROID(o.s_region) AS middle "
        "FROM ivoa.obscore AS o JOIN TAP_UPLOAD.mine AS m ON 1 = CONTAINS(POINT(m.ra, m.dec), o.s_region) "
        "WHERE 1 = INTERSECTS(o.s_region, CIRCLE(m.ra, m.dec, 0.1))",
        uploads={"mine": mine},
    )
    assert len(met), "no image has its own middle"
    return f"{len(met)} images of a table's position"


def _footprint(url: str) -> str:
    """Maps, coverage, and the tiles of positions, which have loops of their own."""
    [row] = pyvo.dal.TAPService(f"{url}/tap").search("SELECT TOP 1 s_ra, s_dec FROM ivoa.obscore")
    table = f"ra,dec\n{row['s_ra']},{row['s_dec']}\n"
    tiles = httpx.post(f"{url}/footprint/tiles", files={"t": ("positions.csv", table)}, timeout=120)
    assert tiles.status_code == 200, tiles.text
    for path in ("moc?TABLE=sim1.main&ORDER=8&RESPONSEFORMAT=ascii", "moc?BAND=g&RESPONSEFORMAT=json"):
        moc = httpx.get(f"{url}/footprint/{path}", timeout=120)
        assert moc.status_code == 200, moc.text
    picture = httpx.get(f"{url}/footprint/map?TABLE=sim1.main&ORDER=7&RESPONSEFORMAT=png", timeout=120)
    assert picture.status_code == 200, picture.text
    return f"tiles of positions, coverage, and a map of {len(picture.content):,} bytes"


QUESTIONS: dict[str, Callable[[str], str]] = {
    "TAP sync": _sync,
    "TAP async": _async,
    "regions": _regions,
    "DataLink": _image,
    "footprint": _footprint,
    "cutout": _cutout,
    "anomaly": _anomaly,
}
"""Questions by name; each takes the URL of the service and says what it got."""
