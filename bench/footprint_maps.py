"""Maps and MOCs of 20 million rows, beside healpy and mocpy on the rows that the same database gives them.

    python bench/footprint_maps.py [DIRECTORY] [ROWS]

DIRECTORY keeps the release for the next run (1 GB); without it, one is made and thrown away. The peers take
positions as arrays, so they have to SELECT them first: their times are told with that and without. Every
answer is compared with theirs. Of some runs the one with the least processor time counts.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import healpy
import numpy as np
from astropy import units
from mocpy import MOC
from sky_table import MAIN, build

from vo.adql import translate
from vo.context import open_database
from vo.dali import Params
from vo.db.base import Database
from vo.footprint.gather import cells_covered
from vo.footprint.map_request import MapRequest
from vo.footprint.maps import map_of
from vo.footprint.moc_request import MocRequest
from vo.footprint.sky_map import SkyMap
from vo.moc import Moc
from vo.tap.schema import describe

ROWS = 20_000_000
TURNS = 3
DES = Path(__file__).resolve().parents[2] / "shared" / "data" / "des-footprint" / "des_dr2.moc.fits"
ROW = "{:44} {:>9} {:>9} {:>9}   {}"


@dataclass(frozen=True)
class Taken:
    """The best of some runs in seconds, and what they gave."""

    wall: float
    cpu: float
    answer: Any

    def __add__(self, other: Taken) -> Taken:
        """One after the other."""
        return Taken(self.wall + other.wall, self.cpu + other.cpu, self.answer)


def main() -> None:
    """Build, measure, print; the process fails where an answer is not that of the peer."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    rows = int(sys.argv[2]) if len(sys.argv) > 2 else ROWS
    with tempfile.TemporaryDirectory(prefix="vo-bench-") as folder:
        config = build(directory or Path(folder), rows, 100_000)
        with open_database(config, describe) as database:
            print(f"{rows:,} rows")
            print(ROW.format("", "wall s", "CPU s", "ratio", ""))
            _maps(Bench(database, config))
            _mocs(Bench(database, config))


@dataclass(frozen=True)
class Bench:
    """The database and its settings."""

    database: Database
    config: Any

    def columns(self, *names: str) -> list[np.ndarray]:
        """Columns of all rows."""
        statement = translate(f"SELECT {', '.join(names)} FROM {MAIN}", self.database.catalog())
        with self.database.stream(statement) as result:
            batches = list(result)
        return [
            np.concatenate([batch.column(number).to_numpy() for batch in batches])
            for number in range(len(names))
        ]

    def map(self, **params: str) -> SkyMap:
        """A map as the service makes it."""
        catalog = self.database.catalog()
        pairs = (("TABLE", MAIN), *params.items())
        request = MapRequest.from_params(Params(pairs), catalog, self.config)
        with self.database.stream(translate(request.query, catalog)) as result:
            return map_of(request, iter(result), _never)

    def moc(self, order: int) -> Moc:
        """A MOC of all rows as the service makes it."""
        catalog = self.database.catalog()
        params = Params((("TABLE", MAIN), ("ORDER", str(order))))
        request = MocRequest.from_params(params, catalog, self.config)
        with self.database.stream(translate(request.query, catalog)) as result:
            return cells_covered(iter(result), order, _never)

    def count(self, moc: str) -> int:
        """Rows in a MOC."""
        query = f"SELECT COUNT(*) FROM {MAIN} WHERE CONTAINS(POINT(ra, dec), MOC('{moc}')) = 1"
        with self.database.stream(translate(query, self.database.catalog())) as result:
            return int(next(iter(result)).column(0)[0].as_py())


def _never() -> None:
    """Nothing stops a measurement."""


def _maps(bench: Bench) -> None:
    selected = _taken(lambda: bench.columns("ra", "dec"))
    ra, dec = selected.answer
    for order in (5, 8, 10):
        ours = _taken(lambda order=order: bench.map(ORDER=str(order)))
        peer = _taken(lambda order=order: _counted(ra, dec, order))
        _compare(ours.answer, peer.answer)
        _tell(f"count, order {order}", ours, peer, selected, "healpy + bincount")
    selected = _taken(lambda: bench.columns("ra", "dec", "mag_i"))
    ours = _taken(lambda: bench.map(ORDER="8", VALUE="mean(mag_i)", WHERE="mag_r < 22"))
    mag_r = bench.columns("mag_r")[0]
    peer = _taken(lambda: _mean(*selected.answer, mag_r < 22))
    _compare(ours.answer, peer.answer)
    _tell("mean(mag_i) where mag_r < 22, order 8", ours, peer, selected, "healpy + bincount")


def _mocs(bench: Bench) -> None:
    selected = _taken(lambda: bench.columns("ra", "dec"))
    ra, dec = (values * units.deg for values in selected.answer)
    for order in (8, 10):
        ours = _taken(lambda order=order: bench.moc(order))
        peer = _taken(lambda order=order: MOC.from_lonlat(ra, dec, max_norder=order))
        if not np.array_equal(ours.answer.ranges, peer.answer.to_depth29_ranges.astype(np.int64)):
            sys.exit("The MOCs differ.")
        _tell(f"MOC of all rows, order {order}", ours, peer, selected, "mocpy.from_lonlat")
    shapes = {"cone of 5 degrees, order 11": _cone(11), "cone of 5 degrees, order 8": _cone(8)}
    if DES.exists():
        shapes["MOC of DES, order 9"] = MOC.from_fits(str(DES))
    for name, moc in shapes.items():
        text = moc.to_string().replace("\n", " ")
        ours = _taken(lambda text=text: bench.count(text))
        peer = _taken(lambda moc=moc: int(moc.contains_lonlat(ra, dec).sum()))
        if ours.answer != peer.answer:
            sys.exit(f"{name}: {ours.answer} rows, and {peer.answer} by mocpy.")
        _tell(f"rows in a {name}", ours, peer, selected, "mocpy.contains_lonlat")


def _cone(order: int) -> MOC:
    return MOC.from_cone(20 * units.deg, -30 * units.deg, radius=5 * units.deg, max_depth=order)


def _counted(ra: np.ndarray, dec: np.ndarray, order: int) -> np.ndarray:
    cells = healpy.ang2pix(1 << order, ra, dec, nest=True, lonlat=True)
    return np.bincount(cells, minlength=12 * 4**order).astype(float)


def _mean(ra: np.ndarray, dec: np.ndarray, values: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    cells = healpy.ang2pix(256, ra[chosen], dec[chosen], nest=True, lonlat=True)
    size = 12 * 4**8
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(np.bincount(cells, values[chosen], size) / np.bincount(cells, minlength=size))


def _compare(ours: SkyMap, theirs: np.ndarray) -> None:
    whole = np.zeros(len(theirs))
    whole[ours.cells] = ours.values
    if not np.allclose(whole, theirs, rtol=1e-5):
        sys.exit("The maps differ.")


def _taken(run: Callable[[], Any]) -> Taken:
    best = None
    for _ in range(TURNS):
        before, started = _processor_s(), time.perf_counter()
        answer = run()
        taken = Taken(time.perf_counter() - started, _processor_s() - before, answer)
        best = taken if best is None or taken.cpu < best.cpu else best
    assert best is not None
    return best


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _tell(name: str, ours: Taken, peer: Taken, selected: Taken, who: str) -> None:
    print(ROW.format(name, f"{ours.wall:.2f}", f"{ours.cpu:.2f}", "1.0", "vo"))
    for taken, what in ((selected + peer, f"SELECT, then {who}"), (peer, f"{who} alone")):
        ratio = f"{taken.cpu / ours.cpu:.1f}"
        print(ROW.format("", f"{taken.wall:.2f}", f"{taken.cpu:.2f}", ratio, what))


if __name__ == "__main__":
    main()
