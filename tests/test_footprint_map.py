"""/footprint/map through the door: FITS read by healpy, JSON, pictures; the same by NumPy from the rows."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import healpy
import httpx
import numpy as np
import pytest
from mocpy import MOC
from PIL import Image
from service import Service

MAP = "/footprint/map"


def read_map(service: Service, path: Path, **params: Any) -> np.ndarray:
    """The map of an answer as healpy reads it: all cells, UNSEEN where there is no value."""
    answer = service.get(MAP, **params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/fits"
    path.write_bytes(answer.content)
    return np.asarray(healpy.read_map(path, nest=True))


def values(sky: np.ndarray) -> dict[int, float]:
    """The cells that have a value."""
    return {int(cell): float(sky[cell]) for cell in np.flatnonzero(sky != healpy.UNSEEN)}


def rows(service: Service, columns: str, where: str = "1 = 1") -> np.ndarray:
    """Columns of the objects of the sample, a row each."""
    query = f"SELECT ra, dec, {columns} FROM sim1.main WHERE {where}"
    answer = service.sync(query, RESPONSEFORMAT="csv", MAXREC="50000")
    return np.genfromtxt(io.StringIO(answer.text), delimiter=",", skip_header=1)


@pytest.mark.parametrize("order", [0, 5, 10])
def test_counts_are_those_of_bincount(service: Service, order: int, tmp_path: Path) -> None:
    """As many objects in each cell as healpy and NumPy count; the grid of NSIDE 32 unless told."""
    table = rows(service, "coadd_object_id")
    cells = healpy.ang2pix(1 << order, table[:, 0], table[:, 1], nest=True, lonlat=True)
    counted = np.bincount(cells, minlength=12 * 4**order)
    params = {} if order == 5 else {"ORDER": str(order)} if order else {"NSIDE": "1"}
    sky = read_map(service, tmp_path / "map.fits", **params)
    assert len(sky) == 12 * 4**order
    assert values(sky) == {int(cell): counted[cell] for cell in np.flatnonzero(counted)}


def test_means_with_a_condition(service: Service, tmp_path: Path) -> None:
    """The mean of a column of the rows that meet a condition of ADQL, and the extremes."""
    where = "mag_auto_i < 22 AND (flags_i < 4 OR mag_auto_r > 18) -- bright"
    table = rows(service, "mag_auto_g", where)
    cells = healpy.ang2pix(64, table[:, 0], table[:, 1], nest=True, lonlat=True)
    known = np.isfinite(table[:, 2])
    for word, reduce in (("mean", np.mean), ("min", np.min), ("max", np.max)):
        sky = read_map(service, tmp_path / "map.fits", ORDER="6", VALUE=f"{word}(mag_auto_g)", WHERE=where)
        expected = {
            int(cell): float(reduce(table[known & (cells == cell), 2])) for cell in np.unique(cells[known])
        }
        assert values(sky) == pytest.approx(expected, rel=1e-6)


def test_coverage_is_the_part_of_a_cell_in_a_tile(service: Service, tmp_path: Path) -> None:
    """Every cell of the map of order 5 has as much of it covered as the MOC of order 9 has in it."""
    sky = values(read_map(service, tmp_path / "map.fits", VALUE="coverage"))
    moc = MOC.from_string(service.get("/footprint/moc", ORDER="9", RESPONSEFORMAT="ascii").text)
    fine = moc.flatten() if moc.max_order == 9 else np.empty(0)
    shares = np.bincount(np.asarray(fine, np.int64) >> 8, minlength=12 * 4**5) / 256
    assert sky == pytest.approx({int(cell): shares[cell] for cell in np.flatnonzero(shares)})
    assert max(sky.values()) == pytest.approx(1)


def test_depth_is_a_mean_of_tiles(service: Service, tmp_path: Path) -> None:
    """Depths are between those of the tiles, and a cell in one tile alone has that of it."""
    sky = values(read_map(service, tmp_path / "map.fits", VALUE="depth", BAND="i", ORDER="9"))
    answer = service.sync("SELECT ra, dec, depth_i FROM footprint.tiles", RESPONSEFORMAT="csv").text
    tiles = np.genfromtxt(io.StringIO(answer), delimiter=",", skip_header=1)
    assert tiles[:, 2].min() - 1e-5 <= min(sky.values()) < max(sky.values()) <= tiles[:, 2].max() + 1e-5
    cells = healpy.ang2pix(512, tiles[:, 0], tiles[:, 1], nest=True, lonlat=True)
    alone = np.abs(tiles[:, 1]) < 60  # at the pole, images overlap
    assert [sky[int(cell)] for cell in cells[alone]] == pytest.approx(tiles[alone, 2].tolist())


def test_json_is_for_pages(service: Service) -> None:
    """Cells and values side by side, and what they are."""
    told = service.get(MAP, RESPONSEFORMAT="json", VALUE="mean(mag_auto_i)").json()
    assert (told["order"], told["nside"], told["ordering"], told["unit"]) == (5, 32, "NESTED", "mag")
    assert told["quantity"] == "mean of mag_auto_i"
    assert len(told["cells"]) == len(told["values"]) > 3
    assert told["cells"] == sorted(told["cells"])


@pytest.mark.parametrize(
    "params",
    [
        {"ORDER": "4"},
        {"ORDER": "8", "PROJECTION": "gnomonic", "CIRCLE": "0 -40 5", "WIDTH": "400"},
        {"ORDER": "6", "CIRCLE": "180 0 1", "SCALE": "linear"},
    ],
)
def test_pictures_show_the_map(service: Service, params: dict[str, str]) -> None:
    """A PNG of the width asked for, with colours where there are objects, and lines, labels and a bar."""
    answer = httpx.get(service.url + MAP, params=params, headers={"Accept": "text/html"}, timeout=60)
    assert answer.headers["content-type"] == "image/png"
    image = Image.open(io.BytesIO(answer.content))
    assert image.width == int(params.get("WIDTH", "1000"))
    pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    colourful = np.ptp(pixels.astype(int), axis=1) > 30
    assert colourful.sum() > 0.01 * len(pixels)
    assert (pixels == 150).all(axis=1).sum() > 300  # the graticule


def test_a_map_is_made_once(service: Service) -> None:
    """The second time the map is read from the cache, which is a file of the data directory."""
    before = set((service.data / "maps").glob("*.map"))
    params = {"ORDER": "3", "WHERE": "mag_auto_r < 21.0123", "RESPONSEFORMAT": "json"}
    first = service.get(MAP, **params)
    made = set((service.data / "maps").glob("*.map")) - before
    assert len(made) == 1
    assert service.get(MAP, **params).content == first.content
    assert set((service.data / "maps").glob("*.map")) - before == made


def test_a_job_makes_a_map(service: Service) -> None:
    """A job of the same parameters and PRODUCT=map."""
    created = service.post("/footprint/async", PRODUCT="map", ORDER="7", RESPONSEFORMAT="json", PHASE="RUN")
    job = created.headers["location"].removeprefix(service.url)
    assert service.await_phase(job, "COMPLETED", "ERROR") == "COMPLETED"
    found = httpx.get(f"{service.url}{job}/results/map", follow_redirects=True)
    assert found.content == service.get(MAP, ORDER="7", RESPONSEFORMAT="json").content
    wrong = service.post("/footprint/async", PRODUCT="pie", PHASE="RUN").headers["location"]
    job = wrong.removeprefix(service.url)
    assert service.await_phase(job, "COMPLETED", "ERROR") == "ERROR"
    assert "PRODUCT must be moc or map" in service.get(f"{job}/error").text


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"ORDER": "13"}, "ORDER must be 12 at most"),
        ({"NSIDE": "64", "ORDER": "6"}, "say the same"),
        ({"VALUE": "median(ra)"}, "VALUE must be one of count"),
        ({"VALUE": "mean"}, "VALUE must be one of"),
        ({"VALUE": "mean(mag_auto_q)"}, "Did you mean mag_auto_"),
        ({"VALUE": "mean(tilename)"}, "no numbers"),
        ({"VALUE": "mean(ra); DROP TABLE x"}, "VALUE must be one of"),
        ({"VALUE": "depth"}, "of one band"),
        ({"VALUE": "coverage", "WHERE": "1 = 1"}, "takes no WHERE"),
        ({"TABLE": "tap_schema.tables"}, "with positions"),
        ({"WHERE": "mag_auto_i < 22) GROUP BY ra --"}, "closes a parenthesis"),
        ({"WHERE": "(mag_auto_i < 22"}, "opens a parenthesis"),
        ({"WHERE": "mag_auto_i < 22 GROUP BY ra"}, "line 1, column 17"),
        ({"WHERE": "nothing = 5"}, "line 1, column 1"),
        ({"WHERE": "-- nothing"}, "Expected"),
        ({"PROJECTION": "mercator"}, "mollweide or gnomonic"),
        ({"PROJECTION": "gnomonic"}, "of a circle"),
        ({"PROJECTION": "gnomonic", "CIRCLE": "1 2 61"}, "at most 60"),
        ({"CIRCLE": "1 91 3"}, "no position"),
        ({"CIRCLE": "1 nan 3"}, "must be a number"),
        ({"WIDTH": "100000"}, "200 to 4,000"),
        ({"SCALE": "square"}, "linear or log"),
        ({"RESPONSEFORMAT": "gif"}, "fits, json or png"),
    ],
)
def test_what_is_wrong_is_told(service: Service, params: dict[str, str], message: str) -> None:
    """An error document with status 400, the places of problems being those in WHERE."""
    answer = service.get(MAP, **params)
    assert answer.status_code == 400
    assert message in answer.text
