"""Columns of regions in words, as ObsCore has them, beside brute force."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from adql.brute_force import (
    DEGREE,
    LONG,
    Outline,
    circle_and_polygon,
    destination,
    inside,
    meet,
    outline,
    separation,
)

from vo.adql import translate
from vo.catalog import Catalog, Column, Schema, Table
from vo.db.duckdb_regions import add_region_functions
from vo.errors import QueryError

COUNT = 150
IMAGES = Table(
    "ivoa",
    "obscore",
    (Column("obs_id", "long"), Column("s_region", "char", "*", xtype="adql:REGION", ucd="pos.outline")),
)
POINTS = Table("ivoa", "points", (Column("id", "long"), Column("ra", "double"), Column("dec", "double")))
CATALOG = Catalog((Schema("ivoa", (IMAGES, POINTS)),), "r")
ODD = ["Union ICRS (Circle 1 2 3 Circle 2 3 4)", "Circle GALACTIC 10 20 3", "Circle ICRS 10 x 3", "", None]
"""What is no simple shape of ours: such a region is unknown."""


def outlines() -> list[Outline]:
    """Polygons of a few degrees around one place, so that many meet."""
    rng = np.random.default_rng(5)
    places = destination(
        np.full(COUNT, 359.0), np.full(COUNT, 60.0), rng.uniform(0, 0.1, COUNT), rng.uniform(0, 7, COUNT)
    )
    return [outline(rng, lon, lat, float(rng.uniform(0.01, 0.05))) for lon, lat in zip(*places, strict=True)]


OUTLINES = outlines()
CIRCLES = [(float(shape.lon0), float(shape.lat0), 1.5) for shape in OUTLINES[:40]]
SPOTS = [(float(shape.lon0) % 360, float(shape.lat0)) for shape in OUTLINES]


@pytest.fixture(scope="module")
def images() -> Iterator[duckdb.DuckDBPyConnection]:
    """Regions in words: polygons, then circles (ids from 1000), a box (2000), others (from 3000)."""
    words = [f"Polygon ICRS {' '.join(map(repr, shape.numbers))}" for shape in OUTLINES]
    circles = [f"CIRCLE {lon!r} {lat!r} {radius!r}" for lon, lat, radius in CIRCLES]
    texts = [*words, *circles, "Box ICRS 10 20 2 2", *ODD]
    numbers = [
        *range(COUNT),
        *(1000 + i for i in range(len(CIRCLES))),
        2000,
        *(3000 + i for i in range(len(ODD))),
    ]
    with duckdb.connect() as connection:
        add_region_functions(connection)
        connection.register(
            "incoming", pa.table({"obs_id": numbers, "s_region": pa.array(texts, pa.string())})
        )
        lon, lat = zip(*SPOTS, strict=True)
        connection.register("spots", pa.table({"id": range(len(SPOTS)), "ra": lon, "dec": lat}))
        connection.execute("CREATE SCHEMA ivoa; CREATE TABLE ivoa.obscore AS FROM incoming")
        connection.execute("CREATE TABLE ivoa.points AS FROM spots")
        yield connection


def rows(images: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query."""
    return images.execute(translate(query, CATALOG).sql).fetchall()


def holding(lon: float, lat: float) -> set[int]:
    """The images that have a position in them."""
    found = {i for i, shape in enumerate(OUTLINES) if inside(shape, lon, lat)[0]}
    return found | {
        1000 + i
        for i, (lon2, lat2, radius) in enumerate(CIRCLES)
        if separation(lon, lat, lon2, lat2) <= LONG(radius) * DEGREE
    }


def test_images_that_hold_a_position(images: duckdb.DuckDBPyConnection) -> None:
    """CONTAINS and INTERSECTS of a point, in every form of the condition, take images by their region."""
    for lon, lat in SPOTS[:12]:
        expected = holding(lon, lat)
        assert expected
        for condition in (
            f"1 = CONTAINS(POINT({lon}, {lat}), s_region)",
            f"INTERSECTS(s_region, POINT('ICRS', {lon}, {lat})) <> 0",
            f"NOT (CONTAINS(POINT({lon}, {lat}), s_region) = 0 OR s_region IS NULL)",
            f"CASE WHEN CONTAINS(POINT({lon}, {lat}), s_region) = 1 THEN 'in' ELSE 'out' END = 'in'",
        ):
            found = rows(images, f"SELECT obs_id FROM ivoa.obscore WHERE {condition}")
            assert {number for (number,) in found} == expected, condition


def test_images_that_meet_a_shape(images: duckdb.DuckDBPyConnection) -> None:
    """INTERSECTS and CONTAINS of circles and polygons in numbers are as brute force has them."""
    for shape in OUTLINES[:6]:
        numbers = ", ".join(map(repr, shape.numbers))
        query = f"SELECT obs_id FROM ivoa.obscore WHERE 1 = INTERSECTS(s_region, POLYGON({numbers}))"
        query += " AND obs_id < 1000"
        assert {i for (i,) in rows(images, query)} == {
            i for i, other in enumerate(OUTLINES) if meet(shape, other)[0]
        }
        lon, lat, radius = shape.lon0, shape.lat0, 0.8
        told = [circle_and_polygon(lon, lat, np.radians(radius), other) for other in OUTLINES]
        circle = f"CIRCLE({float(lon)}, {float(lat)}, {radius})"
        for place, condition in enumerate(
            (
                f"INTERSECTS({circle}, s_region)",
                f"CONTAINS({circle}, s_region)",
                f"CONTAINS(s_region, {circle})",
            )
        ):
            query = f"SELECT obs_id FROM ivoa.obscore WHERE obs_id < 1000 AND {condition} = 1"
            assert {i for (i,) in rows(images, query)} == {
                i for i, answer in enumerate(told) if answer[place]
            }


def test_positions_join_images(images: duckdb.DuckDBPyConnection) -> None:
    """A join of a column of positions with one of regions gives the pairs of brute force."""
    query = "SELECT p.id, o.obs_id FROM ivoa.points AS p, ivoa.obscore AS o WHERE 1 = {}"
    query = query.format("CONTAINS(POINT(ra, dec), s_region)")
    found = rows(images, query)
    assert len(found) == len(set(found))
    assert set(found) == {(i, number) for i, spot in enumerate(SPOTS) for number in holding(*spot)}


def test_regions_that_are_none_are_unknown(images: duckdb.DuckDBPyConnection) -> None:
    """A region in other words is neither 0 nor 1; boxes are taken; the text comes out as it is."""
    items = "obs_id, CONTAINS(POINT(10, 20.9), s_region), AREA(s_region), s_region"
    query = f"SELECT {items} FROM ivoa.obscore WHERE obs_id >= 2000"
    (box, *others) = sorted(rows(images, query))
    assert box[1] == 1
    assert box[2] == pytest.approx(4, rel=1e-3)
    assert others == [(3000 + i, None, None, text) for i, text in enumerate(ODD)]
    columns = translate("SELECT s_region, CENTROID(s_region) AS c FROM ivoa.obscore", CATALOG).columns
    assert [(column.datatype, column.arraysize, column.xtype) for column in columns] == [
        ("char", "*", "adql:REGION"),
        ("double", "2", "point"),
    ]


def test_regions_on_oracle_are_refused() -> None:
    """Where there are no functions for regions, the error says so."""
    with pytest.raises(QueryError, match="Oracle"):
        translate(
            "SELECT obs_id FROM ivoa.obscore WHERE 1 = CONTAINS(POINT(1, 2), s_region)",
            CATALOG,
            dialect="oracle",
        )
