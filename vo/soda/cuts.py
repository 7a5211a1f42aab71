"""From what a request says of a file to the pixels of an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from email.utils import formatdate
from hashlib import blake2b

from vo import __version__
from vo.context import Context
from vo.errors import NotFoundError, TooLargeError, UsageError
from vo.images.collection import ImageFile
from vo.images.files import file_key
from vo.images.image import Image, OpenImages
from vo.images.pixels import Box
from vo.images.sky import sky_of
from vo.images.stamp import Cut, same_box
from vo.images.stencil import stencil_box, stencil_mask
from vo.soda.query import Cutout, Interval


def find_images(image_ids: Sequence[str], context: Context) -> dict[str, ImageFile]:
    """The images with these identifiers, by the identifier as it is written there; others are left out."""
    known = {image.obs_publisher_did.lower(): image for image in context.images.by_ids(image_ids)}
    return {each: known[each.lower()] for each in image_ids if each.lower() in known}


def find_image(image_id: str, context: Context) -> ImageFile:
    """The image with this identifier."""
    return known_image(image_id, find_images([image_id], context))


def known_image(image_id: str, images: Mapping[str, ImageFile]) -> ImageFile:
    """The image with this identifier among those found; NotFoundError: it is none of them."""
    if image_id not in images:
        raise NotFoundError(f"There is no image {image_id[:200]!r}.")
    return images[image_id]


def told_of(cutout: Cutout, image: ImageFile) -> dict[str, str]:
    """The headers by which caches know a file (RFC 9110, 8.8): it depends on image and request alone."""
    key = file_key(image.file)
    tag = blake2b(repr((__version__, key, image, cutout)).encode(), digest_size=16).hexdigest()
    return {"etag": f'"{tag}"', "last-modified": formatdate(key[1] // 10**9, usegmt=True)}


def cuts_of(cutout: Cutout, file: ImageFile, context: Context) -> tuple[Cut, ...]:
    """The HDUs of a file; none where the image has nothing of what is asked for."""
    if not _is_met(cutout, file):
        return ()
    first, *planes = _planes(cutout, file, context.open_images)
    box = Box(0, 0, first.width, first.height)
    stencil = None if cutout.region is None else cutout.region.stencil
    if stencil is not None:
        found = stencil_box(sky_of(first), stencil)
        if found is None:
            return ()
        box = found
    form, inside = cutout.form, None
    if not form.header_only:
        _check_size(box, len(planes), context.config.cutout_pixels)
        if form.masked and stencil is not None:
            inside = stencil_mask(sky_of(first), stencil, box)
    return same_box([first, *planes], box, inside, cutout.terms)[1:]


def _is_met(cutout: Cutout, file: ImageFile) -> bool:
    """Whether the image is of the band, the time and the polarization; of what is not known, it is not."""
    return (
        _meet(cutout.band, file.em_min, file.em_max)
        and _meet(cutout.time, file.t_min, file.t_max)
        and not cutout.states  # none was measured: pol_states is NULL in ivoa.obscore
    )


def _meet(asked: Interval | None, low: float | None, high: float | None) -> bool:
    if asked is None:
        return True
    return low is not None and high is not None and asked[0] <= high and low <= asked[1]


def _planes(cutout: Cutout, file: ImageFile, images: OpenImages) -> Iterator[Image]:
    """The image itself, whose sky decides, then the planes that are asked for."""
    yield images.image(file.file, file.hdu)
    for plane in cutout.form.planes:
        if plane not in file.planes:
            raise UsageError(f"The image {file.obs_publisher_did} has no {plane} plane.")
        yield images.image(file.file, file.planes[plane])


def _check_size(box: Box, planes: int, limit: int) -> None:
    pixels = box.width * box.height * planes
    if pixels > limit:
        raise TooLargeError(
            f"The cutout would have {pixels:,} pixels, and may have {limit:,}.",
            hint="Ask for less sky, or take the whole file, to which /datalink/links leads.",
        )
