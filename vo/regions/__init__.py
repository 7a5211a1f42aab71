"""Regions of the sphere: what is in them, what they meet, how large they are; exact to a nano-arcsecond."""

from __future__ import annotations

import pyarrow as pa

from vo.regions import columns


def warm_up() -> None:
    """Compile, or load from the cache, all loops."""
    shapes = pa.array([[0.0, 0.0, 1.0, 0.0, 0.0, 1.0]])
    one = pa.array([1.0])
    columns.inside(one, one, one, shapes)
    columns.contains(shapes, shapes)
    columns.intersects(shapes, shapes)
    columns.area(shapes)
    columns.centroid(shapes)
