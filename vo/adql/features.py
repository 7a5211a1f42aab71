"""The optional features of ADQL that this service offers (ADQL 2.1, 4.1): declared here, or refused."""

from __future__ import annotations

from dataclasses import dataclass

from vo.adql.functions import FUNCTIONS


@dataclass(frozen=True, slots=True)
class Feature:
    """One entry of `languageFeatures` (TAPRegExt 1.0, 2.3): its type, its form, and words for people."""

    type: str
    form: str
    description: str | None = None


_BASE = "ivo://ivoa.net/std/tapregext#features-"

_LANGUAGE = (
    Feature(f"{_BASE}adql-string", "ILIKE", "LIKE in any case of letters."),
    Feature(f"{_BASE}adql-common-table", "WITH", "Common table expressions, not recursive."),
    Feature(f"{_BASE}adql-sets", "UNION", "With ALL as well."),
    Feature(f"{_BASE}adql-sets", "EXCEPT", "With ALL as well."),
    Feature(f"{_BASE}adql-sets", "INTERSECT", "With ALL as well; binds tighter than the others."),
    Feature(f"{_BASE}adql-type", "CAST"),
    Feature(f"{_BASE}adql-offset", "OFFSET"),
)
_OF_FUNCTIONS = tuple(
    Feature(function.feature, form, function.description)
    for function in FUNCTIONS.values()
    if function.feature
    for form in (function.forms or (function.name,))
)

FEATURES: tuple[Feature, ...] = tuple(sorted((*_LANGUAGE, *_OF_FUNCTIONS), key=lambda item: item.type))
"""What the capabilities document declares; the parser takes no optional feature that is not here."""

OFFERED = frozenset(feature.form for feature in FEATURES)
