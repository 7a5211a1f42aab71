"""Looking images up: by identifier, position or tile, through ADQL, so that any database will do."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from vo.adql import translate
from vo.catalog import Catalog, Column, Table, arrow_schema, quoted
from vo.db.base import Database, Incoming
from vo.errors import NotFoundError, UsageError
from vo.images.cache import Recent
from vo.images.tables import IMAGES

_IDS_A_QUERY = 500
_LONGEST = 512  # characters of an identifier or name
_RIGHT_ANGLE = 90.0
_NEAR_DEG = 10.0  # up to this distance, ADQL joins positions by cells

PLANES = ("image", "mask", "weight")
"""What there may be of an image, pixel by pixel."""

_BANDS: Recent[tuple[Catalog, tuple[str, ...]]] = Recent(64)
"""The bands of a release, with the catalogue that it was part of."""

_FOUND: Recent[tuple[Catalog, ImageFile]] = Recent(8_000_000)
"""Images by the root of their files and their identifiers, with the catalogue that they were part of.

Whoever cuts an image cuts it again, and looking it up takes longer than cutting.
"""

_POSITIONS = Table(
    "TAP_UPLOAD",
    "positions",
    (Column("position_number", "long"), Column("lon", "double"), Column("lat", "double")),
)


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One image as `<release>.images` has it, `file` being its absolute path below the image root.

    Names, units and meanings are those of the table; `outline` are the vertices lon1, lat1, … in degrees.
    """

    release: str
    file: Path
    image_id: str
    obs_publisher_did: str
    obs_collection: str
    path: str
    hdu: int
    mask_hdu: int | None
    weight_hdu: int | None
    band: str | None
    tile: str | None
    ra: float
    dec: float
    fov: float
    outline: tuple[float, ...]
    pixel_scale: float
    naxis1: int
    naxis2: int
    exposure: float | None
    t_min: float | None
    t_max: float | None
    em_min: float | None
    em_max: float | None
    header: str
    checksum: str | None
    file_size: int
    file_date: datetime

    @property
    def planes(self) -> Mapping[str, int]:
        """Those of PLANES that there are, with the HDU of each."""
        hdus = zip(PLANES, (self.hdu, self.mask_hdu, self.weight_hdu), strict=True)
        return {plane: hdu for plane, hdu in hdus if hdu is not None}


_COLUMNS = tuple(field.name for field in fields(ImageFile) if field.name not in ("release", "file"))


@dataclass(frozen=True, slots=True)
class ImageCollection:
    """The images of `database`, whose files lie below `root`."""

    database: Database
    root: Path

    def releases(self) -> tuple[str, ...]:
        """The releases that have images."""
        return tuple(table.schema for table in self._tables(None))

    def first(self) -> ImageFile:
        """One image, the same until others are published; NotFoundError: there are none."""
        for table in self._tables(None):
            query = f"SELECT MIN(obs_publisher_did) AS did FROM {table.qualified}"  # noqa: S608  a published name
            found = self.by_ids([row["did"] for row in rows_of(self.database, query) if row["did"]])
            if found:
                return found[0]
        raise NotFoundError("No images are published here.")

    def by_ids(self, ids: Sequence[str]) -> list[ImageFile]:
        """The images whose obs_publisher_did is among `ids`, in any order; IVOIDs compare without case.

        What is no identifier of an image is not among them.
        """
        catalog, kept = self.database.catalog(), []
        unknown = []
        for name in sorted({each.lower() for each in ids}):
            found = _FOUND.get((self.root, name))
            if found is not None and found[0] is catalog:
                self._below_root(found[1].path)  # links may have changed since
                kept.append(found[1])
            else:
                unknown.append(name)
        for start in range(0, len(unknown), _IDS_A_QUERY):
            some = literals(unknown[start : start + _IDS_A_QUERY])
            for image in self._select(f"LOWER(obs_publisher_did) IN ({some})", None):
                kept.append(image)
                _FOUND.put((self.root, image.obs_publisher_did.lower()), (catalog, image), len(image.header))
        return kept

    def by_position(
        self,
        ra: float,
        dec: float,
        *,
        radius: float = 0.0,
        bands: Sequence[str] = (),
        release: str | None = None,
    ) -> list[ImageFile]:
        """The images with some of the circle of `radius` degrees around a position, in degrees (ICRS).

        Those come first whose middle is the nearest. UsageError: there is no such position or radius.
        """
        if not (math.isfinite(ra) and abs(dec) <= _RIGHT_ANGLE and 0.0 <= radius <= _RIGHT_ANGLE):
            raise UsageError(f"There is no circle of {radius} degrees around ({ra}, {dec}).")
        point = f"POINT({_number(ra % 360.0)}, {_number(dec)})"
        found = f"CONTAINS({point}, outline)"
        if radius:
            found = f"INTERSECTS(CIRCLE({point}, {_number(radius)}), outline)"
        images = self._select(f"1 = {found}{_of_bands(bands)}", release)
        return sorted(images, key=partial(_by_distance, ra, dec))

    def by_positions(
        self, lon: pa.Array, lat: pa.Array, *, bands: Sequence[str] = (), release: str | None = None
    ) -> list[list[ImageFile]]:
        """As `by_position` for thousands of positions at once, in two queries for each release.

        What is NULL or no position is on no image.
        """
        lists: list[list[ImageFile]] = [[] for _ in range(len(lon))]
        numbers = pa.array(range(len(lon)), pa.int64())
        batch = pa.RecordBatch.from_arrays([numbers, lon, lat], schema=arrow_schema(_POSITIONS.columns))
        known = pc.and_(pc.is_finite(lon), pc.less_equal(pc.abs(lat), _RIGHT_ANGLE))
        batch = batch.filter(pc.fill_null(known, fill_value=False))
        with self.database.holding(_POSITIONS.schema, [Incoming(_POSITIONS, [batch])]) as holding:
            pairs = [pair for table in self._tables(release) for pair in _pairs(holding, table, bands)]
        images = {image.obs_publisher_did: image for image in self.by_ids([did for _, did in pairs])}
        for number, did in pairs:
            lists[number].append(images[did])
        for number, found in enumerate(lists):
            found.sort(key=partial(_by_distance, lon[number].as_py(), lat[number].as_py()))
        return lists

    def by_tile(self, tile: str, *, bands: Sequence[str] = (), release: str | None = None) -> list[ImageFile]:
        """The images of a tile, by its name to the letter."""
        return self._select(f"tile IN ({literals([tile])}){_of_bands(bands)}", release)

    def bands(self, release: str | None = None) -> tuple[str, ...]:
        """The bands that there are images in, the bluest first; asked for once until something is loaded."""
        catalog = self.database.catalog()
        kept = _BANDS.get(release)
        if kept is None or kept[0] is not catalog:
            kept = catalog, self._bands(release)
            _BANDS.put(release, kept, 1)
        return kept[1]

    def _bands(self, release: str | None) -> tuple[str, ...]:
        limits = {
            row["band"]: row["em_min"] or math.inf
            for table in self._tables(release)
            for row in rows_of(
                self.database,
                f"SELECT band, MIN(em_min) AS em_min FROM {table.qualified} "  # noqa: S608  a published name
                "WHERE band IS NOT NULL GROUP BY band",
            )
        }
        return tuple(sorted(limits, key=lambda band: (limits[band], band)))

    def tiles(self, release: str | None = None) -> tuple[str, ...]:
        """The names of the tiles that there are images of."""
        return tuple(
            row["tile"]
            for table in self._tables(release)
            for row in rows_of(
                self.database,
                f"SELECT DISTINCT tile FROM {table.qualified} WHERE tile IS NOT NULL",  # noqa: S608  a published name
            )
        )

    def _tables(self, release: str | None) -> list[Table]:
        tables = [table for table in self.database.catalog().tables() if _is_images(table)]
        if release is None:
            return tables
        found = [table for table in tables if table.schema.lower() == release.lower()]
        if not found:
            raise NotFoundError(f"There are no images of a release {release[:80]!r}.")
        return found

    def _select(self, condition: str, release: str | None) -> list[ImageFile]:
        return [image for table in self._tables(release) for image in self._of(table, condition)]

    def _of(self, table: Table, condition: str) -> Iterator[ImageFile]:
        names = ", ".join(map(quoted, _COLUMNS))
        query = f"SELECT {names} FROM {table.qualified} WHERE {condition}"  # noqa: S608  literals quoted below
        for row in rows_of(self.database, query):
            outline = tuple(row.pop("outline"))
            yield ImageFile(table.schema, self._below_root(row["path"]), outline=outline, **row)

    def _below_root(self, path: str) -> Path:
        """The file; NotFoundError: a link or a path of the table leads out of the image root."""
        top = self.root.resolve()
        file = (top / path).resolve()
        if not file.is_relative_to(top):
            raise NotFoundError(f"The image {path} is not below the image root.")
        return file


def rows_of(database: Database, query: str) -> Iterator[dict[str, Any]]:
    """The rows of a query in ADQL that is the service's own, each by the names of its columns."""
    statement = translate(query, database.catalog(), dialect=database.dialect)
    with database.stream(statement) as result:
        names = [column.name for column in statement.columns]
        for batch in result:
            yield from batch.rename_columns(names).to_pylist()


def _pairs(database: Database, table: Table, bands: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The numbers of held positions with the images that show them."""
    near = ""
    if table.region is not None and table.region.reach <= _NEAR_DEG:
        # With the distance, positions and images meet in cells: not all pairs have to be looked at.
        near = f"DISTANCE(p.lon, p.lat, i.ra, i.dec) <= {_number(table.region.reach)} AND "
    query = (
        f"SELECT p.position_number, i.obs_publisher_did FROM {_POSITIONS.qualified} AS p "  # noqa: S608  published names
        f"JOIN {table.qualified} AS i ON {near}1 = CONTAINS(POINT(p.lon, p.lat), i.outline)"
        f"{_of_bands(bands, 'i.')}"
    )
    return ((row["position_number"], row["obs_publisher_did"]) for row in rows_of(database, query))


def _is_images(table: Table) -> bool:
    return table.name == IMAGES and all(table.column(name, exact=True) for name in _COLUMNS)


def literals(texts: Iterable[str]) -> str:
    r"""Texts as string literals of ADQL (2.1.4), a quote inside doubled; those that no image has left out.

    >>> literals(["a", "it's", "a\n"]), literals(["\0"])
    ("'a', 'it''s'", "''")
    """
    plain = [text for text in texts if text.isascii() and text.isprintable() and len(text) <= _LONGEST]
    return ", ".join("'" + text.replace("'", "''") + "'" for text in plain or [""])


def _of_bands(bands: Sequence[str], table: str = "") -> str:
    return f" AND {table}band IN ({literals(bands)})" if bands else ""


def _number(value: float) -> str:
    """A number of ADQL with every bit of a double."""
    return repr(float(value))


def _by_distance(ra: float, dec: float, image: ImageFile) -> tuple[float, str]:
    """The distance from the middle of an image, as the square of half the chord; of equal ones, the name."""
    lat, other = math.radians(dec), math.radians(image.dec)
    across = math.cos(lat) * math.cos(other) * math.sin(math.radians(image.ra - ra) / 2) ** 2
    return math.sin((lat - other) / 2) ** 2 + across, image.obs_publisher_did
