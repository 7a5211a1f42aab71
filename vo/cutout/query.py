"""The parameters of a cutout, judged; and what its answer can be known by before it is made."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import format_datetime
from typing import Self

from vo import __version__
from vo.cutout.files import Cutout, reach_of
from vo.cutout.options import NAMES, SYSTEM, Options
from vo.cutout.places import Target, place_of
from vo.dali import Params
from vo.errors import NotFoundError, UsageError
from vo.images.collection import ImageCollection

_LISTS = ("BANDS", "FORMAT")
"""Options that may be repeated."""

_FRESH_S = 300
"""Seconds for which an answer is taken for what it was without being asked about."""


@dataclass(frozen=True, slots=True)
class CutoutQuery:
    """What to cut out, and what to make of it."""

    target: Target
    release: str | None
    options: Options

    @classmethod
    def from_params(cls, params: Params, collection: ImageCollection) -> Self:
        """Judge the parameters; others than our own are ignored."""
        release, target = release_of(params), Target.from_params(params)
        options = Options.from_levels(bands_of(collection, release), SYSTEM, options_of(params))
        if len(options.products) > 1:
            raise UsageError(
                f"{len(options.products)} files are asked for, and one can be sent.",
                hint="Send a request for each, or a table of positions to /cutout/async.",
            )
        return cls(target, release, options)

    def found(self, collection: ImageCollection) -> Cutout:
        """The images that show it; NotFoundError: there are none, or none in a band."""
        place = place_of(self.target, collection, self.release, reach_of(self.options))
        return Cutout.of(place, self.options, self.options.products[0])


def told_of(cutout: Cutout) -> Mapping[str, str]:
    """The headers by which caches know a cutout: it is that of these images and options."""
    images = [image for band in cutout.bands for image in band]
    facts = [
        (image.obs_publisher_did, image.hdu, image.checksum, image.file_size, image.file_date.isoformat())
        for image in images
    ]
    identity = repr((__version__, cutout.place.position, cutout.options, facts))
    changed = max(image.file_date for image in images).replace(tzinfo=UTC)
    return {
        "etag": f'"{hashlib.sha256(identity.encode()).hexdigest()[:32]}"',
        "last-modified": format_datetime(changed, usegmt=True),
        "cache-control": f"public, max-age={_FRESH_S}",
        "vary": "Accept",
    }


def release_of(params: Params) -> str | None:
    """The release asked for; None: whichever has images there, the last first."""
    return (params.single("RELEASE") or "").strip() or None


def bands_of(collection: ImageCollection, release: str | None) -> tuple[str, ...]:
    """The bands that there are images in; NotFoundError where there are none."""
    if not collection.releases():
        raise NotFoundError("No images are published here.")
    return collection.bands(release)


def options_of(params: Params) -> dict[str, str]:
    """The options of a request by their names in capitals."""
    lists = {name: ",".join(params.all(name)) for name in _LISTS}
    return lists | {name: params.single(name) or "" for name in NAMES - set(_LISTS)}
