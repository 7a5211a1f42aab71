"""The formats of images that FORMAT asks for (SIA 1.0, 4.1.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from vo.errors import UsageError

FITS = "image/fits"
GRAPHICS = ("image/jpeg", "image/png")
IMAGE_FORMATS = (FITS, *GRAPHICS)
"""What there is of each image."""

ALL, GRAPHIC, METADATA = "ALL", "GRAPHIC", "METADATA"
"""Words of FORMAT that are no media types: every format, pictures, the description of the service."""

_LIST = f"{GRAPHIC}-"
_SETS: Mapping[str, tuple[str, ...]] = {
    ALL: IMAGE_FORMATS,
    GRAPHIC: GRAPHICS,
    f"{_LIST}ALL": GRAPHICS,
    "APPLICATION/FITS": (FITS,),
    "IMAGE/X-FITS": (FITS,),
    "IMAGE/JPG": GRAPHICS[:1],
    **{name.upper(): (name,) for name in IMAGE_FORMATS},
}


def formats_asked(text: str | None) -> tuple[str, ...] | None:
    """Those of IMAGE_FORMATS that are asked for, perhaps none; None: METADATA alone.

    >>> formats_asked("image/fits,GRAPHIC"), formats_asked("GRAPHIC-gif,png,jpeg"), formats_asked("text/html")
    (('image/fits', 'image/jpeg', 'image/png'), ('image/png',), ())
    """
    words = [ALL] if text is None else [word.strip().upper() for word in text.split(",")]
    if METADATA in words:
        return None
    found = {name for word in _plain(words) for name in _SETS.get(word, ())}
    return tuple(name for name in IMAGE_FORMATS if name in found)


def _plain(words: Sequence[str]) -> Iterator[str]:
    """The words, but of a list of pictures (GRAPHIC-…), with which FORMAT ends, the first that there is."""
    for i, word in enumerate(words):
        if word in _SETS or "/" in word:
            yield word
        elif word.startswith(_LIST):
            names = (f"IMAGE/{each}" for each in (word.removeprefix(_LIST), *words[i + 1 :]))
            yield next((name for name in names if name in _SETS), "")
            return
        else:
            raise UsageError(
                f"FORMAT {word[:40]!r} is no media type.",
                hint=f"Send {ALL}, {GRAPHIC}, {METADATA}, or media types such as {FITS}.",
            )
