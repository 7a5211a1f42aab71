"""What is not known, or the same for every row: NULL, outer joins, constants."""

from __future__ import annotations

from adql.small_release import Release


def test_arrays_are_empty_where_an_outer_join_leaves_them_so(release: Release) -> None:
    """Shapes of a table without a partner are NULL, and so is what is computed from them."""
    rows = release.rows(
        "SELECT s.id, e.pos, e.disc, AREA(e.disc), COORD1(e.pos), CENTROID(e.footprint), "
        "CONTAINS(e.pos, e.footprint) FROM stars AS s LEFT JOIN extra AS e ON e.id = s.id ORDER BY s.id"
    )
    assert len(rows) == 4002
    assert rows[1][1:3] == ([40.0, -20.0], [40.0, -20.0, 1.0])
    assert all(row[1:] == (None,) * 6 for row in rows if row[0] not in (1, 2, 7))


def test_constants_order_nothing(release: Release) -> None:
    """ORDER BY takes expressions without columns, which change nothing, and RAND, which shuffles."""
    base = "SELECT id FROM extra ORDER BY"
    assert release.values(f"{base} 1.5 + 1, AREA(CIRCLE(1, 2, 3)), 1 + 1, id") == [1, 2, 3, 7]
    assert sorted(release.values(f"{base} 'x'")) == [1, 2, 3, 7]
    assert release.values(f"{base} COORDSYS(pos), id") == [1, 2, 3, 7]
    assert len({tuple(release.values(f"{base} RAND()")) for _ in range(40)}) > 1


def test_unknown_coordinates_make_unknown_shapes(release: Release) -> None:
    """A polygon or box with a coordinate that is NULL is neither inside nor outside anything."""
    rows = release.rows(
        "SELECT CONTAINS(POINT(1, 2), BOX(ra, dec, 1, 2)), INTERSECTS(BOX(ra, dec, 1, 1), CIRCLE(1, 2, 3)), "
        "AREA(BOX(ra, dec, 1, 1)), CENTROID(POLYGON(ra, 0, 1, 1, 0, 1)), DISTANCE(1, 2, ra, dec), "
        "INTERSECTS(POLYGON(1, 1, 2, 2, 1, ra), POLYGON(5, 5, 6, 6, 5, 6)) FROM stars WHERE id > 9000"
    )
    assert rows == [(None,) * 6] * 2
