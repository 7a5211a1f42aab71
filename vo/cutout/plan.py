"""Rows of a table matched with images, and put into an order in which each image file is opened once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from vo.catalog import Table
from vo.cutout.files import Cutout, reach_of
from vo.cutout.options import SYSTEM, Options
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
    """A file to be made for a row."""

    row: Wanted
    cutout: Cutout

    @property
    def order(self) -> tuple[list[str], float]:
        """What sorts tasks: of the same images side by side, and then by what is near in them."""
        files = [str(images[0].file) for images in self.cutout.bands]
        return sorted(files), self.cutout.place.position[1]


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
        return sum(task.cutout.pixels for task in self.tasks)


@dataclass(frozen=True, slots=True)
class Matching:
    """How rows find their images; `request` are the options between the system's and those of a row."""

    collection: ImageCollection
    release: str | None
    known: Sequence[str]
    request: Mapping[str, str]
    check: Callable[[], None]

    def plan(self, rows: Sequence[Wanted]) -> Plan:
        """Match all rows; `check` is called between them, and raises what ends the job."""
        failures: list[Failure] = []
        tasks: list[Task] = []
        for row, place, options in self._placed(self._judged(rows, failures), failures):
            for product in options.products:
                try:
                    tasks.append(Task(row, Cutout.of(place, options, product)))
                except VOError as error:
                    failures.append(Failure(row, error, place.position))
        return Plan(tuple(sorted(tasks, key=lambda task: task.order)), tuple(failures))

    def _judged(
        self, rows: Sequence[Wanted], failures: list[Failure]
    ) -> Iterator[tuple[Wanted, Position | None, Options]]:
        """The rows that make sense; the same words of options are judged once."""
        made: dict[frozenset[tuple[str, str]], Options | VOError] = {}
        for row in rows:
            key = frozenset(row.options.items())
            if key not in made:
                made[key] = self._options(row)
            options = made[key]
            try:
                position = position_of(row.ra, row.dec)
            except VOError as error:
                failures.append(Failure(row, error))
                continue
            if isinstance(options, VOError):
                failures.append(Failure(row, options, position))
            elif position is None and not row.object_id:
                failures.append(Failure(row, UsageError("The row has neither a position nor an object.")))
            else:
                yield row, position, options

    def _options(self, row: Wanted) -> Options | VOError:
        try:
            return Options.from_levels(self.known, SYSTEM, self.request, row.options)
        except VOError as error:
            return error

    def _placed(
        self, judged: Iterable[tuple[Wanted, Position | None, Options]], failures: list[Failure]
    ) -> Iterator[tuple[Wanted, Place, Options]]:
        """The rows that are on images, with these."""
        listed = list(judged)
        searched = catalogues(self.collection, self.release)
        objects = self._objects([row.object_id for row, position, _ in listed if position is None], searched)
        at = [position or objects.get(row.object_id) for row, position, _ in listed]
        lon, lat = (pa.array([None if p is None else p[axis] for p in at], pa.float64()) for axis in (0, 1))
        found = self.collection.by_positions(lon, lat, release=self.release)
        for (row, _, options), position, images in zip(listed, at, found, strict=True):
            self.check()
            if position is None:
                error = unknown_object(row.object_id[:80], searched)
                failures.append(Failure(row, error, is_unmatched=True))
            elif not images:
                error = not_shown(position, self.release)
                failures.append(Failure(row, error, position, is_unmatched=True))
            else:
                yield row, _with_neighbours(position, latest(images), options, self.collection), options

    def _objects(self, ids: Sequence[str], searched: Sequence[Table]) -> dict[str, Position]:
        """The positions of objects, each from the first catalogue that has it."""
        found: dict[str, Position] = {}
        for catalogue in searched:
            self.check()
            rest = sorted({each for each in ids if each not in found})
            found |= positions_of(rest, catalogue, self.collection.database)
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
