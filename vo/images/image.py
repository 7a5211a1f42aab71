"""Images in files, opened once a process, with their headers; what was used last stays open."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from astropy.io.fits import Header

from vo.errors import ImageError
from vo.images.cache import Recent
from vo.images.decode import Decoded
from vo.images.files import FitsFile, file_key
from vo.images.headers import Unit, image_cards, units
from vo.images.rawcards import Cards
from vo.images.tiles import TileTable, tile_table

_Made = TypeVar("_Made")


@dataclass(frozen=True, eq=False)
class Image:
    """An image of two dimensions: `index` is the number of its HDU, `cards` its header.

    Of a compressed one, `bitpix` and `cards` are those of the image that was compressed (FITS 4.0, 10.1).
    """

    file: FitsFile
    index: int
    width: int
    height: int
    bitpix: int
    cards: Cards = field(repr=False)
    data_offset: int
    tiles: TileTable | None
    decoded: Decoded = field(repr=False)
    made: dict[str, Any] = field(default_factory=dict, repr=False)

    @cached_property
    def header(self) -> Header:
        """The header for those who look up keywords."""
        return Header.fromstring(b"".join(self.cards))

    def kept(self, name: str, make: Callable[[], _Made]) -> _Made:
        """What was made of the header once: it lives as long as the image."""
        found: _Made | None = self.made.get(name)
        if found is None:
            found = self.made.setdefault(name, make())
        return found

    @cached_property
    def name(self) -> str:
        """EXTNAME in capitals; empty without one."""
        return str(self.header.get("EXTNAME", "")).strip().upper()


class OpenImages:
    """The files of a process that were used last, their headers, and the tiles that were decoded last.

    A file that has changed since is opened anew. Safe for threads.
    """

    def __init__(self, *, files: int = 64, decoded_bytes: int = 256 << 20) -> None:
        self._files: Recent[tuple[Image, ...]] = Recent(files)
        self._decoded: Decoded = Recent(decoded_bytes)

    def images(self, path: Path) -> tuple[Image, ...]:
        """All images of two dimensions in a file."""
        found = self._files.get(file_key(path))
        if found is None:
            file = FitsFile(path)
            every = units(file)
            found = tuple(_image(unit, every[0], self._decoded) for unit in every if _is_flat(unit))
            self._files.put(file.key, found, 1)
        return found

    def image(self, path: Path, hdu: int | str | None = None) -> Image:
        """The image with that number or EXTNAME; without either, the first of the file."""
        wanted = hdu.strip().upper() if isinstance(hdu, str) else hdu
        for image in self.images(path):
            if wanted is None or wanted in (image.index, image.name):
                return image
        raise ImageError(f"The file {path.name} has no image{'' if hdu is None else f' {hdu!r}'}.")

    def close(self) -> None:
        """Let go of everything; a file closes as soon as nobody reads it."""
        self._files.clear()
        self._decoded.clear()


def _axes(unit: Unit) -> tuple[int, ...]:
    return unit.axes("Z" if unit.is_compressed else "")


def _is_flat(unit: Unit) -> bool:
    """Whether there are pixels in two dimensions; axes of length 1 may follow."""
    axes = _axes(unit) if unit.is_image else ()
    return len(axes) > 1 and min(axes[:2]) > 0 and all(length == 1 for length in axes[2:])


def _image(unit: Unit, primary: Unit, decoded: Decoded) -> Image:
    width, height = _axes(unit)[:2]
    return Image(
        file=unit.file,
        index=unit.index,
        width=width,
        height=height,
        bitpix=unit.bitpix("Z" if unit.is_compressed else ""),
        cards=image_cards(unit, primary),
        data_offset=unit.data_offset,
        tiles=tile_table(unit) if unit.is_compressed else None,
        decoded=decoded,
    )
