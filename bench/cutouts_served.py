"""Cutouts of the service beside the direct call, and thousands in one job beside as many requests.

    python bench/cutouts_served.py [DIRECTORY] [POSITIONS]

Images of 10,000 x 10,000 pixels, those of bench/cutouts.py, are published; stamps of one arcminute are asked
for by the function that the service uses, by astropy, by requests on one connection and on four, and all in
one job; then circles and tilted squares of one arcminute with nothing outside them, of SODA and of astropy's
Cutout2D. POSITIONS (5,000) are those of the job, and of the requests beside it. Beside the time by the clock
stands that of the processors, which other programs disturb less: of this process, or of all of the service's.
"""

from __future__ import annotations

import io
import os
import sys
import tarfile
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import httpx
import numpy as np
import psutil
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.nddata import Cutout2D
from astropy.wcs import WCS
from numpy.typing import NDArray

from vo.config import Config
from vo.load import load_images

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from cutouts import FILES, SCALE, SIDE, SIZES, whole, written
from service import Service, serving

KINDS = tuple(FILES)[:3]
PIXELS = SIZES["1 arcmin"][0]
FEW = 100
CLIENTS = 4
RADIUS = 0.5 / 60
"""Degrees from the middle of a shape to its border or corners."""

Position = tuple[float, float]
Numbers = NDArray[np.float64]
Inside = NDArray[np.bool_]


def main() -> None:
    """Publish, measure, print tables."""
    kept = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    many = int(sys.argv[2]) if len(sys.argv) > 2 else 5_000
    with tempfile.TemporaryDirectory(dir=kept) as scratch:
        data = Path(scratch)
        paths = {name: published(data, name, kept) for name in KINDS}
        with serving(data, VO_LOG_LEVEL="warning", VO_OWNER_RUNNING="0") as service:
            print("| file | way | stamps a second | processor, ms a stamp | of the direct call |")
            print("|---|---|--:|--:|--:|")
            for name, path in paths.items():
                _compare(service, name, path)
            print("\n| file | shape | way | stamps a second | processor, ms a stamp | of astropy |")
            print("|---|---|---|--:|--:|--:|")
            for name, path in paths.items():
                for shape in SHAPES:
                    _shapes(service, name, path, shape)
            print(f"\n{many:,} positions\n\n| file | way | seconds | processor, seconds | of the job |")
            print("|---|---|--:|--:|--:|")
            for name in (KINDS[0], KINDS[-1]):
                _bulk(service, name, paths[name], many)


def published(data: Path, name: str, kept: Path | None) -> Path:
    """An image file, as the only one of a release."""
    number = KINDS.index(name)
    path = data / "images" / f"bench{number}" / f"{number}.fits"
    path.parent.mkdir(parents=True)
    if kept is not None:
        os.link(written(kept / path.name, name), path)
    else:
        written(path, name)
    load_images(path.parent, Config(data_dir=data), release=f"bench{number}", checksums=False)
    return path


@dataclass
class Spent:
    """Seconds by the clock, and of processors."""

    clock: float
    processor: float


@contextmanager
def spending(service: Service | None) -> Iterator[Spent]:
    """What the block takes, of the service or, without one, of this process."""
    before, began = _processor(service), time.perf_counter()
    spent = Spent(0.0, 0.0)
    yield spent
    spent.clock, spent.processor = time.perf_counter() - began, _processor(service) - before


def _processor(service: Service | None) -> float:
    if service is None:
        return time.process_time()
    supervisor = psutil.Process(service.process.pid)
    times = [each.cpu_times() for each in (supervisor, *supervisor.children(recursive=True))]
    # children_: those that have ended, as the processes of a pool do now and then
    return sum(each.user + each.system + each.children_user + each.children_system for each in times)


def positions(count: int) -> list[Position]:
    """Places in the image, an arcminute from its edges."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ["RA---TAN", "DEC--TAN"], [30.0, -20.0]
    wcs.wcs.crpix, wcs.wcs.cdelt = [SIDE / 2, SIDE / 2], [-SCALE, SCALE]
    pixels = np.random.default_rng(1).uniform(PIXELS, SIDE - PIXELS, (count, 2))
    return [(float(ra), float(dec)) for ra, dec in wcs.all_pix2world(pixels, 0)]


def _compare(service: Service, name: str, path: Path) -> None:
    """Stamps by the direct call, by astropy, and by requests."""
    places, release = positions(FEW), path.parent.name
    corners = [(int(x), int(y)) for x, y in np.random.default_rng(2).integers(0, SIDE - PIXELS, (FEW, 2))]
    direct, theirs = whole(path, PIXELS)
    ways: dict[str, tuple[Callable[[], object], Service | None]] = {
        "direct call": (lambda: [direct(corner) for corner in corners], None),
        "astropy": (lambda: [theirs(corner) for corner in corners], None),
        "requests": (partial(_requests, service, release, places), service),
        f"requests of {CLIENTS} clients": (partial(_by_clients, service, release, places), service),
        "requests, 304": (partial(_requests, service, release, places, known=True), service),
    }
    _print(name, ways)


def _print(name: str, ways: Mapping[str, tuple[Callable[[], object], Service | None]]) -> None:
    """A row for each way, which is gone twice: the first time warms it up."""
    first = 0.0
    for way, (work, whose) in ways.items():
        work()
        with spending(whose) as spent:
            work()
        each = spent.processor / FEW
        first = first or each
        print(
            f"| {name} | {way} | {FEW / spent.clock:,.0f} | {1e3 * each:.1f} | {each / first:.1f} |",
            flush=True,
        )


def _requests(service: Service, release: str, places: Sequence[Position], *, known: bool = False) -> int:
    """One request after the other on one connection; the bytes that came."""
    size = 0
    with _connected(service) as client:
        for ra, dec in places:
            query = urlencode({"RA": ra, "DEC": dec, "SIZE": 1, "RELEASE": release, "FORMAT": "fits"})
            client.request("GET", f"/cutout?{query}", headers={"If-None-Match": "*"} if known else {})
            answer = client.getresponse()
            body = answer.read()
            assert answer.status == (304 if known else 200), body
            size += len(body)
    return size


@contextmanager
def _connected(service: Service) -> Iterator[HTTPConnection]:
    client = HTTPConnection(urlsplit(service.url).netloc)
    try:
        yield client
    finally:
        client.close()


def _by_clients(service: Service, release: str, places: Sequence[Position]) -> None:
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(partial(_requests, service, release), [places[i::CLIENTS] for i in range(CLIENTS)]))


def _shapes(service: Service, name: str, path: Path, shape: str) -> None:
    """Shapes cut and blanked outside by astropy, by SODA, and their boxes by /cutout."""
    places, release = positions(FEW), path.parent.name
    query = f"SELECT obs_publisher_did FROM {release}.images"
    did = service.sync(query, RESPONSEFORMAT="csv").text.split()[1]
    theirs = _blanked(path, shape)
    ways: dict[str, tuple[Callable[[], object], Service | None]] = {
        "astropy": (lambda: [theirs(place) for place in places], None),
        "/soda/sync": (partial(_cut, service, did, shape, places), service),
        "/cutout, the box": (partial(_requests, service, release, places), service),
    }
    assert _same_pixels(theirs(places[0]), _soda(service, did, shape, places[0])), (name, shape)
    _print(f"{name} | {shape}", ways)


def _blanked(path: Path, shape: str) -> Callable[[Position], bytes]:
    """What cuts a shape out by Cutout2D, NaN outside, and makes it a FITS file in memory."""
    hdus = fits.open(path, memmap=True)
    hdu = next(each for each in hdus if each.header["NAXIS"] == 2)
    wcs, header = WCS(hdu.header), hdu.header

    def cut(place: Position) -> bytes:
        position = SkyCoord(*place, unit="deg")
        found = Cutout2D(hdu.section, position, (PIXELS + 1, PIXELS + 1), wcs=wcs, copy=True)
        rows, columns = np.indices(found.data.shape)
        found.data[~SHAPES[shape].holds(found.wcs, place, columns, rows)] = np.nan
        told = header.copy()
        told.update(found.wcs.to_header())
        file = io.BytesIO()
        fits.PrimaryHDU(found.data, told).writeto(file, checksum=True)
        return file.getvalue()

    return cut


def _in_circle(wcs: WCS, place: Position, columns: Numbers, rows: Numbers) -> Inside:
    away = wcs.pixel_to_world(columns, rows).separation(SkyCoord(*place, unit="deg"))
    return np.asarray(away.deg <= RADIUS)


def _in_square(wcs: WCS, place: Position, columns: Numbers, rows: Numbers) -> Inside:
    """Behind each of the edges, which are straight in the image to far less than a pixel."""
    corners = np.reshape(_square(place), (-1, 2))
    x, y = wcs.all_world2pix(corners[:, 0], corners[:, 1], 0)
    sides = [
        (x[i] - x[i - 1]) * (rows - y[i - 1]) - (y[i] - y[i - 1]) * (columns - x[i - 1])
        for i in range(len(x))
    ]
    return np.asarray(np.all(sides, axis=0) & ((np.min(sides, axis=0) > 0) | (np.max(sides, axis=0) < 0)))


def _square(place: Position) -> list[float]:
    """Vertices of a square that stands on a corner."""
    ra, dec = place
    wide = RADIUS / np.cos(np.radians(dec))
    return [ra - wide, dec, ra, dec - RADIUS, ra + wide, dec, ra, dec + RADIUS]


@dataclass(frozen=True)
class Shape:
    """How SODA is asked for a shape, and which pixels it has."""

    asked: Callable[[Position], Mapping[str, str]]
    holds: Callable[[WCS, Position, Numbers, Numbers], Inside]


SHAPES = {
    "circle": Shape(lambda place: {"CIRCLE": f"{place[0]!r} {place[1]!r} {RADIUS!r}"}, _in_circle),
    "polygon": Shape(lambda place: {"POLYGON": " ".join(map(repr, map(float, _square(place))))}, _in_square),
}


def _cut(service: Service, did: str, shape: str, places: Sequence[Position]) -> int:
    """One request of SODA after the other on one connection; the bytes that came."""
    with _connected(service) as client:
        return sum(len(_soda(service, did, shape, place, client)) for place in places)


def _soda(
    service: Service, did: str, shape: str, place: Position, client: HTTPConnection | None = None
) -> bytes:
    client = client or HTTPConnection(urlsplit(service.url).netloc)
    query = urlencode({"ID": did, "MASKED": "1", **SHAPES[shape].asked(place)})
    client.request("GET", f"/soda/sync?{query}")
    answer = client.getresponse()
    body = answer.read()
    assert answer.status == HTTPStatus.OK, body
    return body


def _same_pixels(theirs: bytes, ours: bytes) -> bool:
    """Whether both have the same values inside the shape, whatever the box around it."""
    found = [fits.open(io.BytesIO(each))[0].data for each in (theirs, ours)]
    values = [np.sort(each[np.isfinite(each)]) for each in found]
    return len(values[0]) > 0 and np.array_equal(*values)


def _bulk(service: Service, name: str, path: Path, many: int) -> None:
    """The same positions in one job, its archive fetched and opened, and by requests."""
    places, release = positions(many), path.parent.name
    ways = {
        "one job": partial(_job, service, release, places),
        "requests": partial(_requests, service, release, places),
    }
    first = 0.0
    for way, work in ways.items():
        with spending(service) as spent:
            work()
        first = first or spent.processor
        ratio = spent.processor / first
        print(f"| {name} | {way} | {spent.clock:,.1f} | {spent.processor:,.1f} | {ratio:.1f} |", flush=True)


def _job(service: Service, release: str, places: Sequence[Position]) -> None:
    table = "RA,DEC\n" + "".join(f"{ra!r},{dec!r}\n" for ra, dec in places)
    data = {"PHASE": "RUN", "RELEASE": release, "SIZE": "1"}
    answer = httpx.post(f"{service.url}/cutout/async", data=data, files={"POSITIONS": table.encode()})
    job = answer.headers["location"].removeprefix(service.url)
    assert service.await_phase(job, "COMPLETED", "ERROR", timeout_s=3600) == "COMPLETED"
    archive = io.BytesIO(service.get(f"{job}/results/cutouts").content)
    with tarfile.open(fileobj=archive) as opened:
        names = [member.name for member in opened if member.name.endswith(".fits")]
        assert len(names) == len(places)
        file = opened.extractfile(names[0])
        assert file is not None
        assert fits.open(file)[0].data.shape == (PIXELS, PIXELS)
    service.post(job, ACTION="DELETE")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
