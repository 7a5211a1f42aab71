"""DataLink 1.1 through the door: what ObsCore's access URLs lead to, read by pyvo, astropy and STILTS."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from urllib.parse import urlencode

import httpx
import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable import parse, parse_single_table
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
    assert list(dict.fromkeys(found["ID"])) == asked[:5]
    assert [each for each, _ in groupby(found["ID"])] == asked[:5], "the rows of an ID are not together"
    found = found[found["semantics"] == "#this"]
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

    ids = [str(did) for did in obscore(image_service)["obs_publisher_did"]]
    for some in ([], ids[:1], [*ids, "ivo://nobody/x"]):
        assert_valid(httpx.post(f"{image_service.url}/datalink/links", data={"ID": some}).content)


def test_every_link_leads_to_what_it_says(image_service: Service) -> None:
    """Each row has one of URL, service and error; URLs give the announced type, planes of the right size."""
    images = obscore(image_service)
    found = links(image_service.get("/datalink/links", ID=images["obs_publisher_did"][0]))
    ways = [[bool(row[name]) for name in ("access_url", "service_def", "error_message")] for row in found]
    assert all(sum(row) == 1 for row in ways)
    assert list(found["semantics"]) == [
        *("#this", "#cutout", "#cutout", "#auxiliary", "#weight", "#preview-image"),
    ]
    for row in found[found["access_url"] != ""]:
        answer = httpx.get(row["access_url"], timeout=60)
        assert (answer.status_code, answer.headers["content-type"]) == (200, row["content_type"])
    [[mask], [weight]] = (
        fits.open(io.BytesIO(httpx.get(row["access_url"]).content))
        for row in found
        if row["semantics"] in ("#auxiliary", "#weight")
    )
    assert mask.data.shape == weight.data.shape == (500, 500)
    assert (mask.data.dtype.kind, weight.data.dtype.kind) == ("i", "f")


def test_the_services_are_described_with_the_ranges_of_the_image(image_service: Service) -> None:
    """Every service_def is that of a descriptor; its ranges are those of ObsCore, and lead to pixels."""
    query = (
        "SELECT obs_publisher_did, s_ra, s_dec, s_fov, s_region, em_min, em_max, t_min, t_max "
        "FROM ivoa.obscore"
    )
    images = parse_single_table(io.BytesIO(image_service.sync(query).content)).to_table()
    for image in images[[0, -1]]:
        answer = image_service.get("/datalink/links", ID=image["obs_publisher_did"])
        document = parse(io.BytesIO(answer.content))
        services = {each.ID: each for each in document.resources if each.utype == "adhoc:service"}
        named = document.get_first_table().to_table()["service_def"]
        assert {name for name in named if name} == set(services)
        [sync] = [each for name, each in services.items() if name != "soda-jobs"]
        inputs = {param.name: param for param in sync.groups[0].entries}
        assert inputs["ID"].ref == "ID"
        circle = [image["s_ra"], image["s_dec"], image["s_fov"] / 2]
        assert list(inputs["CIRCLE"].values.max) == circle
        assert list(inputs["POLYGON"].values.max) == [float(each) for each in image["s_region"].split()[2:]]
        for name, low, high in (("BAND", "em_min", "em_max"), ("TIME", "t_min", "t_max")):
            limits = inputs[name].values.min, inputs[name].values.max
            assert [float(np.squeeze(limit)) for limit in limits] == [image[low], image[high]]
        asked = {"CIRCLE": " ".join(map(str, circle)), "BAND": f"{image['em_min']} {image['em_max']}"}
        answer = image_service.get("/soda/sync", ID=image["obs_publisher_did"], **asked, KIND="HEADER")
        assert answer.status_code == 200


def test_thousands_of_identifiers(image_service: Service) -> None:
    """As many as are allowed, and one more: the table is cut between identifiers, and says so."""
    ids = [str(did) for did in obscore(image_service)["obs_publisher_did"]]
    ids += [f"ivo://nobody/x?{i}" for i in range(MOST_IDS + 1 - len(ids))]
    body = urlencode([("ID", each) for each in ids[: MOST_IDS + 1]]).encode()
    answer = httpx.post(
        f"{image_service.url}/datalink/links",
        content=body,
        headers={"content-type": "application/x-www-form-urlencoded"},
        timeout=60,
    )
    document = parse(io.BytesIO(answer.content))
    table = document.get_first_table().to_table()
    assert [each for each, _ in groupby(table["ID"])] == ids[:MOST_IDS]
    statuses = [info.value for info in document.resources[0].infos if info.name == "QUERY_STATUS"]
    assert statuses == ["OK", "OVERFLOW"]


@pytest.mark.skipif(shutil.which("stilts") is None, reason="the command stilts is not installed")
def test_stilts_finds_nothing_wrong(image_service: Service, tmp_path: Path) -> None:
    """Datalinklint has no complaint."""
    document = tmp_path / "links.vot"
    document.write_bytes(httpx.get(obscore(image_service)["access_url"][0]).content)
    run = subprocess.run(
        ["stilts", "datalinklint", str(document)], capture_output=True, text=True, check=False
    )
    assert (run.returncode, "ERROR" in run.stdout, "WARNING" in run.stdout) == (0, False, False), run.stdout
