"""Quadrangles on the sphere by brute force: points all over them, and what is inside."""

from __future__ import annotations

import numpy as np

SIDE = 301
"""Points along each side, border included."""


def vectors(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Unit vectors of degrees, the last axis being theirs."""
    lon, lat = np.radians(lon), np.radians(lat)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)


def corners_of(region: str) -> np.ndarray:
    """The corners of a POLYGON in words, shape (4, 3)."""
    numbers = np.array(region.split()[2:], float)
    assert len(numbers) == 8
    return vectors(numbers[::2], numbers[1::2])


def points_in(region: str) -> np.ndarray:
    """Unit vectors all over the POLYGON, every few thousandths of its side."""
    a, b, c, d = corners_of(region)
    s, t = np.meshgrid(np.linspace(0, 1, SIDE), np.linspace(0, 1, SIDE))
    s, t = s.ravel()[:, None], t.ravel()[:, None]
    points = (1 - s) * (1 - t) * a + s * (1 - t) * b + s * t * c + (1 - s) * t * d
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True))


def is_within(corners: np.ndarray, points: np.ndarray, spare: float = 1e-12) -> np.ndarray:
    """Which of the points are in a convex polygon, or nearer than `spare` radians to its border."""
    sides = np.cross(corners, np.roll(corners, -1, axis=0)) @ points.T
    is_inside = (sides >= -spare).all(axis=0) | (sides <= spare).all(axis=0)
    return np.asarray(is_inside & (points @ corners.sum(axis=0) > 0))  # and not opposite to it
