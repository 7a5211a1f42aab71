"""The examples of /soda/examples: cuts of an image that is there, so that each of them runs."""

from __future__ import annotations

import math
from collections.abc import Iterator

from vo.examples import Example
from vo.images.collection import ImageFile
from vo.images.services import CUTOUT_PATHS, CUTOUT_STANDARDS

_LARGEST_RADIUS = 1 / 60
"""Degrees: what is shown comes at once."""

_LEAST_COSINE = 0.1
"""Nearer to a pole, a triangle is narrower than it is high."""


def examples(image: ImageFile) -> tuple[Example, ...]:
    """Requests that cut this image, the plainest first."""
    radius = min(_LARGEST_RADIUS, image.fov / 8)
    return (*_shapes(image, radius), *_forms(image, radius), _job(image, radius))


def _shapes(image: ImageFile, radius: float) -> Iterator[Example]:
    wide = radius / max(_LEAST_COSINE, math.cos(math.radians(image.dec)))
    south, north = max(-90.0, image.dec - radius), min(90.0, image.dec + radius)
    west, east = (image.ra - wide) % 360.0, (image.ra + wide) % 360.0
    triangle = _numbers(west, south, east, south, image.ra, north)
    yield _sync("A circle", "The box of pixels around a circle.", image, CIRCLE=_circle(image, radius))
    yield _sync(
        "A polygon, blanked outside",
        "A triangle, given by its vertices; pixels outside it have no value.",
        image,
        POLYGON=triangle,
        MASKED="1",
    )
    yield _sync(
        "A range of longitudes and latitudes",
        "POS takes all three shapes; in a range that passes 0 h the first longitude is above the second.",
        image,
        POS=f"RANGE {_numbers(west, east, south, north)}",
    )


def _forms(image: ImageFile, radius: float) -> Iterator[Example]:
    if len(image.planes) > 1:
        yield _sync(
            f"Image with {' and '.join(list(image.planes)[1:])}",
            "The planes that go with the pixels, each an extension of the file.",
            image,
            CIRCLE=_circle(image, radius),
            PLANES=",".join(image.planes),
        )
    yield _sync("The header alone", "What the header of the cutout would say, without pixels.", image,
                CIRCLE=_circle(image, radius), KIND="HEADER")  # fmt: skip
    if image.em_min is not None and image.em_max is not None:
        yield _sync(
            "Only if the band is right",
            "Wavelengths in metres: an image that has none of them gives no pixels, and the status 204.",
            image,
            CIRCLE=_circle(image, radius),
            BAND=f"{image.em_min!r} {image.em_max!r}",
        )


def _job(image: ImageFile, radius: float) -> Example:
    return Example(
        "Several circles as a job",
        "Each value of a repeated parameter becomes a result of the job.",
        CUTOUT_STANDARDS["async"],
        CUTOUT_PATHS["async"],
        (
            ("ID", image.obs_publisher_did),
            *(("CIRCLE", _circle(image, radius / parts)) for parts in (1, 2)),
            ("PHASE", "RUN"),
        ),
        method="post",
    )


def _sync(name: str, description: str, image: ImageFile, **parameters: str) -> Example:
    return Example(
        name,
        description,
        CUTOUT_STANDARDS["sync"],
        CUTOUT_PATHS["sync"],
        (("ID", image.obs_publisher_did), *parameters.items()),
    )


def _circle(image: ImageFile, radius: float) -> str:
    return _numbers(image.ra, image.dec, radius)


def _numbers(*values: float) -> str:
    return " ".join(f"{value:.6f}" for value in values)
