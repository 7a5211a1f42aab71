"""In which form /tap/check and /tap/plan answer: RESPONSEFORMAT decides, else the header Accept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from starlette.requests import Request

from vo import formats
from vo.dali import VOTABLE_TYPE, Params, accepted_form, error_as
from vo.errors import UsageError

Answer = tuple[int, str, bytes]
"""HTTP status, media type and body."""

_MEDIA_TYPES: Mapping[str, str] = {
    VOTABLE_TYPE: "votable",
    "application/json": "json",
    "text/plain": "text",
    "text/html": "html",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: the parameters of the query alone, and the form of the answer."""

    params: Params
    form: str

    @classmethod
    def of(cls, request: Request, params: Params, offered: tuple[str, ...]) -> Self:
        """Take RESPONSEFORMAT out of `params`; of the forms `offered` the first is the default."""
        name = params.single("RESPONSEFORMAT") or params.single("FORMAT") or ""
        query = params.without("RESPONSEFORMAT", "FORMAT")
        form = _MEDIA_TYPES.get(name.strip().lower(), name.strip().lower())
        if form not in offered:
            _judge(name, offered)
            accepted = accepted_form(request)
            form = accepted if accepted in offered else offered[0]
        return cls(query, form)

    def error(self, error: UsageError) -> Answer:
        """What is wrong with the request, in the same form."""
        return error.status, *error_as(self.form, error)


def _judge(name: str, offered: tuple[str, ...]) -> None:
    """Refuse a format that means nothing; that of a result may stay when a query is sent here instead."""
    try:
        formats.find(name)
    except UsageError as error:
        raise UsageError(f"RESPONSEFORMAT is one of {', '.join(offered)}, not {name[:40]!r}.") from error
