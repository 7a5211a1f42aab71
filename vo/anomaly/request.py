"""The parameters of a run, judged: what is read, what grows from it, and which objects count as anomalies."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self, TypeVar

from vo import formats
from vo.anomaly.features import Feature, parsed_features, parsed_names, parsed_weight
from vo.catalog import nearest
from vo.config import Config
from vo.dali import Params
from vo.delivery import maxrec_of
from vo.errors import TooLargeError, UsageError
from vo.forest.preparation import Missing, Scaling
from vo.forest.settings import Settings
from vo.formats import Format
from vo.literals import number
from vo.uploads import SCHEMA, Upload, parse_uploads

DEFAULT_TOP = 100
FULL = "full"
USUAL = Settings()
"""What a forest is like when nothing is said of it."""

USUAL_SCALING, USUAL_MISSING = Scaling.STANDARD, Missing.MEDIAN

_Word = TypeVar("_Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Cut:
    """Which objects are anomalies: the `top` ones, or those of score `threshold` at least, or a share."""

    top: int | None = None
    threshold: float | None = None
    contamination: float | None = None

    @classmethod
    def from_params(cls, params: Params) -> Self:
        """At most one of TOP, THRESHOLD and CONTAMINATION; none: TOP of a hundred."""
        given = [name for name in ("TOP", "THRESHOLD", "CONTAMINATION") if params.all(name)]
        if len(given) > 1:
            raise UsageError(f"{given[0]} and {given[1]} exclude each other.", hint="Send one of them.")
        top = params.integer("TOP", minimum=1)
        threshold = _share(params, "THRESHOLD", "a score between 0 and 1")
        contamination = _share(params, "CONTAMINATION", "a share between 0 and 1")
        return cls(top if given else DEFAULT_TOP, threshold, contamination)

    def count(self, rows: int, at_least: int) -> int:
        """How many of `rows` scored objects are anomalies, of which `at_least` many reach `threshold`."""
        if self.threshold is not None:
            return at_least
        if self.contamination is not None:
            return math.ceil(self.contamination * rows)
        return min(self.top or 0, rows)


@dataclass(frozen=True, slots=True)
class Policies:
    """What is done where a value is missing: for all features, or for some by their names in lower case."""

    general: Missing = USUAL_MISSING
    single: Mapping[str, Missing] = field(default_factory=dict)

    @classmethod
    def from_params(cls, params: Params) -> Self:
        """MISSING=policy for all features, MISSING=feature:policy for one; repeated or in a list."""
        general, single = USUAL_MISSING, dict[str, Missing]()
        for item in (item.strip() for value in params.all("MISSING") for item in value.split(",")):
            name, colon, policy = item.rpartition(":")
            if colon:
                single[name.strip().lower()] = _word(policy, "MISSING", Missing)
            elif item:
                general = _word(item, "MISSING", Missing)
        return cls(general, single)

    def of(self, features: Sequence[str]) -> tuple[Missing, ...]:
        """The policy of each feature; one that is none of them is an error."""
        known = [name.lower() for name in features]
        for name in self.single:
            if name not in known:
                raise UsageError(f"MISSING: there is no feature {name[:60]!r}.")
        return tuple(self.single.get(name, self.general) for name in known)


@dataclass(frozen=True, slots=True)
class AnomalyRequest:
    """What a client asks for; `model` is that of an earlier run, in place of a forest that grows now.

    `weight` is how much a row counts when rows are drawn for trees; None: all for the same.
    """

    query: str
    features: tuple[Feature, ...]
    ids: tuple[str, ...]
    settings: Settings
    scaling: Scaling
    missing: Policies
    cut: Cut
    format: Format
    maxrec: int
    uploads: tuple[Upload, ...] = ()
    model: str | None = None
    weight: Feature | None = None

    @classmethod
    def from_params(cls, params: Params, config: Config) -> Self:
        """Read and judge the parameters; others are ignored."""
        uploads = parse_uploads(params.all("UPLOAD"), config)
        model, weight = params.single("MODEL"), parsed_weight(params.single("WEIGHT"))
        if weight and model and model.strip():
            raise UsageError("WEIGHT and MODEL exclude each other.", hint="A kept model does not grow again.")
        return cls(
            query=_query(params.single("QUERY"), uploads, config.query_bytes),
            features=parsed_features(params.all("FEATURES")),
            ids=parsed_names(params.all("ID"), "ID"),
            settings=_settings(params),
            scaling=_word(params.single("SCALING") or USUAL_SCALING, "SCALING", Scaling),
            missing=Policies.from_params(params),
            cut=Cut.from_params(params),
            format=formats.find(params.single("RESPONSEFORMAT")),
            maxrec=maxrec_of(params, config),
            uploads=uploads,
            model=model.strip() if model and model.strip() else None,
            weight=weight,
        )


def _query(query: str | None, uploads: Sequence[Upload], limit: int) -> str:
    """QUERY; without it, all of the one table that comes along."""
    if query is not None and query.strip():
        if len(query.encode()) > limit:
            raise TooLargeError(f"QUERY has {len(query.encode()):,} bytes and may have {limit:,}.")
        return query
    if len(uploads) == 1:
        return f"SELECT * FROM {SCHEMA}.{uploads[0].name}"  # noqa: S608  a judged name
    raise UsageError(
        "QUERY is missing.", hint="Send an ADQL query as QUERY, or one table: UPLOAD=mine,param:file1."
    )


def _settings(params: Params) -> Settings:
    """The forest that is asked for; what needs the data to be judged is judged when they are there."""
    extension = (params.single("EXTENSION") or FULL).strip().lower()
    given = {name: params.integer(name.upper()) for name in ("ntrees", "sample_size", "depth_limit", "seed")}
    if extension != FULL:
        given["extension"] = params.integer("EXTENSION")
    return replace(USUAL, **{name: value for name, value in given.items() if value is not None})


def _share(params: Params, name: str, what: str) -> float | None:
    text = params.single(name)
    if text is None:
        return None
    value = number(text, name)
    if not 0 < value < 1:
        raise UsageError(f"{name} must be {what}, but is {value:g}.")
    return value


def _word(text: str, name: str, known: type[_Word]) -> _Word:
    try:
        return known(text.strip().lower())
    except ValueError:
        close = nearest(text, list(known), 1)
        hint = f"Did you mean {close[0]}?" if close else f"Known are {', '.join(known)}."
        raise UsageError(f"{name} cannot be {text[:40]!r}.", hint=hint) from None
