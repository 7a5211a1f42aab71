"""Random valid ADQL over the small release, drawn from the grammar with the kinds of its values in mind."""

from __future__ import annotations

from hypothesis import strategies as st

_SOME = "id BETWEEN 0 AND 9"
_NUMBERS = ["s.id", "s.flags", "s.mag_g", "s.mag_r", "s.ra", "s.dec", 's."Size"', "e.z", "e.id"]
_INTEGERS = ["s.id", "s.flags", 's."Size"', "e.id", "3", "-2", "0"]
_LITERALS = ["1", "0", "-2", "2.5", ".5", "1e1", "+7", "40"]
_FUNCTIONS = ["ABS", "FLOOR", "CEILING", "Round", "degrees", "SIN"]
_DEGREES, _LATITUDES = st.integers(0, 359), st.integers(-90, 90)
_TEXTS = ["s.name", "e.bands", "'A'", "'it''s'", "'x' 'y'"]
_FROM = [
    f"(SELECT * FROM stars WHERE {_SOME}) AS s JOIN extra AS e ON s.id = e.id",
    f"(SELECT * FROM stars WHERE {_SOME}) s LEFT OUTER JOIN extra e ON e.id = s.id AND e.z > 1",
    f"extra e RIGHT JOIN (SELECT * FROM stars WHERE {_SOME}) AS s ON e.id = s.id",
    f"(SELECT * FROM stars WHERE {_SOME}) AS s, sim1.extra AS e",
    f"((SELECT * FROM stars WHERE {_SOME}) AS s JOIN extra AS e ON s.id < e.id)",
]


def _numbers(depth: int) -> st.SearchStrategy[str]:
    leaves = st.sampled_from(_NUMBERS + _LITERALS)
    if depth == 0:
        return leaves
    inner = _numbers(depth - 1)
    return st.one_of(
        leaves,
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), inner),
        st.builds(
            "{}({})".format, st.sampled_from(["ABS", "FLOOR", "CEILING", "Round", "degrees", "SIN"]), inner
        ),
        st.builds("MOD({}, 7)".format, st.sampled_from(_INTEGERS)),
        st.builds("({} / {})".format, st.sampled_from(_INTEGERS), st.sampled_from(_INTEGERS)),
        st.builds("bit_and({}, {})".format, st.sampled_from(_INTEGERS), st.sampled_from(_INTEGERS)),
        st.builds("COALESCE({}, {}, 0)".format, inner, inner),
        st.builds("CAST({} AS DOUBLE PRECISION)".format, inner),
        st.builds("CASE WHEN {} THEN {} ELSE {} END".format, _conditions(depth - 1), inner, inner),
        st.builds(
            "IN_UNIT(s.{}, '{}')".format, st.sampled_from(["ra", "dec"]), st.sampled_from(["rad", "arcsec"])
        ),
        st.builds(
            "CONTAINS(POINT(s.ra, s.dec), CIRCLE({}, {}, 90))".format,
            st.integers(0, 359),
            st.integers(-90, 90),
        ),
        st.builds("DISTANCE(s.ra, s.dec, {}, {})".format, _DEGREES, _LATITUDES),
    )


def _texts(depth: int) -> st.SearchStrategy[str]:
    leaves = st.sampled_from(_TEXTS)
    if depth == 0:
        return leaves
    inner = _texts(depth - 1)
    return st.one_of(
        leaves,
        st.builds("{}({})".format, st.sampled_from(["LOWER", "upper"]), inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("COALESCE({}, 'none')".format, inner),
        st.builds("CAST({} AS VARCHAR)".format, st.sampled_from(_INTEGERS[:4])),
    )


_SIGNS = st.sampled_from(["=", "<>", "!=", "<", "<=", ">", ">="])
_WHOLE = st.sampled_from(
    [
        "s.id IN (SELECT id FROM extra WHERE z > 2)",
        "e.id NOT IN (SELECT flags FROM stars WHERE flags = 3)",
        "EXISTS (SELECT * FROM extra AS x WHERE x.id = s.id AND x.z > 1)",
        "NOT EXISTS (SELECT 1 FROM extra AS x WHERE x.id = s.flags AND x.bands IS NULL)",
        "s.mag_g IS NULL",
        "e.z IS NOT NULL",
        "e.seen > '2020-06-01'",
        "e.good = 1",
    ]
)


def _conditions(depth: int) -> st.SearchStrategy[str]:
    number, text = _numbers(max(depth - 1, 0)), _texts(max(depth - 1, 0))
    between, among = st.sampled_from(["BETWEEN", "NOT BETWEEN"]), st.sampled_from(["IN", "NOT IN"])
    leaves = st.one_of(
        _WHOLE,
        st.builds("{} {} {}".format, number, _SIGNS, number),
        st.builds("{} {} {}".format, st.sampled_from(_TEXTS), _SIGNS, st.sampled_from(_TEXTS)),
        st.builds("{} {} {} AND {}".format, number, between, number, number),
        st.builds("{} {} ({}, 3, {})".format, number, among, number, number),
        st.builds("{} {} 'A%'".format, text, st.sampled_from(["LIKE", "NOT LIKE", "ILIKE"])),
    )
    if depth == 0:
        return leaves
    inner = _conditions(depth - 1)
    return st.one_of(
        leaves,
        st.builds("({} {} {})".format, inner, st.sampled_from(["AND", "OR"]), inner),
        st.builds("NOT ({})".format, inner),
    )


@st.composite
def _selects(draw: st.DrawFn, kinds: str) -> str:
    """A SELECT whose columns are numbers (n) and texts (t)."""
    items = [draw(_numbers(2) if kind == "n" else _texts(2)) for kind in kinds]
    named = ", ".join(f"{item} AS c{i}" for i, item in enumerate(items))
    quantifier = draw(st.sampled_from(["", "ALL ", "DISTINCT "]))
    where = draw(st.one_of(st.just(""), st.builds(" WHERE {}".format, _conditions(2))))
    return f"SELECT {quantifier}{named} FROM {draw(st.sampled_from(_FROM))}{where}"


@st.composite
def _grouped(draw: st.DrawFn) -> str:
    """A query of groups."""
    keys = draw(st.lists(st.sampled_from(["s.flags", "e.id", "s.name"]), min_size=1, max_size=2, unique=True))
    values = draw(
        st.lists(
            st.builds(
                "{}({})".format,
                st.sampled_from(["COUNT", "COUNT", "MIN", "MAX", "SUM", "AVG", "COUNT"]),
                st.sampled_from(["s.id", "s.mag_g", "e.z", "DISTINCT s.flags"]),
            ),
            min_size=1,
            max_size=3,
        )
    )
    having = draw(st.sampled_from(["", " HAVING COUNT(*) > 1", " HAVING NOT MAX(s.id) < 3"]))
    listed = ", ".join(keys)
    return (
        f"SELECT {listed}, {', '.join(values)} FROM {draw(st.sampled_from(_FROM))} GROUP BY {listed}{having}"
    )


_FORMS = [
    "{0}",
    "{0} {1} {2}",
    "({0}) {1} ({2})",
    "{3}",
    "WITH w AS ({0}) SELECT * FROM w",
    "SELECT COUNT(*), MIN(q.c0) FROM ({0}) AS q",
]


@st.composite
def queries(draw: st.DrawFn) -> str:
    """A whole query: a SELECT, groups, set operators, WITH, or a sub-query of FROM."""
    kinds = draw(st.sampled_from(["n", "t", "nt", "nn"]))
    one, other = draw(_selects(kinds)), draw(_selects(kinds))
    operator = draw(st.sampled_from(["UNION", "UNION ALL", "EXCEPT", "INTERSECT"]))
    form = draw(st.sampled_from(_FORMS))
    return form.format(one, operator, other, draw(_grouped()))
