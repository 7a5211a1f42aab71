"""The types of image service (SIA 1.0, 3) that one query serves, told apart by the parameter TYPE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from vo.config import Config
from vo.sia.v1 import archive, cutouts
from vo.sia.v1.archive import Arrays
from vo.sia.v1.region import Region


@dataclass(frozen=True, slots=True)
class ServiceType:
    """A type by its name in the registry; `told` makes its rows of the columns `needs` of obscore."""

    name: str
    description: str
    needs: tuple[str, ...]
    told: Callable[[Arrays, Region | None, Config], Arrays]


SERVICE_TYPES = (
    ServiceType("Cutout", "Parts of images, no larger than the region", cutouts.NEEDS, cutouts.cut),
    ServiceType("Atlas", "Whole images as they are in the archive", archive.NEEDS, archive.whole),
)
"""All of them, the one first that is meant where TYPE is not given."""
