"""What is said about the columns of a result, and what is declared about the language."""

from __future__ import annotations

import pytest
import sqlglot
from adql.small_release import Release

from vo.adql import FEATURES, Feature, check
from vo.adql.functions import FUNCTIONS
from vo.errors import QueryError

COLUMNS = [
    # expression, name, datatype, unit, ucd
    ("ra", "ra", "double", "deg", "pos.eq.ra;meta.main"),
    ("mag_g AS m", "m", "float", "mag", "phot.mag;em.opt.B"),
    ("MAX(mag_g)", "max_mag_g", "float", "mag", "phot.mag;em.opt.B;stat.max"),
    ("AVG(mag_g)", "avg_mag_g", "double", "mag", "phot.mag;em.opt.B;stat.mean"),
    ("COUNT(*)", "count_all", "long", None, "meta.number"),
    ("SUM(flags)", "sum_flags", "long", None, None),
    ("ABS(MIN(dec))", "col_1", "double", "deg", None),
    ("MIN(mag_g) - MIN(mag_r)", "col_1", "float", "mag", None),
    ("MIN(mag_g) - MIN(ra)", "col_1", "double", None, None),
    ("MIN(ra) + 1", "col_1", "double", "deg", None),
    ("MIN(ra) * MIN(dec)", "col_1", "double", "deg**2", None),
    ("MIN(ra) / MIN(dec)", "col_1", "double", None, None),
    ("SQRT(MIN(ra) * MIN(ra))", "col_1", "double", "deg", None),
    ("POWER(MIN(ra), 2)", "col_1", "double", "deg**2", None),
    ("IN_UNIT(MIN(ra), 'arcsec')", "col_1", "double", "arcsec", None),
    ("SIN(MIN(ra))", "col_1", "double", None, None),
    ("ATAN2(1, 2)", "col_1", "double", "rad", None),
    ("DISTANCE(1, 2, 3, 4)", "col_1", "double", "deg", None),
    ("COALESCE(MAX(mag_g), MAX(mag_r))", "col_1", "float", "mag", None),
    ("COALESCE(MAX(mag_g), MAX(ra))", "col_1", "double", None, None),
    ("COALESCE(0, MAX(mag_g))", "col_1", "double", "mag", "phot.mag;em.opt.B;stat.max"),
    ("CASE WHEN MAX(id) > 1 THEN MAX(mag_g) ELSE -1 END", "col_1", "double", "mag", None),
    ("CASE WHEN MAX(id) > 1 THEN MAX(mag_g) ELSE MAX(ra) END", "col_1", "double", None, None),
    ("CASE WHEN MAX(id) > 1 THEN MAX(ra) ELSE MAX(dec) END", "col_1", "double", "deg", None),
    ("AREA(CIRCLE(MIN(ra), 1, 2))", "col_1", "double", "deg**2", None),
    ("POWER(MIN(ra), 1.5)", "col_1", "double", "deg**(3/2)", None),
    ("POWER(MIN(ra), MIN(dec))", "col_1", "double", None, None),
    ("MIN(ra) / MIN(mag_g) * MIN(mag_r)", "col_1", "double", "deg", None),
    ("1 / MIN(ra)", "col_1", "double", "deg**-1", None),
    ("LOG10(MIN(ra))", "col_1", "double", None, None),
    ("RADIANS(MIN(ra))", "col_1", "double", "rad", None),
    ("IN_UNIT(MIN(ra) * MIN(dec), 'arcsec**2')", "col_1", "double", "arcsec**2", None),
    ("IN_UNIT(MIN(ra) / MIN(mag_g), '10**-3.deg/mag')", "col_1", "double", "10**-3.deg/mag", None),
    ("IN_UNIT(IN_UNIT(MIN(ra), 'mas'), 'arcmin')", "col_1", "double", "arcmin", None),
    ("ivo_to_mjd('2000-01-01')", "col_1", "double", "d", None),
    ("ivo_hms_to_degrees(MIN(name))", "col_1", "double", "deg", None),
    ("ivo_normal_random(MIN(mag_g), 1)", "col_1", "double", "mag", None),
    ("ivo_healpix_index(3, MIN(ra), MIN(dec))", "col_1", "long", None, "pos.healpix"),
    (
        "ivo_geom_transform('ICRS', 'GALACTIC', POINT(MIN(ra), 1))",
        "col_1",
        "double",
        "deg",
        "pos;pos.galactic",
    ),
    ("ivo_histogram(mag_g, 15, 25, 5)", "col_1", "long", None, "meta.number"),
    ("CAST(MAX(ra) AS INTEGER)", "col_1", "int", "deg", None),
    ("7 / 2", "col_1", "long", None, None),
    ("1", "col_1", "int", None, None),
    ("1.5", "col_1", "double", None, None),
    ("'x'", "col_1", "unicodeChar", None, None),
]


@pytest.mark.parametrize(("expression", "name", "datatype", "unit", "ucd"), COLUMNS)
def test_metadata_of_expressions(
    release: Release, expression: str, name: str, datatype: str, unit: str | None, ucd: str | None
) -> None:
    """Names, types, units and UCDs follow the values through expressions."""
    grouped = "" if "(" in expression or expression[0] in "'17" else " WHERE 1 = 1"
    (column,) = check(f"SELECT {expression} FROM stars{grouped}", release.catalog)
    assert (column.name, column.datatype, column.unit) == (name, datatype, unit)
    if ucd is not None or "(" not in expression:
        assert column.ucd == ucd


def test_metadata_pass_through_queries(release: Release) -> None:
    """Sub-queries, WITH, joins and set operators keep what is known; set operators that of the left."""
    for query in (
        "SELECT mag_g FROM (SELECT * FROM stars) AS s",
        "WITH s AS (SELECT mag_g FROM stars) SELECT mag_g FROM s",
        "SELECT mag_g FROM stars NATURAL JOIN extra",
        "SELECT mag_g FROM stars UNION SELECT mag_r FROM stars",
        "(SELECT mag_g FROM stars) ORDER BY mag_g",
    ):
        (column,) = check(query, release.catalog)
        assert (column.name, column.unit, column.ucd, column.description) == (
            "mag_g",
            "mag",
            "phot.mag;em.opt.B",
            "Magnitude in g",
        )


@pytest.mark.parametrize(
    ("query", "unit"),
    [
        ("SELECT x.u FROM (SELECT ra * dec AS u FROM stars) AS x", "deg**2"),
        ("WITH a AS (SELECT IN_UNIT(ra, 'rad') AS u FROM stars) SELECT u FROM a", "rad"),
        ("WITH a AS (SELECT ra AS u FROM stars) SELECT u FROM a UNION SELECT mag_g FROM stars", "deg"),
        ("SELECT NULL AS u FROM stars UNION SELECT ra FROM stars", "deg"),
        ("SELECT u FROM (SELECT id, ra AS u FROM stars) AS a NATURAL JOIN extra", "deg"),
        (
            "SELECT u FROM (SELECT ra AS u FROM stars) a FULL JOIN (SELECT dec AS u FROM stars) b USING (u)",
            "deg",
        ),
        ("SELECT MAX(u) - MIN(u) AS u FROM (SELECT ra AS u FROM stars) AS a", "deg"),
    ],
)
def test_units_pass_through_queries(release: Release, query: str, unit: str) -> None:
    """Units of expressions are those of sub-queries, WITH, joins, and of the left of set operators."""
    (column,) = check(query, release.catalog)
    assert (column.name, column.unit) == ("u", unit)


def test_unnamed_columns_get_names_that_no_other_has(release: Release) -> None:
    """Invented names are legal and unique; given names are kept."""
    columns = check(
        'SELECT ra + 1, dec + 1, ra AS col_1, MAX_RA.ra, ra * 2 AS "col_2" FROM stars AS max_ra',
        release.catalog,
    )
    names = [column.name for column in columns]
    assert names[2:] == ["col_1", "ra", "col_2"]
    assert len({name.lower() for name in names}) == len(names)


STAR = ", ".join(
    f"{name} DOUBLE"
    for name in ("ra", "dec", "parallax", "pmra", "pmdec", "radial_velocity", "ref_epoch", "out_epoch")
)
FORMS = {
    "ILIKE": "SELECT id FROM stars WHERE name ILIKE 'a'",
    "WITH": "WITH a AS (SELECT id FROM stars) SELECT id FROM a",
    "UNION": "SELECT id FROM stars UNION SELECT id FROM extra",
    "EXCEPT": "SELECT id FROM stars EXCEPT SELECT id FROM extra",
    "INTERSECT": "SELECT id FROM stars INTERSECT SELECT id FROM extra",
    "CAST": "SELECT CAST(id AS VARCHAR) FROM stars",
    "OFFSET": "SELECT id FROM stars OFFSET 4000",
    "POINT": "SELECT POINT(ra, dec) FROM stars",
    "CIRCLE": "SELECT CIRCLE(ra, dec, 1) FROM stars",
    "POLYGON": "SELECT POLYGON(1, 2, 3, 4, 5, 3) FROM stars",
    "BOX": "SELECT BOX(ra, dec, 1, 1) FROM stars",
    "REGION": "SELECT REGION('CIRCLE 1 2 3') FROM stars",
    "CONTAINS": "SELECT CONTAINS(POINT(ra, dec), CIRCLE(1, 2, 3)) FROM stars",
    "INTERSECTS": "SELECT INTERSECTS(CIRCLE(ra, dec, 1), CIRCLE(1, 2, 3)) FROM stars",
    "DISTANCE": "SELECT DISTANCE(POINT(ra, dec), POINT(1, 2)), DISTANCE(ra, dec, 1, 2) FROM stars",
    "AREA": "SELECT AREA(CIRCLE(ra, dec, 1)) FROM stars",
    "CENTROID": "SELECT CENTROID(CIRCLE(ra, dec, 1)) FROM stars",
    "COORD1": "SELECT COORD1(POINT(ra, dec)) FROM stars",
    "COORD2": "SELECT COORD2(POINT(ra, dec)) FROM stars",
    "COORDSYS": "SELECT COORDSYS(POINT(ra, dec)) FROM stars",
    "LOWER": "SELECT LOWER(name) FROM stars",
    "UPPER": "SELECT UPPER(name) FROM stars",
    "COALESCE": "SELECT COALESCE(mag_g, mag_r) FROM stars",
    "IN_UNIT": "SELECT IN_UNIT(ra, 'rad') FROM stars",
    "ivo_healpix_index(hpxOrder INTEGER, long DOUBLE, lat DOUBLE) -> BIGINT": (
        "SELECT ivo_healpix_index(5, ra, dec) FROM stars"
    ),
    "ivo_healpix_index(hpxOrder INTEGER, p POINT) -> BIGINT": (
        "SELECT ivo_healpix_index(5, POINT(ra, dec)) FROM stars"
    ),
    "bit_and(a BIGINT, b BIGINT) -> BIGINT": "SELECT bit_and(flags, 4) FROM stars",
    "bit_or(a BIGINT, b BIGINT) -> BIGINT": "SELECT bit_or(flags, id) FROM stars",
    "bit_xor(a BIGINT, b BIGINT) -> BIGINT": "SELECT bit_xor(flags, 3) FROM stars",
    "bit_not(a BIGINT) -> BIGINT": "SELECT bit_not(flags) FROM stars",
    "ivo_to_mjd(d TIMESTAMP) -> DOUBLE": "SELECT ivo_to_mjd(seen) FROM extra",
    "ivo_to_jd(d TIMESTAMP) -> DOUBLE": "SELECT ivo_to_jd(seen) FROM extra",
    "ivo_nocasematch(value VARCHAR, pattern VARCHAR) -> INTEGER": (
        "SELECT ivo_nocasematch(name, 'a') FROM stars"
    ),
    "ivo_hasword(haystack VARCHAR, needle VARCHAR) -> INTEGER": "SELECT ivo_hasword(name, 'a') FROM stars",
    "ivo_hashlist_has(hashlist VARCHAR, item VARCHAR) -> INTEGER": (
        "SELECT ivo_hashlist_has(bands, 'g') FROM extra"
    ),
    "ivo_interval_overlaps(l1 DOUBLE, h1 DOUBLE, l2 DOUBLE, h2 DOUBLE) -> INTEGER": (
        "SELECT ivo_interval_overlaps(ra, dec, 1, 2) FROM stars"
    ),
    "ivo_healpix_center(hpxOrder INTEGER, hpxIndex BIGINT) -> POINT": (
        "SELECT ivo_healpix_center(5, id) FROM stars"
    ),
    f"ivo_epoch_prop_pos({STAR}) -> POINT": (
        "SELECT ivo_epoch_prop_pos(ra, dec, mag_g, mag_r, 2, flags, 2016, 2000) FROM stars"
    ),
    f"ivo_epoch_prop({STAR}) -> DOUBLE[6]": (
        "SELECT ivo_epoch_prop(ra, dec, mag_g, mag_r, 2, flags, 2016, 2000) FROM stars"
    ),
    **{
        f"ivo_geom_transform(from_sys VARCHAR, to_sys VARCHAR, geo {kind}) -> {kind}": (
            f"SELECT ivo_geom_transform('ICRS', 'GALACTIC', {column}) FROM extra"
        )
        for kind, column in (("POINT", "pos"), ("CIRCLE", "disc"), ("POLYGON", "footprint"))
    },
    "ivo_histogram(val DOUBLE, lower DOUBLE, upper DOUBLE, nbins INTEGER) -> BIGINT[]": (
        "SELECT ivo_histogram(mag_g, 15, 25, 10) FROM stars"
    ),
    "ivo_normal_random(mu DOUBLE, sigma DOUBLE) -> DOUBLE": "SELECT ivo_normal_random(0, mag_r) FROM stars",
    "MOC(moc VARCHAR) -> MOC": "SELECT CONTAINS(POINT(ra, dec), MOC('3/5,7-9')) FROM stars",
    "MOC(maxOrder INTEGER, geo REGION) -> MOC": "SELECT MOC(5, BOX(1, 2, 3, 4)) FROM extra",
    "ivo_hms_to_degrees(hms VARCHAR) -> DOUBLE": "SELECT ivo_hms_to_degrees(name) FROM stars",
    "ivo_dms_to_degrees(dms VARCHAR) -> DOUBLE": "SELECT ivo_dms_to_degrees(name) FROM stars",
    "ivo_string_agg(expression VARCHAR, delimiter VARCHAR) -> VARCHAR": (
        "SELECT ivo_string_agg(name, ', ') FROM stars WHERE id < 5"
    ),
}


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.form)
def test_every_declared_feature_works(release: Release, feature: Feature) -> None:
    """What the capabilities declare runs on the database; its type is an identifier in lower case."""
    assert feature.type == feature.type.lower()
    release.rows(FORMS[feature.form])


def test_optional_functions_are_declared() -> None:
    """Each function that the standard does not demand of every service is in the table of features."""
    declared = {feature.form.partition("(")[0].upper() for feature in FEATURES}
    mandatory = {name for name, function in FUNCTIONS.items() if function.feature is None}
    assert declared >= set(FUNCTIONS) - mandatory
    assert mandatory == set(
        """ABS CEILING DEGREES EXP FLOOR LOG LOG10 MOD PI POWER RADIANS RAND ROUND SQRT TRUNCATE ACOS ASIN
        ATAN ATAN2 COS COT SIN TAN COUNT AVG SUM MIN MAX""".split()
    )


def test_sqlglot_reads_the_dialect() -> None:
    """The grammar is a dialect of sqlglot by the name of the language, as strict as the service."""
    tree = sqlglot.parse_one("SELECT TOP 3 ra FROM sim1.stars WHERE ra > 5", read="adql")
    assert tree.sql("duckdb") == "SELECT ra FROM sim1.stars WHERE ra > 5 LIMIT 3"
    with pytest.raises(QueryError):
        sqlglot.parse_one("SELECT ra FROM sim1.stars LIMIT 3", read="adql")
