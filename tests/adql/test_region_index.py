"""Stored regions are found through the index of their middles: the same rows as by their words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from adql.brute_force import outline, separation

from vo.adql import translate
from vo.catalog import Catalog, Column, RegionKey, Schema, SpatialKey, Table
from vo.db.duckdb_regions import add_region_functions
from vo.load.sky import FIELDS, sky_index

COUNT = 800
PLAIN = Table(
    "ivoa",
    "obscore",
    (
        Column("obs_id", "long"),
        Column("s_ra", "double", unit="deg"),
        Column("s_dec", "double", unit="deg"),
        Column("s_region", "char", "*", xtype="adql:REGION"),
    ),
    spatial=SpatialKey("s_ra", "s_dec"),
)


@pytest.fixture(scope="module")
def database() -> Iterator[tuple[duckdb.DuckDBPyConnection, Catalog, Catalog]]:
    """Polygons around RA 0 and the poles; a catalogue without their key, and one with it."""
    rng = np.random.default_rng(11)
    lon, lat = rng.uniform(-20, 20, COUNT) % 360, np.degrees(np.arcsin(rng.uniform(-1, 1, COUNT)))
    lat[:50], lat[50:100] = rng.uniform(89, 90, 50), rng.uniform(-90, -89, 50)
    shapes = [
        outline(rng, float(x), float(y), float(rng.uniform(0.001, 0.03)))
        for x, y in zip(lon, lat, strict=True)
    ]
    numbers = [list(map(float, shape.numbers)) for shape in shapes]
    ra = [float(shape.lon0) % 360 for shape in shapes]
    dec = [float(shape.lat0) for shape in shapes]
    reach = max(
        float(np.degrees(separation(x, y, a, b)))
        for x, y, given in zip(ra, dec, numbers, strict=True)
        for a, b in zip(given[::2], given[1::2], strict=True)
    )
    words = [f"POLYGON ICRS {' '.join(map(repr, given))}" for given in numbers]
    columns = {"obs_id": range(COUNT), "s_ra": ra, "s_dec": dec, "s_region": words, "numbers": numbers}
    index = zip(FIELDS, sky_index(pa.array(ra), pa.array(dec)), strict=True)
    rows = pa.table({**columns, **{field.name: values for field, values in index}})
    keyed = replace(PLAIN, region=RegionKey("s_region", "numbers", reach * (1 + 1e-9)), nrows=COUNT)
    with duckdb.connect() as connection:
        add_region_functions(connection)
        connection.register("incoming", rows)
        connection.execute("CREATE SCHEMA ivoa; CREATE TABLE ivoa.obscore AS FROM incoming ORDER BY hpx29")
        yield connection, *(Catalog((Schema("ivoa", (table,)),), "r") for table in (PLAIN, keyed))


CONDITIONS = {
    "holds a point": "1 = CONTAINS(POINT({x}, {y}), s_region)",
    "meets a point": "INTERSECTS(s_region, POINT({x}, {y})) = 1",
    "meets a circle": "1 = INTERSECTS(CIRCLE({x}, {y}, {r}), s_region)",
    "is in a circle": "1 = CONTAINS(s_region, CIRCLE({x}, {y}, {r}))",
    "holds a circle": "1 = CONTAINS(CIRCLE({x}, {y}, 0.01), s_region)",
    "meets a box": "1 = INTERSECTS(s_region, BOX({x}, {y}, {r}, {r}))",
    "is in a polygon": "1 = CONTAINS(s_region, POLYGON({x} - 9, {h} - 9, {x} + 9, {h} - 9, {x}, {h} + 9))",
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_regions_are_found_through_their_middles(
    database: tuple[duckdb.DuckDBPyConnection, Catalog, Catalog], name: str
) -> None:
    """Every condition on a shape in numbers uses the index, and gives the same rows as without one."""
    connection, plain, keyed = database
    rng = np.random.default_rng(3)
    found = 0
    for x, y, r in zip(
        rng.uniform(-20, 20, 25), rng.uniform(-90, 90, 25), rng.uniform(0.1, 9, 25), strict=True
    ):
        lat = y if found % 3 else np.sign(y) * 89.5
        condition = CONDITIONS[name].format(x=float(x) % 360, y=float(lat), r=float(r), h=float(lat) / 2)
        query = f"SELECT obs_id FROM ivoa.obscore WHERE {condition} AND obs_id >= 0"
        statements = [translate(query, catalog) for catalog in (plain, keyed)]
        assert statements[1].spatial_index
        assert "hpx29" in statements[1].sql
        assert "REGEXP" not in statements[1].sql
        assert statements[1].scans[0].ranges
        expected, ours = ({row for (row,) in connection.execute(each.sql).fetchall()} for each in statements)
        assert ours == expected, query
        found += len(ours)
    assert found


def test_what_excludes_nothing_has_no_ranges(
    database: tuple[duckdb.DuckDBPyConnection, Catalog, Catalog],
) -> None:
    """Below NOT and OR, with regions of rows alone, and behind a sub-query, every region is looked at."""
    connection, plain, keyed = database
    for query in (
        "SELECT obs_id FROM ivoa.obscore WHERE 0 = CONTAINS(POINT(3, 4), s_region)",
        "SELECT obs_id FROM ivoa.obscore WHERE 1 = CONTAINS(POINT(3, 4), s_region) OR obs_id = 7",
        "SELECT obs_id FROM ivoa.obscore WHERE 1 = CONTAINS(POINT(s_ra, s_dec), s_region)",
        """SELECT s.obs_id FROM (SELECT obs_id, s_region FROM ivoa.obscore) AS s
            WHERE 1 = INTERSECTS(s_region, CIRCLE(3, 4, 5))""",
        """SELECT a.obs_id FROM ivoa.obscore AS a JOIN ivoa.obscore AS b
            ON 1 = INTERSECTS(a.s_region, b.s_region) WHERE b.obs_id = 9""",
        "SELECT obs_id FROM ivoa.obscore WHERE AREA(s_region) > 1",
    ):
        statement = translate(query, keyed)
        assert not statement.spatial_index, query
        expected = connection.execute(translate(query, plain).sql).fetchall()
        assert sorted(connection.execute(statement.sql).fetchall()) == sorted(expected)
    shown = translate("SELECT s_region FROM ivoa.obscore", keyed).sql
    assert "numbers" not in shown
