"""Queries whose SQL for Oracle is judged by rules and by a grammar: those of the other tests, and more."""

from __future__ import annotations

from adql.test_metadata import COLUMNS, FORMS
from adql.test_queries import SELECTIONS, VALUES
from adql.test_sky import POLYGONS, SPELLINGS
from adql.test_user_defined import EXAMPLES

_WHOLE = """
SELECT TOP 5 id, mag_g AS m FROM stars WHERE id < 60 ORDER BY m DESC, 1 OFFSET 7
SELECT id FROM stars ORDER BY -mag_g DESC, id OFFSET 1000
SELECT DISTINCT TOP 3 MOD(id, 7) AS m FROM stars ORDER BY m DESC
SELECT flags AS f, COUNT(*) AS n, COUNT(DISTINCT name), SUM(id), SUM(ra), AVG(mag_r), AVG(DISTINCT flags), \
MAX(mag_g) - MIN(mag_g) FROM sim1.stars GROUP BY flags HAVING COUNT(*) > 2 ORDER BY n DESC, f
SELECT ivo_healpix_index(2, ra, dec), COUNT(*) FROM stars GROUP BY ivo_healpix_index(2, ra, dec)
SELECT * FROM stars
SELECT id, z FROM stars JOIN extra USING (id)
SELECT id, z FROM stars NATURAL LEFT OUTER JOIN extra
SELECT id, z FROM stars FULL JOIN extra USING (id) ORDER BY id
SELECT s.id, e.id FROM stars AS s RIGHT JOIN extra AS e ON s.id = e.id AND s.id < 3
SELECT s.id FROM stars AS s LEFT JOIN (extra AS e JOIN extra AS f ON e.id = f.id) ON s.id = f.id
SELECT s.id, e.z FROM stars s, extra e JOIN extra f ON e.id = f.id WHERE s.id = e.id
SELECT id FROM stars UNION SELECT id FROM extra INTERSECT SELECT id FROM stars
(SELECT id FROM stars UNION SELECT id FROM extra) INTERSECT SELECT id FROM stars
SELECT id FROM stars EXCEPT (SELECT id FROM extra EXCEPT SELECT id FROM stars) ORDER BY id DESC OFFSET 6
SELECT id FROM stars UNION ALL SELECT id FROM extra UNION ALL SELECT z FROM extra UNION SELECT id FROM extra
SELECT id, name FROM stars EXCEPT ALL SELECT id, bands FROM extra
SELECT id FROM stars INTERSECT ALL SELECT id FROM extra ORDER BY 1
(SELECT TOP 2 id FROM stars ORDER BY id DESC) UNION ALL SELECT id FROM extra ORDER BY 1
(SELECT TOP 3 id FROM stars ORDER BY id) ORDER BY id DESC
SELECT id FROM stars WHERE id IN (SELECT TOP 3 id FROM extra ORDER BY z) \
AND id IN (SELECT id FROM extra ORDER BY z)
SELECT id FROM stars WHERE EXISTS (SELECT * FROM extra WHERE extra.id = stars.id ORDER BY z)
WITH a AS (SELECT id, mag_r AS m FROM stars WHERE mag_r < 19), b AS (SELECT TOP 10 * FROM a ORDER BY m) \
SELECT a.id FROM a WHERE a.id IN (SELECT id FROM b) ORDER BY a.m
SELECT "x y" FROM (SELECT id AS "x y" FROM extra) AS "T" WHERE "T"."x y" = 7
SELECT id FROM extra WHERE good = 1 AND seen BETWEEN '2020-01-01' AND '2021-01-01T00:00:00.5Z'
SELECT good, COALESCE(good, good), MAX(seen) FROM extra GROUP BY good
SELECT CAST(seen AS VARCHAR), CAST(bands AS TIMESTAMP), CAST(z AS VARCHAR(8)), ivo_to_jd(seen) FROM extra
SELECT id FROM extra WHERE bands = '' OR bands <> '' OR bands IN ('', 'a') OR bands || '' LIKE 'x'
SELECT id FROM extra WHERE NULL = 1 OR NOT (NULL = id)
SELECT COALESCE(NULL, z), COALESCE(z), CASE WHEN z > 1 THEN NULL END FROM extra
SELECT RAND(), ROUND(ra, 2), ROUND(flags, -1), TRUNCATE(dec, -1), 1e-200, 1e300, -0.5 - -ra FROM stars
SELECT ivo_string_agg(DISTINCT bands, ', ') FROM extra
SELECT id FROM extra WHERE 1 = ivo_hasword(bands, 'a+b') AND ivo_hashlist_has(bands, 'g') = 1
SELECT a.id FROM stars AS a JOIN stars AS b ON DISTANCE(a.ra, a.dec, b.ra, b.dec) < 0.01
SELECT a.id FROM stars AS a LEFT JOIN (SELECT id, z, ra AS x, dec FROM stars NATURAL JOIN extra) AS b \
ON DISTANCE(POINT(a.ra, a.dec), POINT(b.x, b.dec)) < 0.01
SELECT id FROM stars WHERE 1 = CONTAINS(POINT(40, -20), CIRCLE(ra, dec, flags * 40.0))
SELECT CONTAINS(CIRCLE(ra, dec, 1), CIRCLE(0, 0.5, 1.6)), AREA(CIRCLE(ra, dec, z)) \
FROM stars NATURAL JOIN extra
SELECT id FROM extra ORDER BY 1.5 + 1, RAND(), id
SELECT ivo_healpix_index(2, ra + 1, dec), ivo_normal_random(ra, 1) FROM stars
SELECT COORD2(ivo_healpix_center(1, id)) FROM stars
SELECT id FROM stars WHERE 1 = CONTAINS(POINT(ra, dec), POLYGON(9, -1, 11, -1, 10, 0, 11, 1))
SELECT INTERSECTS(CIRCLE(ra, dec, flags), POLYGON(1, 1, 2, 1, 2, 2)), AREA(BOX(1, 2, 3, 4)) FROM stars
SELECT id FROM stars WHERE 1 = CONTAINS(CIRCLE(ra, dec, 0.5), POLYGON(1, 1, 2, 1, 2, 2))
SELECT id FROM stars WHERE 0 = CONTAINS(POLYGON(1, 1, 2, 1, 2, 2), CIRCLE(ra, dec, flags))
SELECT TOP 3 id, POINT(ra, dec) AS p, BOX(ra, dec, 1, 1), CENTROID(BOX(1, 2, 3, 4)) FROM stars ORDER BY id
SELECT p, CIRCLE(p, 1) FROM (SELECT POINT(ra, dec) AS p FROM stars UNION ALL SELECT NULL FROM extra) AS s
SELECT ivo_hms_to_degrees(name), COORD1(ivo_geom_transform('ICRS', 'FK4', POINT(ra, dec))) FROM stars
"""


def queries() -> list[str]:
    """Every query, once."""
    found = [line for line in _WHOLE.strip().splitlines() if line]
    found += [
        f"SELECT id FROM sim1.stars AS s WHERE {condition}" for condition, expected in SELECTIONS if expected
    ]
    found += [f"SELECT {expression} AS v FROM extra WHERE id = 1" for expression, _ in (*VALUES, *EXAMPLES)]
    found += [f"SELECT id FROM sim1.stars WHERE {spelling.format(10, 20, 0.5)}" for spelling in SPELLINGS]
    for vertices in POLYGONS:
        numbers = ", ".join(f"{lon}, {lat}" for lon, lat in vertices)
        found.append(f"SELECT id FROM stars WHERE 1 = CONTAINS(POINT(ra, dec), POLYGON({numbers}))")
    found += [f"SELECT {expression} FROM stars" for expression, *_ in COLUMNS]
    return list(dict.fromkeys([*found, *FORMS.values()]))
