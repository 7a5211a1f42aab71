"""Real catalogues, loaded by `vo load` and queried over TAP, against the files they came from."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from loading import CATALOGUES, SHARED, load_catalogue
from service import Service, serving


@pytest.fixture(scope="module")
def catalogues(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service on Hipparcos (CSV), redMaPPer (FITS) and bright DES galaxies (CSV)."""
    data = tmp_path_factory.mktemp("catalogues")
    for release in CATALOGUES:
        load_catalogue(release, data)
    with serving(data) as running:
        yield running


def _rows(service: Service, query: str) -> list[dict[str, str]]:
    answer = service.sync(query, FORMAT="csv", MAXREC=1_000_000)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def _source(release: str) -> Path:
    return SHARED / CATALOGUES[release]


def test_hipparcos_is_whole(catalogues: Service) -> None:
    """Every star of the file, and Sirius where it is."""
    with _source("hipparcos").open(encoding="utf-8") as file:
        stars = list(csv.DictReader(file))
    [count] = _rows(catalogues, "SELECT COUNT(*) AS n FROM hipparcos.stars")
    assert int(count["n"]) == len(stars)
    around_sirius = (
        "SELECT TOP 1 hip, vmag FROM hipparcos.stars "
        "WHERE DISTANCE(POINT(ra, dec), POINT(101.287, -16.716)) < 0.1 ORDER BY vmag"
    )
    assert _rows(catalogues, around_sirius)[0]["hip"] == "32349"


def test_redmapper_keeps_its_values(catalogues: Service) -> None:
    """The richest clusters of the FITS table are those that astropy finds in it."""
    with fits.open(_source("redmapper"), memmap=False) as hdus:
        data = hdus[1].data
        names = {name.lower(): name for name in data.names}
        richness = data[names["lambda"]] if "lambda" in names else data[names["lambda_chisq"]]
        expected = sorted(map(float, richness), reverse=True)[:5]
    column = '"lambda"' if "lambda" in names else "lambda_chisq"
    found = _rows(catalogues, f"SELECT TOP 5 {column} AS richness FROM redmapper.clusters ORDER BY 1 DESC")
    assert [float(row["richness"]) for row in found] == pytest.approx(expected)


def test_bright_galaxies_are_the_same(catalogues: Service) -> None:
    """Identifiers of 64 bits and magnitudes come back as the file has them."""
    with _source("bright_galaxies").open(encoding="utf-8") as file:
        galaxies = {row["coadd_object_id"]: float(row["mag_auto_i_dered"]) for row in csv.DictReader(file)}
    found = _rows(catalogues, "SELECT coadd_object_id, mag_auto_i_dered FROM bright_galaxies.galaxies")
    served = {row["coadd_object_id"]: float(row["mag_auto_i_dered"]) for row in found}
    assert served.keys() == galaxies.keys()
    for name, magnitude in served.items():
        assert magnitude == pytest.approx(galaxies[name], abs=1e-5)


def test_releases_can_be_joined(catalogues: Service) -> None:
    """Tables of two releases meet by position: the pairs are as many as NumPy counts."""
    clusters, stars = (
        _unit_vectors(_rows(catalogues, f"SELECT ra, dec FROM {table}"))
        for table in ("redmapper.clusters", "hipparcos.stars")
    )
    chord2 = (2 * np.sin(np.radians(0.05) / 2)) ** 2
    pairs = sum(int((2 - 2 * part @ stars.T < chord2).sum()) for part in np.array_split(clusters, 100))
    query = (
        "SELECT COUNT(*) AS n FROM redmapper.clusters AS c JOIN hipparcos.stars AS s "
        "ON DISTANCE(POINT(c.ra, c.dec), POINT(s.ra, s.dec)) < 0.05"
    )
    assert int(_rows(catalogues, query)[0]["n"]) == pairs
    assert pairs > 0


def _unit_vectors(rows: list[dict[str, str]]) -> np.ndarray:
    ra, dec = (np.radians([float(row[name]) for row in rows]) for name in ("ra", "dec"))
    return np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
