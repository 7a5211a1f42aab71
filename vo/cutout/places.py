"""What is to be cut out: a position, an object of the catalogue or a tile; and the images that show it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from vo.catalog import Table, nearest, quoted
from vo.dali import Params
from vo.db.base import Database
from vo.errors import NotFoundError, UsageError
from vo.images.collection import ImageCollection, ImageFile, literals, rows_of
from vo.images.tables import IMAGES
from vo.literals import number

OBJECT_WORDS = ("ID", "COADD_OBJECT_ID", "OBJECT_ID")
"""The parameters that name an object."""

_TILE_WORDS = ("TILE", "TILENAME")
_IMAGE_WORDS = ("IMAGE",)
_WAYS = "Send RA and DEC in degrees, or ID, or TILE, or IMAGE."
_IDS_A_QUERY = 500
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}\Z")
_LARGEST = 2**63 - 1
_LONGEST, _LONGEST_IMAGE_ID = 100, 512

Position = tuple[float, float]
"""Right ascension and declination in degrees (ICRS)."""


@dataclass(frozen=True, slots=True)
class Target:
    """A position or an object, perhaps in one image or those of a tile alone; or the middle of these."""

    position: Position | None = None
    object_id: str = ""
    tile: str = ""
    image_id: str = ""

    @classmethod
    def from_params(cls, params: Params) -> Self:
        """Judge the parameters."""
        ra, dec = params.single("RA"), params.single("DEC")
        found = cls(
            position_of(ra, dec),
            _one(params, OBJECT_WORDS),
            _one(params, _TILE_WORDS),
            _one(params, _IMAGE_WORDS, _LONGEST_IMAGE_ID),
        )
        if found.position and found.object_id:
            raise UsageError("A position and an object are given.", hint="Send one of them.")
        if found.image_id and found.tile:
            raise UsageError("An image and a tile are given.", hint="Send one of them.")
        if not (found.position or found.object_id or found.tile or found.image_id):
            raise UsageError("It is not said what to cut out.", hint=_WAYS)
        return found


def position_of(ra: str | None, dec: str | None) -> Position | None:
    """The position of two texts; None: neither is given."""
    ra, dec = (ra or "").strip(), (dec or "").strip()
    if not (ra or dec):
        return None
    if not (ra and dec):
        raise UsageError(
            f"{'DEC' if ra else 'RA'} is missing.", hint="A position needs RA and DEC in degrees."
        )
    found = number(ra, "RA"), number(dec, "DEC")
    for name, value, low, high in (("RA", found[0], 0.0, 360.0), ("DEC", found[1], -90.0, 90.0)):
        if not low <= value <= high:
            raise UsageError(f"{name} must be between {low:g} and {high:g} degrees, but is {value:g}.")
    return found


def _one(params: Params, words: Sequence[str], longest: int = _LONGEST) -> str:
    """What is given by one of the names that mean the same; empty: nothing."""
    given = [value for word in words if (value := (params.single(word) or "").strip())]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(words)} mean the same.", hint="Send one of them.")
    if given and len(given[0]) > longest:
        raise UsageError(f"{words[0]} has {len(given[0]):,} characters and may have {longest}.")
    return given[0] if given else ""


@dataclass(frozen=True, slots=True)
class Place:
    """A position, and the images of one release about it, those first whose middle is the nearest."""

    position: Position
    images: tuple[ImageFile, ...]

    @property
    def release(self) -> str:
        """The release that the images are of."""
        return self.images[0].release


def place_of(target: Target, collection: ImageCollection, release: str | None, radius: float) -> Place:
    """Where a target is, with the images that show something within `radius` degrees of it.

    NotFoundError: there is no such object, tile or image, or no image of the position.
    """
    named = _named(target, collection, release)
    if target.object_id:
        position = _position_of_object(target.object_id, collection, release)
    else:
        position = target.position or (named[0].ra, named[0].dec)
    found = named
    if not target.image_id and (target.position or target.object_id):
        found = latest(collection.by_position(*position, radius=radius, release=release))
        if named:
            found = tuple(image for image in found if image.tile == named[0].tile)
    if not found:
        raise not_shown(position, release, target.tile)
    return Place(position, found)


def _named(target: Target, collection: ImageCollection, release: str | None) -> tuple[ImageFile, ...]:
    """The image, or those of the tile, that a target names; none: it names a position or an object alone."""
    if target.image_id:
        return (_image(target.image_id, collection),)
    return _images_of_tile(target.tile, collection, release) if target.tile else ()


def latest(images: Iterable[ImageFile]) -> tuple[ImageFile, ...]:
    """The images of the last release among them, numbers in its name being numbers."""
    found = tuple(images)
    last = max((image.release for image in found), key=_in_order, default="")
    return tuple(image for image in found if image.release == last)


def _in_order(name: str) -> list[tuple[bool, int, str]]:
    """A name so that it sorts as people do.

    >>> sorted(["dr10", "dr9"], key=_in_order)
    ['dr9', 'dr10']
    """
    parts = re.split(r"(\d+)", name.lower())
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts]


def not_shown(position: Position, release: str | None, tile: str = "") -> NotFoundError:
    """That no image shows a position."""
    of = f"of {tile} " if tile else f"of {release[:80]} " if release else ""
    return NotFoundError(
        f"No image {of}shows the position ({position[0]:.6f}, {position[1]:.6f}).",
        hint="The table ivoa.obscore says which parts of the sky there are images of.",
    )


def _image(image_id: str, collection: ImageCollection) -> ImageFile:
    """The image with this obs_publisher_did."""
    found = collection.by_ids([image_id])
    if not found:
        raise NotFoundError(f"There is no image {image_id[:200]!r}.")
    return found[0]


def _images_of_tile(tile: str, collection: ImageCollection, release: str | None) -> tuple[ImageFile, ...]:
    """The images of a tile, its name in any case; NotFoundError with a name that may have been meant."""
    found = collection.by_tile(tile, release=release)
    if not found:
        names = collection.tiles(release)
        same = [name for name in names if name.lower() == tile.lower()]
        if not same:
            close = nearest(tile, names, 1)
            raise NotFoundError(
                f"There are no images of a tile {tile!r}.",
                hint=f"Did you mean {close[0]}?" if close else None,
            )
        found = collection.by_tile(same[0], release=release)
    return latest(found)


def _position_of_object(object_id: str, collection: ImageCollection, release: str | None) -> Position:
    """The position of an object in the catalogue of the release, or of the last that has images and it."""
    for catalogue in catalogues(collection, release):
        found = positions_of([object_id], catalogue, collection.database)
        if found:
            return found[object_id]
    raise unknown_object(object_id, catalogues(collection, release))


def unknown_object(object_id: str, searched: Sequence[Table]) -> NotFoundError:
    """That no catalogue has an object."""
    where = " or ".join(
        f"{table.qualified} ({table.identifier.name})" for table in searched if table.identifier
    )
    return NotFoundError(f"There is no object {object_id!r} in {where or 'any catalogue'}.")


def catalogues(collection: ImageCollection, release: str | None) -> list[Table]:
    """The main table of each release that has images, the last first: with names and positions of objects."""
    releases = [release] if release is not None else collection.releases()
    found = []
    for name in sorted(releases, key=_in_order, reverse=True):
        tables = [table for table in collection.database.catalog().tables() if _is_catalogue(table, name)]
        if tables:
            found.append(max(tables, key=lambda table: (table.name.lower() == "main", table.nrows or 0)))
    return found


def _is_catalogue(table: Table, release: str) -> bool:
    is_of_release = table.schema.lower() == release.lower() and table.name != IMAGES
    return is_of_release and table.spatial is not None and table.identifier is not None


def positions_of(ids: Sequence[str], catalogue: Table, database: Database) -> dict[str, Position]:
    """The positions of those objects that the catalogue has, by their names as given."""
    identifier, position = catalogue.identifier, catalogue.spatial
    if identifier is None or position is None:
        return {}
    keys = {each: key for each in ids if (key := _key(each, is_text=identifier.is_string))}
    names = [quoted(name) for name in (identifier.name, position.lon, position.lat)]
    known: dict[str, Position] = {}
    ordered = sorted(set(keys.values()))
    for start in range(0, len(ordered), _IDS_A_QUERY):
        some = ordered[start : start + _IDS_A_QUERY]
        listed = literals(some) if identifier.is_string else ", ".join(some)
        query = f"SELECT {', '.join(names)} FROM {catalogue.qualified} WHERE {names[0]} IN ({listed})"  # noqa: S608  numbers, or literals
        for row in rows_of(database, query):
            known[str(row[identifier.name])] = row[position.lon], row[position.lat]
    return {each: known[key] for each, key in keys.items() if key in known}


def _key(object_id: str, *, is_text: bool) -> str:
    """The name of an object as the database writes it; empty: no object of whole numbers is called that.

    >>> _key("+0042", is_text=False), _key("J0001", is_text=True), _key("J0001", is_text=False)
    ('42', 'J0001', '')
    """
    if is_text:
        return object_id
    number = int(object_id) if _WHOLE.match(object_id) else _LARGEST + 1
    return str(number) if abs(number) <= _LARGEST else ""
