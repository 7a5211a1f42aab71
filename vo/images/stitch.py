"""Neighbouring images on one grid of pixels, put together; and which to take where they are on several."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vo.images.image import Image
from vo.images.pixels import Box, Mask, Pixels, read_box

_GRID = re.compile(
    r"CTYPE[12]|CUNIT[12]|CRVAL[12]|CDELT[12]|CROTA[12]|CD[12]_[12]|PC[12]_[12]|P[VS][12]_\d+|LONPOLE|LATPOLE"
    r"|RADESYS|RADECSYS|EQUINOX|[AB]P?_(ORDER|\d_\d)|BSCALE|BZERO|BLANK"
)
_SAME = 1e-9  # part of a value by which two are the same
_WHOLE = 1e-3  # pixels by which a shift may differ from a whole number


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An image whose pixel (0, 0) is that many columns and rows from that of another, on the same grid."""

    image: Image
    right: int
    up: int


def neighbours(image: Image, others: Sequence[Image]) -> tuple[Neighbour, ...]:
    """Those of the others that are on the grid of an image: the same projection, shifted by whole pixels."""
    found = (_neighbour(image, other) for other in others if other is not image)
    return tuple(one for one in found if one is not None)


def _neighbour(image: Image, other: Image) -> Neighbour | None:
    here, there = image.header, other.header
    names = {name for header in (here, there) for name in header if _GRID.fullmatch(name)}
    if image.bitpix != other.bitpix or not all(_equal(here.get(name), there.get(name)) for name in names):
        return None
    shifts = [float(here.get(f"CRPIX{i}", 0)) - float(there.get(f"CRPIX{i}", 0)) for i in (1, 2)]
    right, up = (round(shift) for shift in shifts)
    if max(abs(shifts[0] - right), abs(shifts[1] - up)) > _WHOLE:
        return None
    return Neighbour(other, right, up)


def _equal(one: object, other: object) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=_SAME, abs_tol=1e-15)
    return one == other


def read_stitched(
    image: Image, around: Sequence[Neighbour], box: Box
) -> tuple[Pixels, Mask, tuple[Image, ...]]:
    """The pixels of a box that may stick out of an image, which of them there are, and of which images.

    Where images overlap, the first has its way: `image`, then its neighbours in their order.
    """
    pixels: Pixels | None = None
    known = np.zeros((box.height, box.width), np.bool_)
    used: list[Image] = []
    for one in (Neighbour(image, 0, 0), *around):
        shifted = Box(box.left - one.right, box.bottom - one.up, box.right - one.right, box.top - one.up)
        part = shifted.within(one.image.width, one.image.height)
        if part is None or known.all():
            continue
        place = np.s_[
            part.bottom - shifted.bottom : part.top - shifted.bottom,
            part.left - shifted.left : part.right - shifted.left,
        ]
        if known[place].all():
            continue
        found = read_box(one.image, part)
        if pixels is None and part == shifted:
            pixels = found  # the usual case, without a copy
        else:
            pixels = np.zeros(known.shape, found.dtype) if pixels is None else pixels
            np.copyto(pixels[place], found, where=~known[place])
        known[place] = True
        used.append(one.image)
    return (np.zeros(known.shape) if pixels is None else pixels), known, tuple(used)


def best_covering(boxes: Sequence[tuple[Image, Box]]) -> int:
    """Which image has most of its box; of several, that whose edges are farthest from it."""

    def rank(pair: tuple[Image, Box]) -> tuple[float, int]:
        image, box = pair
        part = box.within(image.width, image.height)
        covered = 0.0 if part is None else part.width * part.height / (box.width * box.height)
        return covered, min(box.left, box.bottom, image.width - box.right, image.height - box.top)

    return max(range(len(boxes)), key=lambda i: rank(boxes[i]))
