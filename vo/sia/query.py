"""The parameters of an image search (SIA 2.0, 2.1), judged, and the ADQL that they become."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from vo import formats
from vo.config import Config
from vo.dali import Params
from vo.delivery import maxrec_of
from vo.errors import UsageError
from vo.formats import Format
from vo.sia.parameters import PARAMETERS


@dataclass(frozen=True, slots=True)
class ImageSearch:
    """Images that meet all of `conditions`, which are ADQL."""

    conditions: tuple[str, ...]
    format: Format
    maxrec: int

    @classmethod
    def from_params(cls, params: Params, config: Config) -> Self:
        """Read and judge the parameters; those that no standard names are ignored (DALI 1.1, 2.1)."""
        if params.all("UPLOAD"):
            raise UsageError("UPLOAD is not supported.", hint="Repeat POS to search at many places.")
        return cls(
            tuple(_conditions(params)),
            format=formats.find(params.single("RESPONSEFORMAT")),
            maxrec=maxrec_of(params, config),
        )

    @property
    def adql(self) -> str:
        """The query, made of nothing but our own words, numbers, and literals."""
        where = f" WHERE {' AND '.join(self.conditions)}" if self.conditions else ""
        return f"SELECT * FROM ivoa.obscore{where}"  # noqa: S608  texts of the client are escaped literals


def _conditions(params: Params) -> Iterator[str]:
    """One condition a parameter, its values being alternatives."""
    for parameter in PARAMETERS:
        values = dict.fromkeys(params.all(parameter.name))
        if values:
            each = (f"({parameter.condition(parameter.name, value)})" for value in values)
            yield f"({' OR '.join(each)})"
