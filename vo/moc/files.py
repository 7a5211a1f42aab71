"""A MOC as a FITS file (MOC 2.0, 4.3.1)."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from typing import BinaryIO

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyError

from vo.errors import UsageError
from vo.moc.moc import ALL_CELLS, FINEST, Cells, Moc, joined, shift

FITS_TYPE = "application/fits"
"""The media type."""

_UNREADABLE = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, VerifyError, Warning)
_LARGEST = 4 * 4**FINEST + ALL_CELLS


def fits_bytes(moc: Moc) -> bytes:
    """The file: its cells as NUNIQ, which readers of MOC 1.0 and 1.1 know as well."""
    packed = [4 * 4**order + cells for order, cells in moc.cells().items()]
    column = fits.Column("UNIQ", "1K", array=np.concatenate([*packed, np.empty(0, np.int64)]))
    table = fits.BinTableHDU.from_columns([column])
    table.header.update(
        {
            "MOCVERS": ("2.0", "MOC version"),
            "MOCDIM": ("SPACE", "Physical dimension"),
            "ORDERING": ("NUNIQ", "Packing of the cells"),
            "COORDSYS": ("C", "ICRS"),
            "MOCORD_S": (moc.order, "Finest order"),
            "MOCORDER": (moc.order, "The same for readers of MOC 1"),
        }
    )
    target = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(target)
    return target.getvalue()


def read_fits(source: BinaryIO) -> Moc:
    """The MOC of a file in either packing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with fits.open(source, memmap=False) as hdus:
                header, numbers = hdus[1].header, np.asarray(hdus[1].data.field(0))
    except _UNREADABLE as error:
        raise UsageError("The file is no MOC in FITS: it has no table that can be read.") from error
    _check(header, numbers)
    packing = str(header.get("ORDERING", "NUNIQ")).strip().upper()
    order = header.get("MOCORD_S", header.get("MOCORDER"))
    if not isinstance(order, int) or not 0 <= order <= FINEST:
        raise UsageError(f"The order of the MOC (MOCORD_S) must be 0 to {FINEST}, not {str(order)[:20]}.")
    return _PACKINGS[packing](order, numbers.astype(np.int64))


def _check(header: fits.Header, numbers: Cells) -> None:
    """UsageError for what is no coverage of space in ICRS."""
    for name, known, default in (
        ("MOCDIM", ("SPACE",), "SPACE"),
        ("ORDERING", tuple(_PACKINGS), "NUNIQ"),
        ("COORDSYS", ("C",), "C"),
    ):
        value = str(header.get(name, default)).strip().upper()
        if value not in known:
            raise UsageError(f"{name} of the MOC must be {' or '.join(known)}, not {value[:20]!r}.")
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise UsageError("The first column of a MOC must be one of whole numbers.")


def _from_uniq(order: int, numbers: Cells) -> Moc:
    if numbers.size and not (numbers.min() >= 4 and numbers.max() < _LARGEST):  # noqa: PLR2004  the first of order 0
        raise UsageError("The MOC has numbers (UNIQ) that no cell has.")
    # Exact: the logarithm of a double is off only where the number is no cell of the order that it tells.
    depths = (np.frexp(numbers.astype(np.float64))[1] - 3) // 2
    depths -= 4 * 4 ** depths.astype(np.int64) > numbers
    cells = numbers - 4 * 4 ** depths.astype(np.int64)
    if (cells >= 12 * 4 ** depths.astype(np.int64)).any():
        raise UsageError("The MOC has numbers (UNIQ) that no cell has.")
    if depths.max(initial=0) > order:
        raise UsageError(f"The MOC has cells of order {depths.max()}, finer than the {order} that it names.")
    return Moc.from_cells(order, cells, at=depths.astype(np.int64))


def _from_ranges(order: int, numbers: Cells) -> Moc:
    ranges = numbers.reshape(-1, 2) if numbers.size % 2 == 0 else np.array([[1, 0]])
    if (ranges[:, 1] <= ranges[:, 0]).any() or (ranges < 0).any() or (ranges > ALL_CELLS).any():
        raise UsageError("The MOC has a range that no cells have.")
    if (ranges & ((1 << shift(order)) - 1)).any():
        raise UsageError(f"The MOC has cells finer than the order {order} that it names.")
    return Moc(order, joined(ranges))


_PACKINGS: Mapping[str, Callable[[int, Cells], Moc]] = {"NUNIQ": _from_uniq, "RANGE": _from_ranges}
