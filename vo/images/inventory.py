"""The images below a directory, told from the headers of their files; pixels are not read."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from astropy.io import fits
from astropy.utils.exceptions import AstropyUserWarning, AstropyWarning

from vo.errors import LoadError
from vo.images.cards import Observation, observation, wcs_text
from vo.images.footprint import Footprint, celestial_wcs, footprint
from vo.images.linear import LinearTerms, linear_terms

SUFFIXES = (".fits", ".fit", ".fts", ".fits.fz", ".fit.fz", ".fz")
"""What the names of files end with that are looked into, in any case."""

_WHOLLY_PACKED = (".fits.gz", ".fit.gz", ".fits.bz2", ".fits.z", ".fits.xz")
_PLANE_WORDS = ("DES_EXT", "EXTNAME")
_ROLES = {
    **dict.fromkeys(("MSK", "MASK", "DQ", "DQM", "BPM", "FLAGS"), "mask"),
    **dict.fromkeys(("WGT", "WEIGHT", "WHT", "IVAR", "INVVAR"), "weight"),
    **dict.fromkeys(("ERR", "ERROR", "VAR", "VARIANCE", "RMS", "SAMP", "TIME", "NCOMBINE"), "other"),
    **dict.fromkeys(("WCSDVARR", "D2IMARR", "SIPWCS"), "other"),  # tables of distortions, as HST has them
}
_PRODUCTS = {"dqmask": "mask", "wtmap": "weight", "expmap": "other"}
"""Values of PRODTYPE, by which DECam's pipeline tells the files of one exposure apart."""

_EXTENSION_NUMBER = re.compile(r"[\s_]*\d+\Z")
_PLANE_AXES = 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class FileStamp:
    """By what a file is known to be unchanged: bytes, and time of its last change in whole microseconds."""

    size: int
    modified: datetime

    @classmethod
    def of(cls, path: Path) -> FileStamp:
        """The stamp of a file as it is now."""
        status = path.stat()
        return cls(status.st_size, _EPOCH + timedelta(microseconds=status.st_mtime_ns // 1000))


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image: `path` is relative to the image root, below which `image_id` is unique; HDUs count from 0.

    `mask_hdu` and `weight_hdu` are planes of the same pixels in the same file; `header` are the cards of the
    WCS, a line each; `checksum` is that of the file, `sha256:` and hexadecimal digits, empty if not wanted.
    """

    image_id: str
    path: str
    stamp: FileStamp
    checksum: str
    image_hdu: int
    mask_hdu: int | None
    weight_hdu: int | None
    naxis1: int
    naxis2: int
    footprint: Footprint
    linear: LinearTerms
    observation: Observation
    header: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A file, or one of its images, that is left out, and why."""

    path: str
    reason: str

    def __str__(self) -> str:
        """One line.

        >>> str(Fault("a/b.fits", "no WCS"))
        'a/b.fits: no WCS'
        """
        return f"{self.path}: {self.reason}"


OnFault = Callable[[Fault], None]


def find_files(directory: Path, root: Path) -> list[Path]:
    """The files below `directory` that may hold images, in order, hidden ones left out."""
    top = root.resolve()
    if not directory.is_dir():
        raise LoadError(f"{directory} is not a directory.")
    if not directory.resolve().is_relative_to(top):
        raise LoadError(
            f"{directory} is not below the image root {root}.",
            hint="Set VO_IMAGES_DIR to a directory above it: images stay where they are.",
        )
    inside = directory.resolve()
    return [
        path
        for path in sorted(inside.rglob("*"))
        if path.name.lower().endswith((*SUFFIXES, *_WHOLLY_PACKED))
        and not any(part.startswith(".") for part in path.relative_to(inside).parts)
        and path.is_file()
    ]


def scan(
    directory: Path,
    root: Path,
    *,
    files: Collection[Path] | None = None,
    checksums: bool = True,
    on_fault: OnFault | None = None,
) -> Iterator[ImageRecord]:
    """Every image below `directory`, in the order of the files (`files`: these alone).

    A file that cannot be used, or lies outside the image `root`, is told to `on_fault` and passed over.
    """
    tell = on_fault or (lambda _fault: None)
    top = root.resolve()
    for path in find_files(directory, root) if files is None else files:
        shown = path.relative_to(top).as_posix()
        try:
            if not path.resolve().is_relative_to(top):
                raise LoadError("is a link that leads out of the image root")  # noqa: TRY301  told like the others
            yield from _images(path, shown, checksums=checksums, tell=tell)
        except Exception as error:  # noqa: BLE001  what a broken file makes a reader raise is anybody's guess
            tell(Fault(shown, _reason(error)))


def _reason(error: Exception) -> str:
    if isinstance(error, LoadError):
        return str(error)
    text = " ".join(str(error).split())
    return f"cannot be read as FITS: {text or type(error).__name__}"[:300]


def _images(path: Path, shown: str, *, checksums: bool, tell: OnFault) -> list[ImageRecord]:
    """The images of one file; all of its headers are read before the first is told."""
    if path.name.lower().endswith(_WHOLLY_PACKED):
        raise LoadError("is packed as a whole, so that no part of it can be read: unpack it, or use fpack")
    stamp = FileStamp.of(path)
    if stamp.size == 0:
        raise LoadError("is empty")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        # astropy tells of a file that ends too early by a warning alone.
        warnings.filterwarnings("error", "File may have been truncated", AstropyUserWarning)
        with fits.open(path, mode="readonly", memmap=True) as hdus:
            planes = _planes(hdus)
            if not planes:
                raise LoadError("holds no two-dimensional image")
            _refuse_truncated(hdus, stamp.size)
            found = _records(hdus, planes, shown, stamp, tell)
    if not (checksums and found):
        return [record(checksum="") for record in found]
    with path.open("rb") as file:
        checksum = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    return [record(checksum=checksum) for record in found]


def _refuse_truncated(hdus: fits.HDUList, size: int) -> None:
    ends = (hdu.fileinfo() for hdu in hdus)
    if max(info["datLoc"] + info["datSpan"] for info in ends if info is not None) > size:
        raise LoadError("ends too early: it is still being written, or was cut off")


def _records(
    hdus: fits.HDUList, planes: list[_Plane], shown: str, stamp: FileStamp, tell: OnFault
) -> list[Callable[..., ImageRecord]]:
    """The images of a file as records that only lack the checksum."""
    images = [plane for plane in planes if plane.role == "image"]
    found = []
    for plane in images:
        try:
            found.append(_record(hdus, plane, planes, shown, stamp, alone=len(images) == 1))
        except LoadError as error:
            if len(images) == 1:
                raise
            tell(Fault(f"{shown}[{plane.hdu}]", str(error)))
    return found


@dataclass(frozen=True, slots=True)
class _Plane:
    """A two-dimensional HDU, and what it is: image, mask, weight or other."""

    hdu: int
    role: str
    name: str
    shape: tuple[int, int]


def _planes(hdus: fits.HDUList) -> list[_Plane]:
    planes = []
    for number, hdu in enumerate(hdus):
        is_image = isinstance(hdu, fits.PrimaryHDU | fits.ImageHDU | fits.CompImageHDU)
        if is_image and hdu.header.get("NAXIS") == _PLANE_AXES:
            shape = hdu.header["NAXIS1"], hdu.header["NAXIS2"]
            if min(shape) > 0:
                planes.append(_Plane(number, _role(hdu.header, hdus[0].header), hdu.name, shape))
    return planes


def _role(header: fits.Header, primary: fits.Header) -> str:
    for keyword in _PLANE_WORDS:
        word = _EXTENSION_NUMBER.sub("", str(header.get(keyword, ""))).upper()
        if word in _ROLES:
            return _ROLES[word]
    product = str(header.get("PRODTYPE", primary.get("PRODTYPE", ""))).strip().lower()
    return _PRODUCTS.get(product, "image")


def _beside(image: _Plane, role: str, planes: list[_Plane]) -> int | None:
    """The HDU of the mask or weight of an image: the first of its shape before the next image."""
    for plane in planes:
        if plane.hdu > image.hdu:
            if plane.role == "image":
                break
            if plane.role == role and plane.shape == image.shape:
                return plane.hdu
    return None


def _record(
    hdus: fits.HDUList, plane: _Plane, planes: list[_Plane], shown: str, stamp: FileStamp, *, alone: bool
) -> Callable[..., ImageRecord]:
    header: fits.Header = hdus[plane.hdu].header
    headers = [header, hdus[0].header]
    wcs = celestial_wcs(header)
    name = shown[: -len(_suffix(shown))]
    known: dict[str, Any] = {
        "image_id": quote(name if alone else f"{name}/{plane.name or plane.hdu}", safe="/+.~-_"),
        "path": shown,
        "stamp": stamp,
        "image_hdu": plane.hdu,
        "mask_hdu": _beside(plane, "mask", planes),
        "weight_hdu": _beside(plane, "weight", planes),
        "naxis1": plane.shape[0],
        "naxis2": plane.shape[1],
        "footprint": footprint(wcs, *plane.shape),
        "linear": linear_terms(wcs),
        "observation": observation(headers, Path(shown).name),
        "header": wcs_text(header),
    }
    return lambda checksum: ImageRecord(**known, checksum=checksum)


def _suffix(name: str) -> str:
    return next(suffix for suffix in sorted(SUFFIXES, key=len, reverse=True) if name.lower().endswith(suffix))
