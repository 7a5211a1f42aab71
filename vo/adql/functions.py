"""The functions of the language: one table of names, arguments, results and units (ADQL 2.1, 2.3 and 4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from vo.adql.kinds import ANYTHING, NUMBERS, ORDERED, REGIONS, SHAPES, WORDS, Kind

Units = Literal["keep", "none", "rad", "deg", "deg**2", "power"]
"""The unit of a result: that of the first argument, none, one unit always, or a power."""

_KINDS: Mapping[str, frozenset[Kind]] = {
    "number": NUMBERS,
    "integer": frozenset({Kind.INTEGER}),
    "text": WORDS,
    "ordered": ORDERED,
    "any": ANYTHING,
    "point": frozenset({Kind.POINT}),
    "region": REGIONS,
    "shape": SHAPES,
    "time": frozenset({Kind.TIME}),
    "MOC": frozenset({Kind.MOC}),
}


@dataclass(frozen=True, slots=True)
class Function:
    """A function: `signatures` name the kinds of its arguments, "…" repeats the last pair or single.

    `result` is a datatype of VOTable, `same` (as the first argument) or a shape. `literal` are the places
    of arguments that the grammar wants as literals. `feature` is the TAPRegExt type that declares it.
    """

    name: str
    signatures: tuple[tuple[str, ...], ...]
    result: str
    units: Units = "none"
    aggregate: bool = False
    literal: tuple[int, ...] = ()
    coosys: bool = False
    feature: str | None = None
    forms: tuple[str, ...] = ()
    description: str | None = None

    def accepts(self, count: int) -> bool:
        """Whether any signature takes that many arguments."""
        return any(
            count == len(names) or (names[-1:] == ("…",) and count >= len(names) - 1)
            for names in self.signatures
        )

    def misfits(self, kinds: list[Kind]) -> list[tuple[int, str]]:
        """The arguments (place, what is wanted) that fit the nearest signature not; empty if all fit."""
        found = [list(_misfits(names, kinds)) for names in self.signatures if _fits_count(names, len(kinds))]
        return min(found, key=len, default=[])

    @property
    def usage(self) -> str:
        """How the function is called, for messages.

        >>> FUNCTIONS["CIRCLE"].usage
        'CIRCLE(number, number, number) or CIRCLE(point, number)'
        """
        return " or ".join(f"{self.name}({', '.join(names)})" for names in self.signatures)


def _fits_count(names: tuple[str, ...], count: int) -> bool:
    return count == len(names) or (names[-1:] == ("…",) and count >= len(names) - 1)


def _misfits(names: tuple[str, ...], kinds: list[Kind]) -> Iterator[tuple[int, str]]:
    wanted = [name for name in names if name != "…"]
    for place, kind in enumerate(kinds):
        name = wanted[min(place, len(wanted) - 1)]
        if kind is not Kind.NULL and kind not in _KINDS[name]:
            yield place, name


_N = ("number",)
_NN = ("number", "number")
_GEO = "ivo://ivoa.net/std/tapregext#features-adqlgeo"
_UDF = "ivo://ivoa.net/std/tapregext#features-udf"
_STRING = "ivo://ivoa.net/std/tapregext#features-adql-string"
_CONDITIONAL = "ivo://ivoa.net/std/tapregext#features-adql-conditional"
_UNIT = "ivo://ivoa.net/std/tapregext#features-adql-unit"


def _user_defined(
    name: str,
    signatures: tuple[tuple[str, ...], ...],
    result: str,
    forms: tuple[str, ...],
    description: str,
    *,
    aggregate: bool = False,
    literal: tuple[int, ...] = (),
) -> Function:
    """A function of the catalogue of user-defined functions (IVOA Endorsed Note 1.2)."""
    return Function(
        name.upper(),
        signatures,
        result,
        aggregate=aggregate,
        literal=literal,
        feature=_UDF,
        forms=forms,
        description=description,
    )


_MATH = (
    Function("ABS", (_N,), "same", "keep"),
    Function("CEILING", (_N,), "same", "keep"),
    Function("DEGREES", (_N,), "double", "deg"),
    Function("EXP", (_N,), "double"),
    Function("FLOOR", (_N,), "same", "keep"),
    Function("LOG", (_N,), "double"),
    Function("LOG10", (_N,), "double"),
    Function("MOD", (_NN,), "same", "keep"),
    Function("PI", ((),), "double"),
    Function("POWER", (_NN,), "double", "power"),
    Function("RADIANS", (_N,), "double", "rad"),
    Function("RAND", ((), ("integer",)), "double", literal=(0,)),
    Function("ROUND", (_N, ("number", "integer")), "same", "keep", literal=(1,)),
    Function("SQRT", (_N,), "double", "power"),
    Function("TRUNCATE", (_N, ("number", "integer")), "same", "keep", literal=(1,)),
)
_TRIGONOMETRY = (
    *(Function(name, (_N,), "double", "rad") for name in ("ACOS", "ASIN", "ATAN")),
    Function("ATAN2", (_NN,), "double", "rad"),
    *(Function(name, (_N,), "double") for name in ("COS", "COT", "SIN", "TAN")),
)
_AGGREGATES = (
    Function("COUNT", (("any",),), "long", aggregate=True),
    Function("AVG", (_N,), "double", "keep", aggregate=True),
    Function("SUM", (_N,), "sum", "keep", aggregate=True),
    Function("MIN", (("ordered",),), "same", "keep", aggregate=True),
    Function("MAX", (("ordered",),), "same", "keep", aggregate=True),
)
_GEOMETRY = (
    Function("POINT", (_NN,), "point", coosys=True, feature=_GEO),
    Function("CIRCLE", (("number",) * 3, ("point", "number")), "circle", coosys=True, feature=_GEO),
    Function(
        "POLYGON", (("number",) * 6 + ("…",), ("point",) * 3 + ("…",)), "polygon", coosys=True, feature=_GEO
    ),
    Function("BOX", (("number",) * 4, ("point", "number", "number")), "polygon", coosys=True, feature=_GEO),
    Function("REGION", (("text",),), "region", literal=(0,), feature=_GEO),
    Function("INTERSECTS", (("shape", "shape"), ("shape", "MOC"), ("MOC", "shape")), "int", feature=_GEO),
    Function("AREA", (("shape",), ("MOC",)), "double", "deg**2", feature=_GEO),
    Function("CENTROID", (("shape",),), "point", feature=_GEO),
    Function("COORDSYS", (("shape",),), "text", feature=_GEO),
    Function("CONTAINS", (("shape", "region"), ("shape", "MOC")), "int", feature=_GEO),
    Function("DISTANCE", (("point", "point"), ("number",) * 4), "double", "deg", feature=_GEO),
    Function("COORD1", (("point",),), "double", "deg", feature=_GEO),
    Function("COORD2", (("point",),), "double", "deg", feature=_GEO),
)
_OPTIONAL = (
    Function("LOWER", (("text",),), "same", "keep", feature=_STRING),
    Function("UPPER", (("text",),), "same", "keep", feature=_STRING),
    Function("COALESCE", (("any", "…"),), "common", "keep", feature=_CONDITIONAL),
    Function("IN_UNIT", (("number", "text"),), "double", literal=(1,), feature=_UNIT),
)
_STAR = ", ".join(
    f"{name} DOUBLE"
    for name in ("ra", "dec", "parallax", "pmra", "pmdec", "radial_velocity", "ref_epoch", "out_epoch")
)
_HEALPIX = "ivo_healpix_index(hpxOrder INTEGER, long DOUBLE, lat DOUBLE) -> BIGINT"
_HEALPIX_OF_POINT = "ivo_healpix_index(hpxOrder INTEGER, p POINT) -> BIGINT"
_USER_DEFINED = (
    *(
        _user_defined(
            f"bit_{name}",
            (("integer", "integer"),),
            "long",
            (f"bit_{name}(a BIGINT, b BIGINT) -> BIGINT",),
            f"The bits of a {name} b, in 64 of them.",
        )
        for name in ("and", "or", "xor")
    ),
    _user_defined(
        "bit_not",
        (("integer",),),
        "long",
        ("bit_not(a BIGINT) -> BIGINT",),
        "The 64 bits of a, each the other way.",
    ),
    _user_defined(
        "ivo_healpix_index",
        (("integer", "number", "number"), ("integer", "point")),
        "long",
        (_HEALPIX, _HEALPIX_OF_POINT),
        "Number of the HEALPix cell (nested) that holds a position; stored for the main positions of tables.",
    ),
    _user_defined(
        "ivo_healpix_center",
        (("integer", "integer"),),
        "point",
        ("ivo_healpix_center(hpxOrder INTEGER, hpxIndex BIGINT) -> POINT",),
        "Centre of a HEALPix cell (nested).",
    ),
    _user_defined(
        "ivo_epoch_prop_pos",
        (("number",) * 8,),
        "point",
        (f"ivo_epoch_prop_pos({_STAR}) -> POINT",),
        "Position at out_epoch of an object in straight motion; arguments in deg, mas, mas/yr (in longitude "
        "with cos lat), km/s and Julian years.",
    ),
    _user_defined(
        "ivo_epoch_prop",
        (("number",) * 8,),
        "array",
        (f"ivo_epoch_prop({_STAR}) -> DOUBLE[6]",),
        "The six parameters at out_epoch of an object in straight motion, as for ivo_epoch_prop_pos.",
    ),
    _user_defined(
        "ivo_geom_transform",
        (("text", "text", "shape"),),
        "same",
        tuple(
            f"ivo_geom_transform(from_sys VARCHAR, to_sys VARCHAR, geo {shape}) -> {shape}"
            for shape in ("POINT", "CIRCLE", "POLYGON")
        ),
        "A shape in another frame, by a rotation; ICRS, FK5, FK4, GALACTIC, SUPER_GALACTIC or ECLIPTIC.",
        literal=(0, 1),
    ),
    _user_defined(
        "ivo_to_mjd",
        (("time",), ("text",)),
        "double",
        ("ivo_to_mjd(d TIMESTAMP) -> DOUBLE",),
        "Modified Julian date of a timestamp, or of a string in the form of DALI.",
    ),
    _user_defined(
        "ivo_to_jd",
        (("time",), ("text",)),
        "double",
        ("ivo_to_jd(d TIMESTAMP) -> DOUBLE",),
        "Julian date of a timestamp, or of a string in the form of DALI.",
    ),
    _user_defined(
        "ivo_nocasematch",
        (("text", "text"),),
        "int",
        ("ivo_nocasematch(value VARCHAR, pattern VARCHAR) -> INTEGER",),
        "1 if the value is LIKE the pattern in any case of letters, else 0.",
    ),
    _user_defined(
        "ivo_hasword",
        (("text", "text"),),
        "int",
        ("ivo_hasword(haystack VARCHAR, needle VARCHAR) -> INTEGER",),
        "1 if every word of the needle is one of the haystack in any case of letters, else 0.",
    ),
    _user_defined(
        "ivo_hashlist_has",
        (("text", "text"),),
        "int",
        ("ivo_hashlist_has(hashlist VARCHAR, item VARCHAR) -> INTEGER",),
        "1 if the item is in a list of items joined by #, in any case of letters, else 0.",
    ),
    _user_defined(
        "ivo_interval_overlaps",
        (("number",) * 4,),
        "int",
        ("ivo_interval_overlaps(l1 DOUBLE, h1 DOUBLE, l2 DOUBLE, h2 DOUBLE) -> INTEGER",),
        "1 if the intervals from l1 to h1 and from l2 to h2 meet, else 0.",
    ),
    _user_defined(
        "ivo_string_agg",
        (("text", "text"),),
        "text",
        ("ivo_string_agg(expression VARCHAR, delimiter VARCHAR) -> VARCHAR",),
        "The strings of a group joined by the delimiter, in no certain order.",
        aggregate=True,
    ),
    _user_defined(
        "ivo_histogram",
        (("number", "number", "number", "integer"),),
        "array",
        ("ivo_histogram(val DOUBLE, lower DOUBLE, upper DOUBLE, nbins INTEGER) -> BIGINT[]",),
        "How many values of a group are below lower, in each of nbins equal bins, and above upper.",
        aggregate=True,
    ),
    _user_defined(
        "ivo_normal_random",
        (_NN,),
        "double",
        ("ivo_normal_random(mu DOUBLE, sigma DOUBLE) -> DOUBLE",),
        "A random number of the normal distribution.",
    ),
    _user_defined(
        "MOC",
        (("text",), ("integer", "shape")),
        "moc",
        ("MOC(moc VARCHAR) -> MOC", "MOC(maxOrder INTEGER, geo REGION) -> MOC"),
        "A multi-order coverage map for CONTAINS, INTERSECTS and AREA: in writing, such as 6/1,2 7/40-45, "
        "or the HEALPix cells of an order that have some of a shape in numbers in them.",
        literal=(0,),
    ),
    _user_defined(
        "ivo_hms_to_degrees",
        (("text",),),
        "double",
        ("ivo_hms_to_degrees(hms VARCHAR) -> DOUBLE",),
        "Degrees of an angle written as h:m:s, hHmMsS or hhmmss.",
    ),
    _user_defined(
        "ivo_dms_to_degrees",
        (("text",),),
        "double",
        ("ivo_dms_to_degrees(dms VARCHAR) -> DOUBLE",),
        "Degrees of an angle written as d:m:s, dDmMsS or ddmmss.",
    ),
)

FUNCTIONS: Mapping[str, Function] = {
    function.name: function
    for function in (*_MATH, *_TRIGONOMETRY, *_AGGREGATES, *_GEOMETRY, *_OPTIONAL, *_USER_DEFINED)
}
"""Every function that a query may call, by its name in capitals."""

HEAVY = frozenset(
    name
    for name, function in FUNCTIONS.items()
    if function.feature in (_GEO, _UDF) and not name.startswith("BIT_")
) - {"POINT", "CIRCLE", "POLYGON", "REGION", "COORDSYS"}
"""Functions whose SQL repeats their arguments: inside each other they grow like powers."""
