"""SODA 1.0 through the door: cutouts read by astropy against the whole image, errors in the words of SODA."""

from __future__ import annotations

import io
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.io.votable import parse_single_table
from astropy.table import Row, Table
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from service import Service, serving

from vo.dali import Params
from vo.errors import UsageError
from vo.soda.query import Request

SYNC = "/soda/sync"


@pytest.fixture(scope="module")
def images(image_service: Service) -> Table:
    """All images, those of a tile one after the other."""
    return images_of(image_service)


def images_of(service: Service) -> Table:
    """What a service tells of its images."""
    query = (
        "SELECT obs_publisher_did, path, hdu, mask_hdu, weight_hdu, ra, dec, em_min, em_max, t_min, t_max, "
        "tile, band FROM sim1.images ORDER BY tile, band"
    )
    return parse_single_table(io.BytesIO(service.sync(query).content)).to_table()


def whole(service: Service, image: Row) -> fits.ImageHDU:
    """The image in its file, as astropy reads it."""
    with fits.open(service.data / "images" / str(image["path"])) as hdus:
        hdu = hdus[int(image["hdu"])]
        return fits.ImageHDU(hdu.data, hdu.header)


def opened(answer: httpx.Response) -> fits.HDUList:
    """The file of an answer, its checksums right."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/fits"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(io.BytesIO(answer.content), checksum=True, disable_image_compression=True) as hdus:
            hdus.verify("exception")
    return fits.open(io.BytesIO(answer.content))


def pixel_distance(hdu: fits.ImageHDU, image: fits.ImageHDU) -> float:
    """How far the middle of a cutout is on the sky from where its section says it is in the image: pixels."""
    section = hdu.header["ORIGSEC"].strip("[]").split(",")
    left, bottom = (int(ends.split(":")[0]) - 1 for ends in section)
    rows, columns = hdu.data.shape
    middle = (columns - 1) / 2, (rows - 1) / 2
    here = WCS(hdu.header).pixel_to_world(*middle)
    there = WCS(image.header).pixel_to_world(middle[0] + left, middle[1] + bottom)
    scale = np.sqrt(abs(np.linalg.det(WCS(image.header).pixel_scale_matrix)))
    assert isinstance(here, SkyCoord)
    return float(here.separation(there).deg / scale)


def test_every_image_is_cut_where_it_should(image_service: Service, images: Table) -> None:
    """Tiles beside RA 0h and at the pole: pixels are those of the file, the sky is right to 0.01 pixel."""
    for image in images:
        circle = f"{image['ra']} {image['dec']} 0.03"
        [hdu] = opened(image_service.get(SYNC, ID=image["obs_publisher_did"], CIRCLE=circle))
        full = whole(image_service, image)
        assert pixel_distance(hdu, full) < 0.01
        left, bottom = (int(part.split(":")[0]) - 1 for part in hdu.header["ORIGSEC"].strip("[]").split(","))
        rows, columns = hdu.data.shape
        np.testing.assert_array_equal(hdu.data, full.data[bottom : bottom + rows, left : left + columns])
        assert rows * columns > 900
        assert f"ID={image['obs_publisher_did']}" in "".join(hdu.header["HISTORY"])
        assert f"CIRCLE={circle}" in "".join(hdu.header["HISTORY"])


def inside_of(shape: str, header: fits.Header, size: tuple[int, int]) -> np.ndarray:
    """Which pixels have their centre in a shape of POS, by brute force on the sphere."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    sky = WCS(header).pixel_to_world(columns, rows)
    word, *numbers = shape.split()
    values = [float(number) for number in numbers]
    if word == "CIRCLE":
        return np.asarray(sky.separation(SkyCoord(values[0], values[1], unit="deg")).deg <= values[2])
    if word == "RANGE":
        width = (values[1] - values[0]) % 360
        inside = (sky.ra.deg - values[0]) % 360 <= width
        return np.asarray(inside & (sky.dec.deg >= values[2]) & (sky.dec.deg <= values[3]))
    points = np.array(values).reshape(-1, 2)
    vectors = SkyCoord(points[:, 0], points[:, 1], unit="deg").cartesian.xyz.value.T
    pixels = np.moveaxis(sky.cartesian.xyz.value, 0, -1)
    sides = [pixels @ np.cross(a, b) for a, b in zip(vectors, np.roll(vectors, -1, axis=0), strict=True)]
    return np.all(np.array(sides) >= 0, axis=0) | np.all(np.array(sides) <= 0, axis=0)


@pytest.mark.parametrize("word", ["CIRCLE", "RANGE", "POLYGON"])
def test_pixels_outside_the_shape_are_blank(image_service: Service, images: Table, word: str) -> None:
    """MASKED=1: exactly those whose centre is not in the shape; without it they are there."""
    image = images[0]
    ra, dec = image["ra"], image["dec"]
    shape = {
        "CIRCLE": f"CIRCLE {ra} {dec} 0.05",
        "RANGE": f"RANGE {(ra - 0.04) % 360} {(ra + 0.03) % 360} {dec - 0.05} {dec + 0.02}",
        "POLYGON": f"POLYGON {(ra - 0.05) % 360} {dec} {ra} {dec - 0.04} {(ra + 0.06) % 360} {dec + 0.05}",
    }[word]
    asked = {"ID": image["obs_publisher_did"], "POS": shape}
    [masked] = opened(image_service.get(SYNC, **asked, MASKED=1))
    [bare] = opened(image_service.post(SYNC, **asked))
    inside = inside_of(shape, masked.header, masked.data.shape)
    np.testing.assert_array_equal(np.isfinite(masked.data), inside)
    assert np.isfinite(bare.data).all()
    assert all(inside.any(axis=axis).all() for axis in (0, 1)), "the box is larger than the shape"
    assert inside.mean() > 0.2
    if word != "RANGE":
        other = image_service.get(SYNC, ID=asked["ID"], **{word: shape.partition(" ")[2]})
        np.testing.assert_array_equal(opened(other)[0].data, bare.data)


def test_planes_packed_and_headers(image_service: Service, images: Table) -> None:
    """Mask and weight on request, in the order of the planes; packed; headers alone."""
    image = images[0]
    asked = {"ID": image["obs_publisher_did"], "CIRCLE": f"{image['ra']} {image['dec']} 0.03"}
    planes = opened(image_service.get(SYNC, **asked, PLANES=["weight,mask", "IMAGE"]))
    assert [hdu.header.get("ORIGHDU") for hdu in planes] == [
        None,
        *(image[name] for name in ("hdu", "mask_hdu", "weight_hdu")),
    ]
    assert len({hdu.data.shape for hdu in planes[1:]}) == 1
    [weight] = opened(image_service.get(SYNC, **asked, PLANES="weight"))
    np.testing.assert_array_equal(weight.data, planes[3].data)

    answer = image_service.get(SYNC, **asked, PACKED=1)
    assert answer.headers["content-disposition"].endswith('.fits.fz"')
    packed = opened(answer)[1]
    assert packed.data.shape == planes[1].data.shape
    assert pixel_distance(packed, whole(image_service, image)) < 0.01

    [header] = opened(image_service.get(SYNC, **asked, KIND="header"))
    assert header.data is None
    assert header.header["CRPIX1"] == planes[1].header["CRPIX1"]


def test_no_pixels(image_service: Service, images: Table) -> None:
    """No overlap in position, wavelength, time or polarization: 204, an empty body; with some: pixels."""
    image = images[0]
    asked = {"ID": image["obs_publisher_did"]}
    for nothing in (
        {"CIRCLE": f"{image['ra']} {-image['dec']} 0.1"},
        {"BAND": "1e-3 1"},
        {"TIME": "-Inf 10000"},
        {"POL": ["I", "V"]},
    ):
        answer = image_service.get(SYNC, **asked, **nothing)
        assert (answer.status_code, answer.content) == (204, b""), nothing
    some = {"BAND": f"0 {image['em_min']}", "TIME": f"{image['t_max']} +Inf", "CIRCLE": "0 0 180"}
    [hdu] = opened(image_service.get(SYNC, **asked, **some))
    assert hdu.data.shape == whole(image_service, image).data.shape


@pytest.mark.parametrize(
    ("params", "status", "begin"),
    [
        ({}, 400, "UsageError: ID is missing"),
        ({"ID": ""}, 400, "UsageError: ID is missing"),
        ({"ID": "ivo://nobody/x?y"}, 404, "UsageError: There is no image"),
        ({"ID": "../../etc/passwd"}, 404, "UsageError: There is no image"),
        ({"ID": ["*", "b"]}, 400, "MultiValuedParamNotSupported: ID has 2 values"),
        ({"ID": "*", "CIRCLE": "1 1 1", "POS": "CIRCLE 2 2 2"}, 400, "MultiValuedParamNotSupported: CIRCLE"),
        ({"ID": "*", "BAND": ["1 2", "2 3"]}, 400, "MultiValuedParamNotSupported: BAND"),
        ({"ID": "*", "TIME": ["1 2", "2 3"]}, 400, "MultiValuedParamNotSupported: TIME"),
        ({"ID": "*", "CIRCLE": "NaN 0 1"}, 400, "UsageError: CIRCLE must be a number"),
        ({"ID": "*", "CIRCLE": "1 91 1"}, 400, "UsageError: CIRCLE: (1, 91) is no position"),
        ({"ID": "*", "CIRCLE": "1 1"}, 400, "UsageError: A CIRCLE has"),
        ({"ID": "*", "POLYGON": "1 1 1 1 1 1"}, 400, "UsageError: A polygon has three"),
        ({"ID": "*", "POLYGON": "1 1 2 2 3"}, 400, "UsageError: A POLYGON has"),
        ({"ID": "*", "POLYGON": "1 1 " * 1001}, 413, "UsageError: A POLYGON may have"),
        ({"ID": "*", "POS": "BOX 1 1 1 1"}, 400, "UsageError: POS must begin with"),
        ({"ID": "*", "POS": "RANGE 1 2 4 3"}, 400, "UsageError: RANGE: 4 is above 3"),
        ({"ID": "*", "BAND": "2 1"}, 400, "UsageError: BAND: 2 is above 1"),
        ({"ID": "*", "POL": "X"}, 400, "UsageError: POL must be one of"),
        ({"ID": "*", "PLANES": "sky"}, 400, "UsageError: PLANES may name"),
        ({"ID": "*", "MASKED": "perhaps"}, 400, "UsageError: MASKED must be 0 or 1"),
        ({"ID": "*", "RESPONSEFORMAT": "png"}, 400, "UsageError: RESPONSEFORMAT 'png'"),
        ({"ID": "*", "UPLOAD": "a,param:b"}, 400, "UsageError: UPLOAD is not supported"),
        (
            {"ID": [f"ivo://x/y?{i}" for i in range(900)], "POS": ["CIRCLE 1 1 1", "CIRCLE 2 2 2"]},
            413,
            "Usage",
        ),
    ],
)
@pytest.mark.parametrize("accept", ["*/*", "application/json"])
def test_errors_are_told_in_the_words_of_soda(
    image_service: Service, images: Table, params: dict[str, Any], status: int, begin: str, accept: str
) -> None:
    """Plain text that begins with the label, whatever the client would rather have."""
    known = {"*": str(images["obs_publisher_did"][0])}
    asked = {
        name: [known.get(value, value) for value in ([values] if isinstance(values, str) else values)]
        for name, values in params.items()
    }
    answer = httpx.post(image_service.url + SYNC, data=asked, headers={"accept": accept})
    assert (answer.status_code, answer.text[: len(begin)]) == (status, begin)
    assert answer.headers["content-type"].startswith("text/plain")


def test_a_client_that_has_the_file_is_told_so(image_service: Service, images: Table) -> None:
    """Tag and date of the file; another request has another tag; HEAD has the headers alone."""
    asked = {
        "ID": str(images["obs_publisher_did"][0]),
        "CIRCLE": f"{images['ra'][0]} {images['dec'][0]} 0.01",
    }
    first = image_service.get(SYNC, **asked)
    tag, date = first.headers["etag"], first.headers["last-modified"]
    url = image_service.url + SYNC
    for condition in ({"if-none-match": tag}, {"if-modified-since": date}):
        again = httpx.get(url, params=asked, headers=condition)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert image_service.get(SYNC, **asked, MASKED=1).headers["etag"] != tag
    assert image_service.get(SYNC, **asked).content == first.content
    head = httpx.head(url, params=asked)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", tag)
    assert head.headers["content-type"] == "application/fits"
    packed = httpx.get(url, params=asked, headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in packed.headers


@pytest.mark.parametrize(
    "options", [{}, {"PACKED": "1"}, {"KIND": "HEADER"}, {"PLANES": "image,weight"}], ids=str
)
def test_parts_of_a_file(image_service: Service, images: Table, options: dict[str, str]) -> None:
    """A range is what it is of the whole (206), or not there (416), unless the file is another by now."""
    url = image_service.url + SYNC
    asked = {
        "ID": str(images["obs_publisher_did"][0]),
        "CIRCLE": f"{images['ra'][0]} {images['dec'][0]} 0.01",
        **options,
    }
    whole = httpx.get(url, params=asked)
    size = len(whole.content)
    assert int(whole.headers["content-length"]) == size
    assert whole.headers["accept-ranges"] == "bytes"
    for condition in (whole.headers["etag"], whole.headers["last-modified"]):
        for wanted, first, stop in (
            ("0-79", 0, 80),
            (f"{size - 5}-", size - 5, size),
            ("-7", size - 7, size),
        ):
            headers = {"Range": f"bytes={wanted}", "If-Range": condition}
            part = httpx.get(url, params=asked, headers=headers)
            assert (part.status_code, part.content) == (206, whole.content[first:stop])
            assert part.headers["content-range"] == f"bytes {first}-{stop - 1}/{size}"
            assert part.headers["etag"] == whole.headers["etag"]
    beyond = httpx.get(url, params=asked, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.content) == (416, b"")
    assert beyond.headers["content-range"] == f"bytes */{size}"
    other = httpx.get(url, params=asked, headers={"Range": "bytes=0-9", "If-Range": '"x"'})
    posted = httpx.post(url, data=asked, headers={"Range": "bytes=0-9"})
    assert [(answer.status_code, answer.content) for answer in (other, posted)] == [(200, whole.content)] * 2


def results_of(service: Service, job: str) -> list[httpx.Response]:
    """What a job left, in its order."""
    document = etree.fromstring(service.get(f"{job}/results").content)
    links = document.xpath("//@xlink:href", namespaces={"xlink": "http://www.w3.org/1999/xlink"})
    return [httpx.get(link) for link in links]


def started(service: Service, **params: Any) -> str:
    """The path of a job that was created and started."""
    answer = service.post("/soda/async", PHASE="RUN", **params)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].removeprefix(service.url)


def test_each_combination_is_a_result(image_service: Service, images: Table) -> None:
    """Two images and an unknown one, two shapes, two bands: twelve results, texts for what is not there."""
    here, there = images[0], images[-1]
    ids = [str(here["obs_publisher_did"]), "ivo://nobody/x", str(there["obs_publisher_did"])]
    job = started(
        image_service,
        ID=ids,
        CIRCLE=[f"{each['ra']} {each['dec']} 0.02" for each in (here, there)],
        BAND=[f"{here['em_min']} {here['em_max']}", "1 2"],
        MASKED="1",
    )
    assert image_service.await_phase(job, "COMPLETED", "ERROR") == "COMPLETED"
    results = results_of(image_service, job)
    assert len(results) == 12
    good = [number for number, result in enumerate(results) if result.headers["content-type"] != "text/plain"]
    assert good == [0] if here["band"] != there["band"] else [0, 10]
    [hdu] = opened(results[0])
    assert pixel_distance(hdu, whole(image_service, here)) < 0.01
    for number in set(range(12)) - set(good):
        assert results[number].text.startswith("UsageError: "), number
    assert "ivo://nobody/x" in results[5].text
    assert all(term in results[1].text for term in (f"ID={ids[0]}", "CIRCLE=", "BAND=1.0 2.0"))


def test_a_job_that_asks_for_too_much_fails(image_service: Service) -> None:
    """What is wrong with all of it is the error of the job, told in the words of SODA."""
    for params, begin in (
        ({}, "UsageError: ID is missing"),
        ({"ID": ["a"] * 40, "POS": "CIRCLE 1 1"}, "UsageError: A CIRCLE"),
    ):
        job = started(image_service, **params)
        assert image_service.await_phase(job, "COMPLETED", "ERROR") == "ERROR"
        for accept in ("*/*", "application/json", "text/html"):
            error = httpx.get(f"{image_service.url}{job}/error", headers={"accept": accept})
            assert (error.status_code, error.text[: len(begin)]) == (200, begin)
            assert error.headers["content-type"].startswith("text/plain")


def test_the_documents(image_service: Service, assert_valid: Callable[[bytes], None]) -> None:
    """Capabilities and availability follow their schemas and name both resources."""
    capabilities = image_service.get("/soda/capabilities").content
    assert_valid(capabilities)
    assert_valid(image_service.get("/soda/availability").content)
    for name in ("sync", "async"):
        assert f'standardID="ivo://ivoa.net/std/SODA#{name}-1.0"'.encode() in capabilities
        assert f"{image_service.url}/soda/{name}<".encode() in capabilities


@pytest.fixture(scope="module")
def odd(image_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with files that were broken behind its back, and little patience."""
    data = tmp_path_factory.mktemp("odd") / "data"
    shutil.copytree(image_data, data)
    files = sorted((data / "images" / "sim1").iterdir())
    whole = files[0].read_bytes()
    files[0].write_bytes(whole[: len(whole) // 3])
    files[1].write_bytes(b"This is no FITS file. " * 500)
    files[2].unlink()
    with fits.open(files[3]) as hdus, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for hdu in hdus[1:]:
            for name in ("CTYPE1", "CTYPE2"):
                hdu.header.remove(name)
        changed = io.BytesIO()
        hdus.writeto(changed)
    files[3].write_bytes(changed.getvalue())
    (data / "serve.log").unlink(missing_ok=True)
    with serving(data, VO_CUTOUT_PIXELS="100000", VO_CUTOUT_WORKERS="1", VO_SYNC_WORKERS="1") as running:
        yield running


def test_broken_files_are_told_and_harm_nobody(odd: Service) -> None:
    """Cut short, no FITS, missing, without a projection: an error that says so; the worker goes on."""
    workers = {process.pid for process in odd.processes("vo sync")}
    by_file = sorted(images_of(odd), key=lambda image: str(image["path"]))
    words = ["broken", "FITS", "cannot be opened", "is of no use"]
    asked = [
        {"ID": str(image["obs_publisher_did"]), "CIRCLE": f"{image['ra']} {image['dec']} 0.2"}
        for image in by_file
    ]
    for each, word in zip(asked, words, strict=False):
        answer = odd.get(SYNC, **each)
        assert (answer.status_code, answer.text[:6]) == (500, "Error:"), answer.text
        assert word in answer.text
        assert str(odd.data) not in answer.text
    assert opened(odd.get(SYNC, **asked[-1]))
    assert {process.pid for process in odd.processes("vo sync")} == workers

    job = started(odd, ID=[each["ID"] for each in asked], CIRCLE="0 0 180", KIND="HEADER")
    assert odd.await_phase(job, "COMPLETED", "ERROR") == "COMPLETED"
    texts = [result.text for result in results_of(odd, job)]
    assert [word in text for word, text in zip(words, texts, strict=False)] == [True] * 4
    assert texts[-1].startswith("SIMPLE  =")


def test_there_are_limits(odd: Service) -> None:
    """Pixels of one file, all planes together; a polygon that goes everywhere; headers cost nothing."""
    image = max(images_of(odd), key=lambda image: str(image["path"]))
    asked = {"ID": str(image["obs_publisher_did"]), "CIRCLE": f"{image['ra']} {image['dec']} 0.15"}
    assert odd.get(SYNC, **asked).status_code == 200
    refused = odd.get(SYNC, **asked, PLANES="image,mask,weight")
    assert (refused.status_code, refused.text[:11]) == (413, "UsageError:")
    assert "may have 100,000" in refused.text
    assert odd.get(SYNC, **asked, PLANES="image,mask,weight", KIND="HEADER").status_code == 200
    assert odd.get(SYNC, ID=asked["ID"]).status_code == 413
    lons = [(image["ra"] + (i - 250) * 0.01) % 360 for i in range(500)]
    there = [(lon, image["dec"] + 0.4 * (i % 2 - 0.5)) for i, lon in enumerate(lons)]
    back = [(lon, dec + 0.002) for lon, dec in reversed(there)]
    polygon = " ".join(f"{lon:.6f} {max(dec, -90):.6f}" for lon, dec in there + back)
    answer = odd.post(SYNC, ID=asked["ID"], POLYGON=polygon)
    assert answer.status_code in (200, 204, 413), answer.text


NAMES = ["ID", "circle", "POLYGON", "POS", "BAND", "TIME", "POL", "PLANES", "MASKED", "KIND", "PACKED"]
VALUES = ["CIRCLE 1 2 3", "RANGE 350 10 -Inf 5", "1 2 3", "1 2 3 4 5 0", "1e-7 +Inf", "I"]
NUMBERS = st.lists(st.floats(-400, 400), max_size=8).map(lambda values: " ".join(map(repr, values)))
PAIRS = st.tuples(st.sampled_from(NAMES), st.one_of(st.text(max_size=30), st.sampled_from(VALUES), NUMBERS))


@given(st.lists(PAIRS, max_size=12))
@settings(deadline=None)
def test_any_request_is_judged(pairs: list[tuple[str, str]]) -> None:
    """Whatever is sent is refused, or becomes as many files as there are combinations, image by image."""
    with suppress(UsageError):
        request = Request.from_params(Params(tuple(pairs)))
        cutouts = list(request.cutouts())
        assert len(cutouts) == request.size == len(set(cutouts))
        assert [each for each, _ in groupby(cutout.image_id for cutout in cutouts)] == list(request.image_ids)
