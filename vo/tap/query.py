"""The parameters of a TAP query (TAP 1.1, 2.7), judged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from vo import formats
from vo.config import Config
from vo.dali import Params
from vo.delivery import maxrec_of
from vo.errors import TooLargeError, UsageError
from vo.formats import Format
from vo.uploads import Upload, parse_uploads

_LANGUAGE = re.compile(r"ADQL(-2\.[01])?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TapQuery:
    """What a client asks for: the ADQL, the format of the answer, and how many rows at the most."""

    query: str
    format: Format
    maxrec: int
    uploads: tuple[Upload, ...] = ()

    @classmethod
    def from_params(cls, params: Params, config: Config) -> Self:
        """Read and judge the parameters; others than those of TAP are ignored (TAP 1.1, 2.7)."""
        _check_language(params.single("LANG"))
        return cls(
            query=_query(params.single("QUERY"), config.query_bytes),
            format=formats.find(_response_format(params)),
            uploads=parse_uploads(params.all("UPLOAD"), config),
            maxrec=maxrec_of(params, config),
        )


def _check_language(language: str | None) -> None:
    """LANG may be missing, as ADQL is all we speak; an unknown one is refused (TAP 1.1, 2.7.1)."""
    if language is not None and not _LANGUAGE.match(language.strip()):
        raise UsageError(
            f"LANG: unknown query language {language[:40]!r}.", hint="Send LANG=ADQL or LANG=ADQL-2.1."
        )


def _query(query: str | None, limit: int) -> str:
    if query is None or not query.strip():
        raise UsageError("QUERY is missing.", hint="Send an ADQL query as the parameter QUERY.")
    if len(query.encode()) > limit:
        raise TooLargeError(
            f"QUERY has {len(query.encode()):,} bytes and may have {limit:,}.",
            hint="Put long lists of values into a table and join with it.",
        )
    return query


def _response_format(params: Params) -> str | None:
    """RESPONSEFORMAT or FORMAT, which are equals (TAP 1.1, 2.7.3)."""
    modern, old = params.single("RESPONSEFORMAT"), params.single("FORMAT")
    if modern and old and formats.find(modern) != formats.find(old):
        raise UsageError("RESPONSEFORMAT and FORMAT ask for different formats.", hint="Send one of them.")
    return modern or old
