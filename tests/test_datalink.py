"""DataLink 1.1 through the door: what ObsCore's access URLs lead to, read by pyvo, astropy and STILTS."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from astropy.io import fits
from astropy.io.votable import parse_single_table
from astropy.table import Table
from pyvo.dal.adhoc import DatalinkResults
from service import Service

from vo.datalink.links import LINKS_TYPE, MOST_IDS

FIELDS = [
    *("ID", "access_url", "service_def", "error_message", "semantics", "description"),
    *("content_type", "content_length"),
]


def obscore(service: Service) -> Table:
    """All images as TAP tells of them."""
    query = "SELECT obs_publisher_did, access_url, s_ra, s_dec FROM ivoa.obscore"
    return parse_single_table(io.BytesIO(service.sync(query).content)).to_table()


def links(answer: httpx.Response) -> Table:
    """The table of an answer."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == LINKS_TYPE
    return parse_single_table(io.BytesIO(answer.content)).to_table()


def test_an_access_url_leads_to_the_image(image_service: Service) -> None:
    """From the URL of ObsCore over the link #this to a FITS file of the announced size."""
    for url in obscore(image_service)["access_url"][:3]:
        [row] = DatalinkResults.from_result_url(url).bysemantics("#this", include_narrower=False)
        answer = httpx.get(row.access_url)
        assert (answer.headers["content-type"], len(answer.content)) == (
            "application/fits",
            row.content_length,
        )
        with fits.open(io.BytesIO(answer.content)) as hdus:
            assert any(hdu.header["NAXIS"] == 2 for hdu in hdus[1:])
        part = httpx.get(row.access_url, headers={"range": "bytes=0-79"})
        assert (part.status_code, part.content) == (206, answer.content[:80])


def test_many_identifiers_and_unknown_ones(image_service: Service) -> None:
    """Each has its row in the order asked; one that is unknown has an error in the words of the standard."""
    known = [str(did) for did in obscore(image_service)["obs_publisher_did"]]
    asked = [known[0], "ivo://nobody/nothing?x", known[1].upper(), "", "../../etc/passwd", known[0]]
    found = links(httpx.post(f"{image_service.url}/datalink/links", data={"id": asked}))
    assert found.colnames == FIELDS
    assert list(found["ID"]) == asked[:5]
    errors = [str(error) for error in found["error_message"].filled("")]
    assert [bool(error) for error in errors] == [False, True, False, True, True]
    assert all(error.startswith("NotFoundFault") for error in errors if error)


def test_no_identifier_and_too_many(image_service: Service) -> None:
    """An empty table; and one that is cut and says so, never within an identifier."""
    assert len(links(image_service.get("/datalink/links"))) == 0
    many = {"ID": [f"ivo://nobody/x?{i}" for i in range(999)]}
    assert len(links(httpx.post(f"{image_service.url}/datalink/links", data=many))) == 999
    assert MOST_IDS > 999


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/datalink/links?RESPONSEFORMAT=csv", 400),
        ("/datalink/links?RESPONSEFORMAT=votable", 200),
        (f"/datalink/links?RESPONSEFORMAT={LINKS_TYPE.replace('+', '%2B')}", 200),
        ("/datalink/file", 400),
        ("/datalink/file?ID=a&ID=b", 400),
        ("/datalink/file?ID=../../etc/passwd", 404),
        ("/datalink/file?ID=ivo://vo.example/sim1%3f%00", 404),
    ],
)
def test_bad_requests(image_service: Service, path: str, status: int) -> None:
    """The protocol's own error, and no file but those of images."""
    assert httpx.get(image_service.url + path).status_code == status


def test_the_documents(image_service: Service, assert_valid: Callable[[bytes], None]) -> None:
    """Capabilities and availability follow their schemas, the table says of which standard it is."""
    assert_valid(image_service.get("/datalink/capabilities").content)
    assert_valid(image_service.get("/datalink/availability").content)
    table = image_service.get("/datalink/links").text
    assert 'name="standardID" value="ivo://ivoa.net/std/DataLink#links-1.1"' in table


@pytest.mark.skipif(shutil.which("stilts") is None, reason="the command stilts is not installed")
def test_stilts_finds_nothing_wrong(image_service: Service, tmp_path: Path) -> None:
    """Datalinklint has no complaint."""
    document = tmp_path / "links.vot"
    document.write_bytes(httpx.get(obscore(image_service)["access_url"][0]).content)
    run = subprocess.run(
        ["stilts", "datalinklint", str(document)], capture_output=True, text=True, check=False
    )
    assert (run.returncode, "ERROR" in run.stdout, "WARNING" in run.stdout) == (0, False, False), run.stdout
