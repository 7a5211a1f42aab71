"""The examples of /sia/v2/examples: searches that find an image that is there, so that each of them runs."""

from __future__ import annotations

from collections.abc import Iterator

from vo.examples import Example
from vo.images.collection import ImageFile
from vo.sia.execute import QUERY_PATH, STANDARD_ID


def examples(image: ImageFile) -> tuple[Example, ...]:
    """Searches that find this image, the plainest first."""
    return (*_by_place(image), *_by_name(image))


def _by_place(image: ImageFile) -> Iterator[Example]:
    circle = f"CIRCLE {image.ra:.6f} {image.dec:.6f} {image.fov / 8:.6f}"
    yield _search("Images around a position", "All that have some of a circle (ICRS, degrees).", POS=circle)
    if image.em_min is not None and image.em_max is not None:
        yield _search(
            "Images in a band",
            "Those that have some of these wavelengths as well, in metres.",
            POS=circle,
            BAND=f"{image.em_min!r} {image.em_max!r}",
        )
    if image.t_min is not None:
        yield _search(
            "Images since a date",
            "Those that end after a time (MJD); an interval may be open.",
            POS=circle,
            TIME=f"{image.t_min!r} +Inf",
        )


def _by_name(image: ImageFile) -> Iterator[Example]:
    yield _search(
        "The first images of a collection as CSV",
        "Names compare to the letter; MAXREC cuts the table, RESPONSEFORMAT chooses its form.",
        COLLECTION=image.obs_collection,
        MAXREC="10",
        RESPONSEFORMAT="csv",
    )
    yield _search(
        "One image by its identifier",
        "The obs_publisher_did by which SODA and DataLink know it, too.",
        ID=image.obs_publisher_did,
    )
    yield _search(
        "What can be asked for",
        "No rows, but the columns and all parameters, with the names that there are.",
        MAXREC="0",
    )


def _search(name: str, description: str, **parameters: str) -> Example:
    return Example(name, description, STANDARD_ID, QUERY_PATH, tuple(parameters.items()))
