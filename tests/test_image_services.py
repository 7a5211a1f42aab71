"""Services described inside results (DataLink 1.1, 4): from a query to pixels with pyvo, in every form."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import pyvo
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.io.votable import parse
from astropy.io.votable.tree import VOTableFile
from astropy.wcs import WCS
from pyvo.dal.adhoc import DatalinkResults, SodaQuery
from pyvo.utils import vocabularies
from service import Service

VOCABULARY = Path(__file__).resolve().parents[2] / "shared" / "vocabularies" / "datalink_core.desise.json"
LAST = "FROM sim1.images ORDER BY dec DESC"
QUERIES = {
    "ObsCore": "SELECT TOP 3 obs_publisher_did, s_ra, s_dec FROM ivoa.obscore ORDER BY s_dec DESC",
    "images of a release": f"SELECT TOP 3 ra, dec, obs_publisher_did {LAST}",
    "another name": f'SELECT TOP 3 ra, dec, obs_publisher_did AS "my id" {LAST}',
    "a subquery": f"SELECT t.ra, t.dec, t.x FROM (SELECT TOP 3 ra, dec, obs_publisher_did AS x {LAST}) AS t",
    "the name of a system": f"SELECT TOP 3 ra, dec, obs_publisher_did AS icrs {LAST}",
    "twice": f"SELECT TOP 3 obs_publisher_did, ra, dec, obs_publisher_did {LAST}",
}


def services_of(document: VOTableFile) -> dict[str, tuple[str, str]]:
    """The services of a document: standardID → URL, and the name of the column that ID refers to."""
    table = document.get_first_table()
    found = {}
    for resource in document.resources:
        if resource.utype != "adhoc:service":
            continue
        fixed = {param.name: param.value for param in resource.params}
        inputs = {param.name: param for param in resource.groups[0].entries}
        field = table.get_field_by_id(inputs["ID"].ref)
        found[fixed["standardID"]] = fixed["accessURL"], field.name
    return found


@pytest.mark.parametrize("query", QUERIES, ids=str)
@pytest.mark.parametrize("form", ["votable", "votable/b", "votable/td", "text/xml"])
def test_results_with_identifiers_lead_to_services(
    image_service: Service, assert_valid: Callable[[bytes], None], query: str, form: str
) -> None:
    """Whatever the column is called: DataLink and SODA, valid by the schema, with references that lead."""
    answer = image_service.sync(QUERIES[query], FORMAT=form)
    assert_valid(answer.content)
    found = services_of(parse(io.BytesIO(answer.content)))
    assert {url for url, _ in found.values()} == {
        f"{image_service.url}/datalink/links",
        f"{image_service.url}/soda/sync",
    }
    assert set(found) == {"ivo://ivoa.net/std/DataLink#links-1.1", "ivo://ivoa.net/std/SODA#sync-1.0"}
    [name] = {name for _, name in found.values()}
    assert name in ("obs_publisher_did", "my id", "x", "icrs")


def test_other_results_lead_nowhere(image_service: Service) -> None:
    """What is no identifier of an image, or no longer one, has no services."""
    for query in (
        "SELECT TOP 1 ra, tilename FROM sim1.main",
        "SELECT LOWER(obs_publisher_did) AS obs_publisher_did FROM ivoa.obscore",
        "SELECT image_id FROM sim1.images",
    ):
        assert b"adhoc:service" not in image_service.sync(query).content


def test_parquet_has_them_inside(image_service: Service) -> None:
    """The VOTable in the metadata of a Parquet file has the services."""
    raw = image_service.sync(QUERIES["ObsCore"], FORMAT="parquet").content
    metadata = pq.read_schema(io.BytesIO(raw)).metadata or pq.ParquetFile(io.BytesIO(raw)).metadata.metadata
    document = parse(io.BytesIO(metadata[b"IVOA.VOTable-Parquet.content"]))
    assert len(services_of(document)) == 2


@pytest.fixture(params=["TAP", "SIA", "a job"])
def results(image_service: Service, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Images at the pole, found in several ways."""
    if request.param == "SIA":
        service = pyvo.dal.SIA2Service(f"{image_service.url}/sia/v2")
        yield service.search(pos=(0.0, -90.0, 1.0))
        return
    tap = pyvo.dal.TAPService(f"{image_service.url}/tap")
    query = "SELECT TOP 3 * FROM ivoa.obscore ORDER BY s_dec"
    yield tap.search(query) if request.param == "TAP" else tap.run_async(query)


def near_middle(raw: bytes, ra: float, dec: float) -> float:
    """How far the middle of a cutout is from a position, in pixels."""
    with fits.open(io.BytesIO(raw)) as hdus:
        rows, columns = hdus[0].data.shape
        wcs = WCS(hdus[0].header)
    middle = wcs.pixel_to_world((columns - 1) / 2, (rows - 1) / 2)
    scale = np.sqrt(abs(np.linalg.det(wcs.pixel_scale_matrix)))
    return float(middle.separation(SkyCoord(ra, dec, unit="deg")).deg / scale)


def test_pyvo_follows_links_to_cutouts(results: Any) -> None:  # noqa: ANN401  of several classes
    """iter_datalinks, get_first_proc and process: the cutout is that of the row, whose middle it has."""
    rows = {str(row["obs_publisher_did"]): row for row in results}
    seen = set()
    for links in results.iter_datalinks():
        assert isinstance(links, DatalinkResults)
        [this] = links.bysemantics("#this", include_narrower=False)
        row = rows[this.id]
        circle = (row["s_ra"], row["s_dec"], 0.02)
        stream = links.get_first_proc().process(circle=circle)
        assert near_middle(stream.read(), *circle[:2]) < 1.0
        seen.add(this.id)
    assert seen == set(rows)


def test_pyvo_cuts_without_links(results: Any) -> None:  # noqa: ANN401  of several classes
    """The descriptor of SODA in the result itself: SodaQuery, and `processed` of a record."""
    row = results[0]
    resource = results.get_adhocservice_by_ivoid("ivo://ivoa.net/std/SODA#sync-1")
    circle = (row["s_ra"], row["s_dec"], 0.02) * units.deg
    query = SodaQuery.from_resource(row, resource, circle=circle)
    assert near_middle(query.execute_stream().read(), row["s_ra"], row["s_dec"]) < 1.0
    if hasattr(row, "processed"):
        assert near_middle(row.processed(circle=circle).read(), row["s_ra"], row["s_dec"]) < 1.0


def test_pyvo_takes_whole_files(results: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ANN401
    """`getdataset` gives the file of the image, to which #this leads."""
    if not VOCABULARY.exists():
        pytest.skip("the IVOA's vocabularies are not at hand")
    words = json.loads(VOCABULARY.read_text("utf-8"))
    monkeypatch.setattr(vocabularies, "get_vocabulary", lambda _name: words)
    with fits.open(io.BytesIO(results[0].getdataset().read())) as hdus:
        assert any(hdu.data is not None and hdu.data.shape == (500, 500) for hdu in hdus)
