"""The words of cutouts by themselves: bands, ranges of bytes, archives, names; for any input."""

from __future__ import annotations

import io
import math
import string
import tarfile
import zipfile
from contextlib import suppress
from datetime import UTC, datetime

import astropy.units as u
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from vo.cutout.archive import ARCHIVES, Entry
from vo.cutout.files import designation
from vo.cutout.options import NAMES, SYSTEM, Options, bands_named
from vo.errors import UsageError
from vo.uws.conditional import part_of

KNOWN = ("g", "r", "i", "VR", "z", "Y")
TOLD = {"etag": '"1"', "last-modified": "Mon, 01 Jan 2024 00:00:00 GMT"}


@given(st.text(string.printable, max_size=30))
def test_any_text_is_bands_or_refused(text: str) -> None:
    """What comes out are bands that there are, each once; all else is an error for clients."""
    found: tuple[str, ...] = ()
    with suppress(UsageError):
        found = bands_named(text, KNOWN)
    assert set(found) <= set(KNOWN)
    assert len(set(found)) == len(found)


@given(st.lists(st.sampled_from(KNOWN), unique=True), st.sampled_from([" ", ",", "; ", ", "]))
def test_bands_apart_are_read_back(bands: list[str], separator: str) -> None:
    """In their order, whatever separates them."""
    assert bands_named(separator.join(bands), KNOWN) == tuple(bands)


OPTION_TEXTS = st.sampled_from(["", "g", "1", "true", "false", "gri;riz", "12", "nan", "0", "png", "x\x00"])


@given(st.lists(st.dictionaries(st.sampled_from(sorted(NAMES)), OPTION_TEXTS, max_size=5), max_size=3))
def test_any_options_are_judged(levels: list[dict[str, str]]) -> None:
    """Sizes within the limits and known bands come out, or an error that a client understands."""
    options = None
    with suppress(UsageError):
        options = Options.from_levels(KNOWN, SYSTEM, *levels)
    if options is not None:
        assert 0.1 <= min(options.width, options.height) <= max(options.width, options.height) <= 12
        assert options.products
        assert {band for product in options.products for band in product.bands} <= set(KNOWN)


@given(st.integers(1, 50), st.integers(0, 60), st.integers(0, 60), st.binary(min_size=50, max_size=50))
def test_ranges_are_those_of_the_bytes(size: int, first: int, last: int, content: bytes) -> None:
    """Each of the three forms, taken block by block, is the slice that it says."""
    whole = content[:size]
    for text, expected in (
        (f"bytes={first}-{last}", whole[first : last + 1] if first <= last else None),
        (f"bytes={first}-", whole[first:]),
        (f"bytes=-{last}", whole[max(size - last, 0) :]),
    ):
        part = part_of(Headers({"range": text}), TOLD, size)
        if expected is None:
            assert part is None
            continue
        assert part is not None
        blocks = [(whole[place : place + 7], place) for place in range(0, size, 7)]
        assert b"".join(part.of(block, place) for block, place in blocks) == expected
        assert (part.length, part.status) == (len(expected), 206 if expected else 416)


@given(st.text(max_size=30))
def test_a_header_that_is_no_range_is_ignored(text: str) -> None:
    """Whatever it says, it ends in the whole or in a part of it."""
    part = part_of(Headers({"range": text.encode("latin-1", "replace").decode("latin-1")}), TOLD, 10)
    assert part is None or 0 <= part.length <= 10


@pytest.mark.parametrize(
    ("condition", "is_part"), [('"1"', True), (TOLD["last-modified"], True), ('"2"', False)]
)
def test_a_range_of_another_version_is_ignored(condition: str, *, is_part: bool) -> None:
    """If-Range names the tag, or the time, of what the client has a part of."""
    asked = Headers({"range": "bytes=0-1", "if-range": condition})
    assert (part_of(asked, TOLD, 10) is not None) == is_part


@pytest.mark.parametrize("kind", sorted(ARCHIVES))
@given(contents=st.lists(st.lists(st.binary(max_size=2000), max_size=4), max_size=5))
def test_archives_are_read_back(kind: str, contents: list[list[bytes]]) -> None:
    """By Python's own readers, each file with its bytes and in its order."""
    entries = [Entry(f"{'long' * 40}_{i}.fits", tuple(blocks)) for i, blocks in enumerate(contents)]
    packed = b"".join(ARCHIVES[kind][1](iter(entries), datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)))
    expected = [(entry.name, b"".join(entry.blocks)) for entry in entries]
    if kind == "zip":
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            assert archive.testzip() is None
            found = [(name, archive.read(name)) for name in archive.namelist()]
    else:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            files = [(member.name, archive.extractfile(member)) for member in archive]
            found = [(name, file.read()) for name, file in files if file is not None]
    assert found == expected


@given(st.floats(0, 360, exclude_max=True), st.floats(-90, 90))
@example(math.nextafter(360, 0), 0.0)
def test_names_of_positions(ra: float, dec: float) -> None:
    """Read back, a name is less than its last digits away, and never has sixty seconds."""
    name = designation(ra, dec)
    assert len(name) == 19
    back = SkyCoord(
        f"{name[1:3]}h{name[3:5]}m{name[5:10]}s {name[10:13]}d{name[13:15]}m{name[15:]}s", frame="icrs"
    )
    assert float(name[5:10]) < 60 > float(name[15:])
    # 0.15 arcsec a hundredth of a second in right ascension, 0.1 arcsec in declination
    assert back.separation(SkyCoord(ra * u.deg, dec * u.deg)).arcsec < 0.2
