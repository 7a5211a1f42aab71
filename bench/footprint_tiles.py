"""Tiles of positions: look-ups in process and over HTTP, beside brute force, shapely and mocpy.

    python bench/footprint_tiles.py [LIST]

LIST is a list of tiles as `vo load tiles` reads it; without it, ten thousand of the layout of DES are taken.
A million positions anywhere, and as many in the tiles. Brute force looks at every pair of a position and a
tile; all differences from it are counted. shapely looks at polygons of a plane; mocpy tells only whether a
position is in any tile, to a cell of order 11.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import mocpy
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from astropy import units
from astropy.coordinates import Latitude, Longitude
from numba import njit
from numpy.typing import NDArray

from vo.config import Config
from vo.context import open_database
from vo.footprint.index import TileIndex, index_of
from vo.load import load_tiles
from vo.sample.tiles import PIXEL_ARCSEC, PIXELS, tile
from vo.tap.schema import describe
from vo.tiling.outlines import Pairs

Numbers = NDArray[np.float64]
Result = TypeVar("Result")

POSITIONS = 1_000_000
PORT = 8766
MOC_ORDER = 11
REQUESTS = 500
ROUNDING = 1e-16


def main() -> None:
    """Print a line for each measurement."""
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "data"
        data.mkdir()
        source = Path(sys.argv[1]) if len(sys.argv) > 1 else listed(Path(scratch) / "tiles.csv")
        print(load_tiles(source, Config(data_dir=data), release="des"))
        with open_database(Config(data_dir=data), describe) as database:
            _, seconds = timed(lambda: index_of(database))
            index = index_of(database)
            print(
                f"index of {index.rows.num_rows:,} tiles: {seconds:.2f} s of processor time, once a process"
            )
        rng = np.random.default_rng(7)
        for where, places in (("anywhere", anywhere(rng)), ("in the tiles", in_tiles(index, rng))):
            compare(index, where, *places)
        one_by_one(index, *in_tiles(index, rng))
        with serving(data):
            over_http(*in_tiles(index, rng))


def listed(path: Path) -> Path:
    """A list of tiles from the equator to Dec -65, a third of the sky wide."""
    with path.open("w") as lines:
        lines.write("TILENAME,RA_CENT,DEC_CENT,PIXELSCALE,NAXIS1,NAXIS2,URALL,URAUR,UDECLL,UDECUR\n")
        for band in range(-90, 1):
            places = (tile(band, i) for i in range(int(170 * np.cos(np.radians(band * 2570 / 3600)))))
            for each in places:
                image = f"{each.name},{each.ra},{each.dec},{PIXEL_ARCSEC},{PIXELS},{PIXELS}"
                bounds = f"{each.ura_min},{each.ura_max},{each.udec_min},{each.udec_max}"
                lines.write(f"{image},{bounds}\n")
    return path


def anywhere(rng: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Positions all over the sky."""
    return rng.uniform(0, 360, POSITIONS), np.degrees(np.arcsin(rng.uniform(-1, 1, POSITIONS)))


def in_tiles(index: TileIndex, rng: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Positions in tiles, and some beside them."""
    chosen = rng.choice(index.rows.num_rows, POSITIONS)
    ra, dec = (index.rows.column(name).to_numpy()[chosen] for name in ("ra", "dec"))
    off = rng.uniform(-0.37, 0.37, (2, POSITIONS))
    return (ra + off[0] / np.cos(np.radians(dec))) % 360, np.clip(dec + off[1], -90, 90)


def compare(index: TileIndex, where: str, lon: Numbers, lat: Numbers) -> None:
    """All positions in one call, and the same by the others."""
    index.holding(lon[:10], lat[:10])
    pairs, ours = timed(lambda: index.holding(lon, lat))
    rate = len(lon) / ours / 1e6
    print(
        f"{len(lon):,} positions {where}: {ours:.2f} s, {rate:.1f} million a second, "
        f"{len(pairs.tiles):,} pairs"
    )
    count, differences, brute = brute_force(index, pairs, lon, lat)
    print(
        f"  brute force: {brute:.0f} s ({brute / ours:.0f} times), {count:,} pairs, {differences} differences"
    )
    planar, seconds = by_shapely(index, lon, lat)
    print(f"  shapely STRtree: {seconds:.2f} s ({seconds / ours:.1f} times), {planar:,} pairs")
    inside, seconds = by_mocpy(index, lon, lat)
    known = int((np.diff(pairs.begins) > 0).sum())
    print(
        f"  mocpy, yes or no: {seconds:.2f} s ({seconds / ours:.1f} times), {inside:,} inside, ours {known:,}"
    )


def brute_force(index: TileIndex, pairs: Pairs, lon: Numbers, lat: Numbers) -> tuple[int, int, float]:
    """Pairs of every position and every tile, how many differ from those found, and the seconds."""
    corners = np.array(index.rows.column("outline").to_pylist()).reshape(-1, 4, 2)
    loops = vectors(corners[..., 0], corners[..., 1])
    edges = np.cross(np.roll(loops, -1, axis=1), loops)
    count_pairs(vectors(lon[:9], lat[:9]), edges, pairs.begins[:10], pairs.tiles)
    (count, differences), seconds = timed(
        lambda: count_pairs(vectors(lon, lat), edges, pairs.begins, pairs.tiles)
    )
    return count, differences, seconds


@njit(nogil=True)  # type: ignore[untyped-decorator]  # numba has no types
def count_pairs(
    positions: Numbers, edges: Numbers, begins: NDArray[np.int64], tiles: NDArray[np.int64]
) -> tuple[int, int]:
    """Pairs of a position and a tile behind whose four edges it is; and how many differ from those found."""
    count = differences = 0
    for i in range(len(positions)):
        x, y, z = positions[i]
        here = tiles[begins[i] : begins[i + 1]]
        seen = 0
        for t in range(len(edges)):
            least = 1.0
            for k in range(4):
                side = x * edges[t, k, 0] + y * edges[t, k, 1] + z * edges[t, k, 2]
                least = min(least, side)
                if side < -ROUNDING:
                    break
            if least >= -ROUNDING:  # what is on the border to within rounding may be told either way
                is_found = False
                for tile in here:
                    is_found = is_found or tile == t
                seen += is_found
                count += 1
                differences += not is_found and least > ROUNDING
        differences += len(here) - seen
    return count, differences


def by_shapely(index: TileIndex, lon: Numbers, lat: Numbers) -> tuple[int, float]:
    """Pairs of positions and polygons on the plane of RA and Dec, those at 0 h on both sides of it."""
    corners = np.array(index.rows.column("outline").to_pylist()).reshape(-1, 4, 2)
    ra = index.rows.column("ra").to_numpy()[:, None]
    corners[..., 0] = ra + (corners[..., 0] - ra + 180) % 360 - 180
    beyond = corners[corners[..., 0].max(axis=1) > 360] - [360.0, 0.0]
    before = corners[corners[..., 0].min(axis=1) < 0] + [360.0, 0.0]
    tree = shapely.STRtree(shapely.polygons(np.concatenate([corners, beyond, before])))
    found, seconds = timed(lambda: tree.query(shapely.points(lon, lat), predicate="intersects"))
    return found.shape[1], seconds


def by_mocpy(index: TileIndex, lon: Numbers, lat: Numbers) -> tuple[int, float]:
    """Positions in the MOC of all tiles."""
    corners = np.array(index.rows.column("outline").to_pylist()).reshape(-1, 4, 2)
    mocs = mocpy.MOC.from_polygons([axis for loop in corners for axis in loop.T], max_depth=MOC_ORDER)
    moc = mocs[0].union(*mocs[1:])
    places = Longitude(lon, units.deg), Latitude(lat, units.deg)
    inside, seconds = timed(lambda: moc.contains_lonlat(*places))
    return int(inside.sum()), seconds


def one_by_one(index: TileIndex, lon: Numbers, lat: Numbers) -> None:
    """Look-ups of one position each."""
    singles = [(lon[i : i + 1].copy(), lat[i : i + 1].copy()) for i in range(20_000)]
    _, seconds = timed(lambda: [index.holding(*single) for single in singles])
    print(f"one position a call: {len(singles) / seconds:,.0f} calls a second in process")


def over_http(lon: Numbers, lat: Numbers) -> None:
    """Requests for one position each on one connection, and a job with all positions."""
    client = http.client.HTTPConnection("127.0.0.1", PORT)
    started, waits = time.process_time(), []
    for i in range(REQUESTS):
        before = time.monotonic()
        client.request("GET", f"/footprint/tiles?POS=POINT+{lon[i]:.6f}+{lat[i]:.6f}&RESPONSEFORMAT=csv")
        assert client.getresponse().read().startswith(b"tilename")
        waits.append(time.monotonic() - before)
    own = time.process_time() - started
    print(
        f"over HTTP: {REQUESTS / sum(waits):,.0f} a second on one connection, median "
        f"{np.median(waits) * 1e3:.1f} ms (client {own / REQUESTS * 1e3:.1f} ms of processor time)"
    )
    started = time.monotonic()
    done = job(client, lon, lat)
    print(
        f"a job with {len(lon):,} positions (Parquet, both ways): {time.monotonic() - started:.1f} s, "
        f"{done:,} rows"
    )


def job(client: http.client.HTTPConnection, lon: Numbers, lat: Numbers) -> int:
    """Send a table, wait for its job, count the rows of the result."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"ra": lon, "dec": lat}), sink)
    part = '--x\r\nContent-Disposition: form-data; name="{}"{}\r\n\r\n'
    fields = "".join(part.format(name, "") + value + "\r\n" for name, value in FIELDS.items())
    file = part.format("positions", '; filename="positions.parquet"')
    body = (fields + file).encode() + sink.getvalue().to_pybytes() + b"\r\n--x--\r\n"
    client.request(
        "POST", "/footprint/tiles/async", body, {"Content-Type": "multipart/form-data; boundary=x"}
    )
    answer = client.getresponse()
    answer.read()
    path = (answer.headers["location"] or "").partition(f":{PORT}")[2]
    client.request("GET", f"{path}/phase")
    while (phase := client.getresponse().read()) in (b"QUEUED", b"EXECUTING"):
        time.sleep(0.1)
        client.request("GET", f"{path}/phase")
    assert phase == b"COMPLETED", phase
    client.request("GET", f"{path}/results/result")
    return pq.read_table(pa.BufferReader(client.getresponse().read())).num_rows


FIELDS = {"PHASE": "RUN", "RESPONSEFORMAT": "parquet"}


@contextmanager
def serving(data: Path) -> Iterator[None]:
    """A service on `data`, until the block ends."""
    command = [sys.executable, "-m", "vo.cli", "serve", "--data", str(data), "--port", str(PORT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=dict(os.environ)) as process:
        assert process.stdout is not None
        while b"Serving" not in (line := process.stdout.readline()):
            assert line, "the service did not start"
        try:
            yield
        finally:
            process.terminate()


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """What the work gives, and its seconds of processor time."""
    started = time.process_time()
    return work(), time.process_time() - started


def vectors(lon: Numbers, lat: Numbers) -> Numbers:
    """Unit vectors of degrees."""
    lon, lat = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


if __name__ == "__main__":
    main()
