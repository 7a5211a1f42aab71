"""Rows of a table matched with images, and put into an order in which each image file is opened once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from vo.cutout.files import images_of, pixels_of, reach_of
from vo.cutout.options import SYSTEM, Options, Product
from vo.cutout.places import (
    Place,
    Position,
    catalogues,
    latest,
    not_shown,
    position_of,
    positions_of,
    unknown_object,
)
from vo.cutout.positions import Wanted
from vo.errors import UsageError, VOError
from vo.images.collection import ImageCollection, ImageFile
from vo.images.sky import to_vectors
from vo.images.stencil import Polygon


@dataclass(frozen=True, slots=True)
class Task:
    """One file to be made for a row."""

    row: Wanted
    place: Place
    options: Options
    product: Product
    pixels: int

    @property
    def order(self) -> tuple[list[str], float]:
        """What sorts tasks: of the same images side by side, and then by what is near in them."""
        files = [str(images[0].file) for images in images_of(self.place, self.product)]
        return sorted(files), self.place.position[1]


@dataclass(frozen=True, slots=True)
class Failure:
    """A row, or one of its files, that cannot be had."""

    row: Wanted
    error: VOError
    position: Position | None = None
    is_unmatched: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, in order, and what cannot be."""

    tasks: tuple[Task, ...]
    failures: tuple[Failure, ...]

    @property
    def pixels(self) -> int:
        """All pixels, about."""
        return sum(task.pixels for task in self.tasks)


def plan_of(
    rows: Sequence[Wanted],
    collection: ImageCollection,
    release: str | None,
    known: Sequence[str],
    request: Mapping[str, str],
) -> Plan:
    """Match all rows; `request` are the options between those of the system and those of a row."""
    failures: list[Failure] = []
    judged: list[tuple[Wanted, Position | None, Options]] = []
    made: dict[frozenset[tuple[str, str]], Options | VOError] = {}
    for row in rows:
        try:
            judged.append((row, position_of(row.ra, row.dec), _options(row, request, known, made)))
        except VOError as error:
            failures.append(Failure(row, error))
    tasks: list[Task] = []
    for row, place, options in _placed(judged, collection, release, failures):
        for product in options.products:
            try:
                pixels = pixels_of(options, images_of(place, product))
            except VOError as error:
                failures.append(Failure(row, error, place.position))
            else:
                tasks.append(Task(row, place, options, product, pixels))
    return Plan(tuple(sorted(tasks, key=lambda task: task.order)), tuple(failures))


def _options(
    row: Wanted,
    request: Mapping[str, str],
    known: Sequence[str],
    made: dict[frozenset[tuple[str, str]], Options | VOError],
) -> Options:
    """The options of a row; the same words are judged once."""
    key = frozenset(row.options.items())
    if key not in made:
        try:
            made[key] = Options.from_levels(known, SYSTEM, request, row.options)
        except VOError as error:
            made[key] = error
    found = made[key]
    if isinstance(found, VOError):
        raise found
    return found


def _placed(
    judged: Sequence[tuple[Wanted, Position | None, Options]],
    collection: ImageCollection,
    release: str | None,
    failures: list[Failure],
) -> list[tuple[Wanted, Place, Options]]:
    """The rows that are on images, with these."""
    named = [row.object_id for row, position, _ in judged if position is None and row.object_id]
    objects = _objects(named, collection, release)
    at = [position or objects.get(row.object_id) for row, position, _ in judged]
    lon, lat = (pa.array([None if p is None else p[axis] for p in at], pa.float64()) for axis in (0, 1))
    found = collection.by_positions(lon, lat, release=release)
    placed = []
    for (row, _, options), position, images in zip(judged, at, found, strict=True):
        if position is None:
            failures.append(_nowhere(row, collection, release))
        elif not images:
            failures.append(Failure(row, not_shown(position, release), position, is_unmatched=True))
        else:
            placed.append((row, _with_neighbours(position, latest(images), options, collection), options))
    return placed


def _nowhere(row: Wanted, collection: ImageCollection, release: str | None) -> Failure:
    if row.object_id:
        error = unknown_object(row.object_id[:80], catalogues(collection, release))
        return Failure(row, error, is_unmatched=True)
    return Failure(row, UsageError("The row has neither a position nor an object."))


def _objects(ids: Sequence[str], collection: ImageCollection, release: str | None) -> dict[str, Position]:
    """The positions of objects, each from the first catalogue that has it."""
    found: dict[str, Position] = {}
    for catalogue in catalogues(collection, release) if ids else ():
        rest = sorted({each for each in ids if each not in found})
        found |= positions_of(rest, catalogue, collection.database)
    return found


def _with_neighbours(
    position: Position, images: tuple[ImageFile, ...], options: Options, collection: ImageCollection
) -> Place:
    """The place, with images beside those that hold its middle if none of some band has all of it."""
    reach = reach_of(options)
    enough = {image.band for image in images if _clearance(position, image) > reach}
    if enough >= {image.band for image in images}:
        return Place(position, images)
    return Place(position, tuple(collection.by_position(*position, radius=reach, release=images[0].release)))


def _clearance(position: Position, image: ImageFile) -> float:
    """Degrees from a position to the edge of an image."""
    vectors = to_vectors(*(np.array([angle]) for angle in position))
    return math.degrees(float(Polygon(image.outline).clearance(vectors)[0]))
