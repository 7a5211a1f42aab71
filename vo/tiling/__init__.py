"""Tilings of the sphere: HEALPix cells, outlines of tiles, and what they share, by compiled loops."""

from vo.tiling.outlines import warm_up

__all__ = ["warm_up"]
