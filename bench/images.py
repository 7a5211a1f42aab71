"""Images by position among 100,000: by the words of their regions, by the numbers, and through the index.

    python bench/images.py

One process, DuckDB with two threads, the least of seven times, the compilation of the query included. All
three ways must find the same rows.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import duckdb
import numpy as np
import pyarrow as pa

from vo.adql import translate
from vo.catalog import Catalog, Schema, Table
from vo.db.duckdb_regions import add_region_functions
from vo.images.tables import Held, obscore_table, schemas
from vo.load.sky import FIELDS, sky_index

IMAGES = 100_000
HALF_DEG = 0.36
PASSES = 7
QUERIES = {
    "that hold a position": "1 = CONTAINS(POINT({ra}, {dec}), s_region)",
    "that meet a circle": "1 = INTERSECTS(CIRCLE({ra}, {dec}, 0.5), s_region)",
}


def main() -> None:
    """Print a line for each query and way."""
    with duckdb.connect(config={"threads": 2}) as connection:
        add_region_functions(connection)
        rows = table()
        ra, dec = (rows[name][0].as_py() + 0.1 for name in ("s_ra", "s_dec"))
        connection.register("incoming", rows)
        connection.execute("CREATE SCHEMA ivoa; CREATE TABLE ivoa.obscore AS FROM incoming ORDER BY hpx29")
        for name, condition in QUERIES.items():
            query = f"SELECT obs_id FROM ivoa.obscore WHERE {condition.format(ra=ra, dec=dec)}"
            found = set()
            for way, catalog in ways().items():
                seconds, count = timed(connection, query, catalog)
                found.add(count)
                print(f"{IMAGES:,} images, those {name}, by {way}: {seconds * 1e3:.1f} ms, {count} rows")
            assert len(found) == 1, "the ways disagree"


def ways() -> Mapping[str, Catalog]:
    """Catalogues that know more and more of the regions."""
    indexed = Catalog(schemas({"survey": Held(IMAGES, 2 * HALF_DEG)}), "r")
    known = next(found for found in indexed.tables() if found.name == "obscore")
    return {
        "words": only(replace(known, region=None)),
        "numbers": only(replace(known, spatial=None)),
        "index": only(known),
    }


def only(known: Table) -> Catalog:
    """A catalogue of one table."""
    return Catalog((Schema(known.schema, (known,)),), "r")


def table() -> pa.Table:
    """Squares of 0.72 degrees spread over the sky, as obscore holds them."""
    rng = np.random.default_rng(1)
    lon, lat = rng.uniform(0, 360, IMAGES), np.degrees(np.arcsin(rng.uniform(-0.99, 0.99, IMAGES)))
    wide = HALF_DEG / np.cos(np.radians(lat))
    corners = [lon + wide, lat + HALF_DEG, lon + wide, lat - HALF_DEG]
    corners += [lon - wide, lat - HALF_DEG, lon - wide, lat + HALF_DEG]
    numbers = np.stack(corners, axis=1).tolist()
    columns = {column.name: pa.nulls(IMAGES, column.arrow_type()) for column in obscore_table().columns}
    columns |= {
        "obs_id": pa.array(map(str, range(IMAGES))),
        "s_ra": pa.array(lon),
        "s_dec": pa.array(lat),
        "s_region": pa.array(f"POLYGON ICRS {' '.join(map(repr, each))}" for each in numbers),
        "s_region_numbers": pa.array(numbers),
    }
    index = zip(FIELDS, sky_index(columns["s_ra"], columns["s_dec"]), strict=True)
    return pa.table({**columns, **{field.name: values for field, values in index}})


def timed(connection: duckdb.DuckDBPyConnection, query: str, catalog: Catalog) -> tuple[float, int]:
    """The least time of a query, and its rows."""
    best, rows = float("inf"), 0
    for _ in range(PASSES):
        begin = time.perf_counter()
        rows = len(connection.execute(translate(query, catalog).sql).fetchall())
        best = min(best, time.perf_counter() - begin)
    return best, rows


if __name__ == "__main__":
    main()
