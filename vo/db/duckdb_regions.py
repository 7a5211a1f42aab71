"""The functions of regions that statements for DuckDB call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import duckdb
from duckdb.func import FunctionNullHandling, PythonUDFType

from vo.moc import columns as mocs
from vo.regions import columns

_SHAPE = "DOUBLE[]"
_FUNCTIONS: Mapping[str, tuple[Callable[..., Any], tuple[str, ...], str]] = {
    "vo_inside": (columns.inside, ("DOUBLE", "DOUBLE", "DOUBLE", _SHAPE), "BOOLEAN"),
    "vo_contains": (columns.contains, (_SHAPE, _SHAPE), "BOOLEAN"),
    "vo_intersects": (columns.intersects, (_SHAPE, _SHAPE), "BOOLEAN"),
    "vo_moc_covers": (mocs.covers, ("VARCHAR", "BIGINT"), "BOOLEAN"),
    "vo_moc_meets": (mocs.meets, ("VARCHAR", _SHAPE), "BOOLEAN"),
    "vo_moc_holds": (mocs.holds, ("VARCHAR", _SHAPE), "BOOLEAN"),
    "vo_moc_area": (mocs.area, ("VARCHAR",), "DOUBLE"),
    "vo_area": (columns.area, (_SHAPE,), "DOUBLE"),
    "vo_centroid": (columns.centroid, (_SHAPE,), _SHAPE),
}


def add_region_functions(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the functions known to an instance: on whole columns, and of compiled loops.

    Written in SQL they would be a hundred times slower, and DuckDB takes twice as long to bind a list
    function for each one around it.
    """
    for name, (function, parameters, result) in _FUNCTIONS.items():
        connection.create_function(
            name,
            function,
            [duckdb.type(parameter) for parameter in parameters],
            duckdb.type(result),
            type=PythonUDFType.ARROW,
            null_handling=FunctionNullHandling.SPECIAL,
        )
