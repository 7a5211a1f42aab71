"""Links and cutouts: `stilts datalinklint` on tables of links, and pyvo on its way from a query to pixels."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pyvo
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS
from judgement import Judgement, Notebook
from pyvo.dal.adhoc import SodaQuery
from pyvo.io import uws
from service import Service
from taplint import run, stilts_commands, version

QUERY = "SELECT TOP 4 obs_publisher_did, access_url, access_format, s_ra, s_dec FROM ivoa.obscore"
RADIUS = 0.01
HALF_A_PIXEL = 0.51


def judge(service: Service) -> Iterator[Judgement]:
    """One judgement by each STILTS there is, and one by pyvo."""
    for command in stilts_commands():
        if shutil.which(command[0]) is None:
            yield Judgement("stilts datalinklint", not_run=f"there is no program {Path(command[0]).name}")
            continue
        notebook = Notebook("stilts datalinklint", version(command))
        for ids in ([], _ids(service)[:1], _ids(service), [*_ids(service), "ivo://nobody/x"]):
            _lint(command, service.get("/datalink/links", ID=ids).content, notebook)
        yield notebook.judgement()
    notebook = Notebook("pyvo datalink, soda", pyvo.__version__)
    for act in ACTS:
        with notebook.check((act.__doc__ or "").rstrip(".")):
            act(service)
    yield notebook.judgement()


def _ids(service: Service) -> list[str]:
    rows = pyvo.dal.TAPService(service.tap).run_sync(QUERY)
    return [str(row["obs_publisher_did"]) for row in rows]


def _lint(command: list[str], document: bytes, notebook: Notebook) -> None:
    notebook.checks += 1
    with tempfile.NamedTemporaryFile(suffix=".vot") as file:
        file.write(document)
        file.flush()
        report = run([*command, "datalinklint", "format=json", "report=EWF", f"votable={file.name}"])
    for each in json.loads(report.stdout)["sections"]:
        take = notebook.warning if each["level"] == "WARNING" else notebook.error
        take(f"{each['code']}: {each['text']}")


def _links(service: Service) -> None:
    """From rows of ObsCore over their links to cutouts of the right place."""
    results = pyvo.dal.TAPService(service.tap).run_sync(QUERY)
    places = {str(row["obs_publisher_did"]): (row["s_ra"], row["s_dec"]) for row in results}
    seen = set()
    for links in results.iter_datalinks():
        first = links.get_first_proc()
        place = places[first.id]
        _check_place(first.process(circle=(*place, RADIUS)).read(), place)
        seen.add(first.id)
    assert seen == set(places), f"links of {len(seen)} images in place of {len(places)}"


def _image_search(service: Service) -> None:
    """From an image search to a cutout by the descriptor in its result."""
    [row, *_] = pyvo.dal.SIA2Service(f"{service.url}/sia/v2").search(pos=(0.2, -40.3, 0.1))
    place = row["s_ra"], row["s_dec"]
    _check_place(row.processed(circle=(*place, RADIUS) * units.deg).read(), place)


def _polygon(service: Service) -> None:
    """A SodaQuery with a polygon."""
    results = pyvo.dal.TAPService(service.tap).run_sync(QUERY)
    row = results[0]
    ra, dec = place = row["s_ra"], row["s_dec"]
    corners = (ra - RADIUS, dec - RADIUS, ra + RADIUS, dec - RADIUS, ra, dec + RADIUS)
    resource = results.get_adhocservice_by_ivoid("ivo://ivoa.net/std/SODA#sync-1.0")
    query = SodaQuery.from_resource(row, resource, polygon=corners * units.deg)
    _check_place(query.execute_stream().read(), place, pixels=2.0)


def _jobs(service: Service) -> None:
    """A job with two images and two circles: four results, two of them with pixels."""
    results = pyvo.dal.TAPService(service.tap).run_sync("SELECT TOP 2 * FROM ivoa.obscore")
    circles = [f"{results[0]['s_ra']} {results[0]['s_dec']} {RADIUS}", "10 80 0.01"]
    answer = service.post(
        "/soda/async", ID=[str(row["obs_publisher_did"]) for row in results], CIRCLE=circles, PHASE="RUN"
    )
    job = answer.headers["location"].removeprefix(service.url)
    service.await_phase(job, "COMPLETED")
    told = uws.parse_job(io.BytesIO(service.read(job)))
    assert len(told.results) == 4, f"{len(told.results)} results"
    types = [result.mimetype for result in told.results]
    assert types.count("text/plain") >= 2, types
    service.delete(job)


def _check_place(raw: bytes, place: tuple[float, float], *, pixels: float = HALF_A_PIXEL) -> None:
    """The middle of the cutout is the place, but for the half pixel by which a box may be off."""
    with fits.open(io.BytesIO(raw), checksum=True) as hdus:
        rows, columns = hdus[0].data.shape
        wcs = WCS(hdus[0].header)
    away = wcs.world_to_pixel(SkyCoord(*place, unit="deg"))
    off = max(abs(away[0] - (columns - 1) / 2), abs(away[1] - (rows - 1) / 2))
    assert off <= pixels, f"{off} pixels off"


ACTS: tuple[Callable[[Service], None], ...] = (_links, _image_search, _polygon, _jobs)
"""What is done, each act named by its docstring."""
