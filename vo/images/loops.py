"""The compiled loops of the package, all of them."""

from __future__ import annotations

import numpy as np

from vo.images import dither, files, plio, rice, stencil, view


def warm_up() -> None:
    """Compile, or load from the cache, all loops."""
    pixels, tile = np.zeros(1, np.int32), np.zeros(4 + rice.padding(1), np.uint8)
    rice.decode(tile, length=4, block=1, width=4, out=pixels)
    plio.decode(tile.view(">i2"), pixels)
    for kind in (np.float32, np.float64):
        dither.warm_up(np.zeros((1, 1), kind))
        dither.warm_up(np.zeros((2, 3), kind)[:, :2])  # a part of a larger image
    files.warm_up()
    stencil.warm_up()
    view.warm_up()
