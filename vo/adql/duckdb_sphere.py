"""Polygons in the SQL of DuckDB: functions of arrays lon1, lat1, lon2, …, all in degrees.

Edges are the shorter arcs of great circles, and a polygon's inside is its smaller side. Written as
expressions, since a query cannot define functions in a release that is attached read-only; vectors are
structs {x, y, z}, whose arithmetic gives NULL where DuckDB's functions of arrays give errors.
"""

from __future__ import annotations

_TOUCHING = 1e-12
"""Sines and distances below this are rounding."""


def inside(lon: str, lat: str, polygon: str) -> str:
    """Whether a position is inside: seen from there, the vertices make a whole turn.

    From the antipodes they do as well, so the vertices must be on this side of the sphere.
    """
    near = _over_vertices(
        "SIN(RADIANS(s.lat)) * SIN(RADIANS({lat})) "
        "+ COS(RADIANS(s.lat)) * COS(RADIANS({lat})) * COS(RADIANS({lon} - s.lon))"
    )
    azimuths = _over_vertices(
        "ATAN2(SIN(RADIANS({lon} - s.lon)) * COS(RADIANS({lat})), "
        "COS(RADIANS(s.lat)) * SIN(RADIANS({lat})) "
        "- SIN(RADIANS(s.lat)) * COS(RADIANS({lat})) * COS(RADIANS({lon} - s.lon)))"
    )
    step = "(z[i % LEN(z) + 1] - z[i])"
    turn = f"LIST_TRANSFORM(RANGE(1, LEN(z) + 1), lambda i: {step} - 2 * PI() * ROUND({step} / (2 * PI())))"
    around = _let("z", azimuths, f"ABS(LIST_SUM({turn})) > PI()")
    given = f"{{'lon': {lon}, 'lat': {lat}, 'polygon': {polygon}}}"
    return _let("s", given, _where(f"LIST_SUM({near}) > 0 AND {around}", "s.polygon", "s.lon", "s.lat"))


def edge_distance(lon: str, lat: str, polygon: str) -> str:
    """Degrees from a position to the nearest edge."""
    # To the great circle of an edge where the position projects between its ends, else to its first end;
    # the second is the first end of the next edge.
    between = f"{_volume('e.n', 'e.a', 'o')} > 0 AND {_volume('e.b', 'e.n', 'o')} > 0"
    beside = f"ASIN(LEAST(1, ABS({_dot('e.n', 'o')}) / e.l))"
    away = f"2 * ASIN(LEAST(1, {_apart('o', 'e.a')} / 2))"
    each = (
        f"LIST_TRANSFORM({_edges('s.polygon')}, lambda e: CASE WHEN {between} THEN {beside} ELSE {away} END)"
    )
    nearest = _let("o", _vector("s.lon", "s.lat"), f"DEGREES(LIST_MIN({each}))")
    given = f"{{'lon': {lon}, 'lat': {lat}, 'polygon': {polygon}}}"
    return _let("s", given, _where(nearest, "s.polygon", "s.lon", "s.lat"))


def edges_cross(first: str, second: str) -> str:
    """Whether an edge of one polygon crosses an edge of the other from side to side."""
    return _edges_meet(first, second, "{0} * {1} < 0 AND LEAST(ABS({0}), ABS({1})) > {2}")


def edges_touch(first: str, second: str) -> str:
    """Whether an edge of one polygon has a position in common with an edge of the other."""
    return _edges_meet(first, second, "({0} * {1} <= 0 OR LEAST(ABS({0}), ABS({1})) < {2})")


def vertices_inside(first: str, second: str) -> str:
    """Whether every vertex of one polygon is inside the other, or on its edge."""
    lon, lat = "w.one[2 * k + 1]", "w.one[2 * k + 2]"
    near = f"{edge_distance(lon, lat, 'w.other')} < {_TOUCHING}"
    every = f"LIST_TRANSFORM(RANGE(0, LEN(w.one) // 2), lambda k: {inside(lon, lat, 'w.other')} OR {near})"
    given = f"{{'one': {first}, 'other': {second}}}"
    return _let("w", given, _where(_where(f"LIST_BOOL_AND({every})", "w.one"), "w.other"))


def area(polygon: str) -> str:
    """The area in square degrees, by the triangles between the edges and the first vertex."""
    corner = "edges[1].a"
    cosines = f"1 + {_dot(corner, 'e.a')} + {_dot('e.a', 'e.b')} + {_dot('e.b', corner)}"
    excess = f"LIST_TRANSFORM(edges, lambda e: 2 * ATAN2({_dot(corner, 'e.n')}, {cosines}))"
    measured = _let("edges", _edges("p"), f"ABS(LIST_SUM({excess})) * DEGREES(DEGREES(1))")
    return _let("p", polygon, _where(measured, "p"))


def centroid(polygon: str) -> str:
    """The direction in which the vector area points, as [lon, lat]."""
    # The integral of the position over a spherical region is half the sum of angle times normal over its
    # edges, whichever way they run; the sign is that of the mean vertex.
    angle = f"2 * ASIN(LEAST(1, {_apart('e.a', 'e.b')} / 2))"
    weight = f"(CASE WHEN e.l > 0 THEN {angle} / e.l ELSE 0 END)"
    parts = [f"LIST_SUM(LIST_TRANSFORM(edges, lambda e: {weight} * e.n.{axis}))" for axis in "xyz"]
    mean = [f"LIST_SUM(LIST_TRANSFORM(edges, lambda e: e.a.{axis}))" for axis in "xyz"]
    sums = ", ".join(f"'{name}': {part}" for name, part in zip("xyzuvw", [*parts, *mean], strict=True))
    sign = "SIGN(c.x * c.u + c.y * c.v + c.z * c.w)"
    lon = f"(DEGREES(ATAN2({sign} * c.y, {sign} * c.x)) + 360) % 360"
    lat = f"DEGREES(ATAN2({sign} * c.z, SQRT(c.x * c.x + c.y * c.y)))"
    centre = _let("edges", _edges("p"), _let("c", f"{{{sums}}}", f"[{lon}, {lat}]"))
    return _let("p", polygon, _where(centre, "p"))


def turned(polygon: str, *matrix: str) -> str:
    """The polygon after a rotation, given by the nine elements of its matrix."""
    rows = [matrix[i : i + 3] for i in (0, 3, 6)]
    x, y, z = (" + ".join(f"{a} * v.{axis}" for a, axis in zip(row, "xyz", strict=True)) for row in rows)
    angles = _let(
        "w",
        f"{{'x': {x}, 'y': {y}, 'z': {z}}}",
        "[(DEGREES(ATAN2(w.y, w.x)) + 360) % 360, DEGREES(ATAN2(w.z, SQRT(w.x * w.x + w.y * w.y)))]",
    )
    vertex = _let("v", _vector("p[2 * i + 1]", "p[2 * i + 2]"), angles)
    vertices = f"FLATTEN(LIST_TRANSFORM(RANGE(0, LEN(p) // 2), lambda i: {vertex}))"
    return _let("p", polygon, _where(vertices, "p"))


def _edges_meet(first: str, second: str, apart: str) -> str:
    """Whether any two edges meet; `apart` tests two sines for being those of opposite sides."""
    # The sines of the angles of the ends of each edge from the great circle of the other.
    ends = (f"{_dot('e.n', 'f.a')} / e.l", f"{_dot('e.n', 'f.b')} / e.l")
    others = (f"{_dot('f.n', 'e.a')} / f.l", f"{_dot('f.n', 'e.b')} / f.l")
    crossed = f"{apart.format(*ends, _TOUCHING)} AND {apart.format(*others, _TOUCHING)}"
    # Great circles meet twice, so both arcs must pass the same one of the two points.
    sides = [f"({_dot('m', f'{arc}.a')} + {_dot('m', f'{arc}.b')})" for arc in "ef"]
    same = f"({sides[0]} * {sides[1]} > 0 OR {_apart('e.a', 'f.a')} < {_TOUCHING})"
    meeting = _let("m", _cross("e.n", "f.n"), f"{crossed} AND {same}")
    pairs = f"LIST_TRANSFORM(s.one, lambda e: LIST_BOOL_OR(LIST_TRANSFORM(s.other, lambda f: {meeting})))"
    found = _let("s", f"{{'one': {_edges('w.one')}, 'other': {_edges('w.other')}}}", f"LIST_BOOL_OR({pairs})")
    given = f"{{'one': {first}, 'other': {second}}}"
    return _let("w", given, _where(_where(found, "w.one"), "w.other"))


# --- pieces


def _let(name: str, value: str, body: str) -> str:
    """`body` with a name for `value`: an expression has no other way to use one twice."""
    return f"LIST_TRANSFORM([{value}], lambda {name}: {body})[1]"


def _where(body: str, polygon: str, *values: str) -> str:
    """`body` where everything is known, else NULL: functions of lists pass over missing elements."""
    known = [f"LIST_COUNT({polygon}) = LEN({polygon})", *(f"{value} IS NOT NULL" for value in values)]
    return f"CASE WHEN {' AND '.join(known)} THEN {body} END"


def _over_vertices(body: str) -> str:
    """`body` for each vertex {lon}, {lat} of the polygon of `s`."""
    written = body.format(lon="s.polygon[2 * i + 1]", lat="s.polygon[2 * i + 2]")
    return f"LIST_TRANSFORM(RANGE(0, LEN(s.polygon) // 2), lambda i: {written})"


def _edges(polygon: str) -> str:
    """The edges as {a, b, n, l}: both ends as unit vectors, their cross product, and its length."""
    vertices = (
        f"LIST_TRANSFORM(RANGE(0, LEN({polygon}) // 2), "
        f"lambda i: {_vector(f'{polygon}[2 * i + 1]', f'{polygon}[2 * i + 2]')})"
    )
    normal = _let("n", _cross("r.a", "r.b"), f"{{'a': r.a, 'b': r.b, 'n': n, 'l': SQRT({_dot('n', 'n')})}}")
    edge = _let("r", "{'a': v[i], 'b': v[i % LEN(v) + 1]}", normal)
    return _let("v", vertices, f"LIST_TRANSFORM(RANGE(1, LEN(v) + 1), lambda i: {edge})")


def _vector(lon: str, lat: str) -> str:
    return (
        f"{{'x': COS(RADIANS({lat})) * COS(RADIANS({lon})), "
        f"'y': COS(RADIANS({lat})) * SIN(RADIANS({lon})), 'z': SIN(RADIANS({lat}))}}"
    )


def _dot(a: str, b: str) -> str:
    return f"({a}.x * {b}.x + {a}.y * {b}.y + {a}.z * {b}.z)"


def _cross(a: str, b: str) -> str:
    return (
        f"{{'x': {a}.y * {b}.z - {a}.z * {b}.y, 'y': {a}.z * {b}.x - {a}.x * {b}.z, "
        f"'z': {a}.x * {b}.y - {a}.y * {b}.x}}"
    )


def _volume(a: str, b: str, c: str) -> str:
    """(a x b) · c."""
    return (
        f"(({a}.y * {b}.z - {a}.z * {b}.y) * {c}.x + ({a}.z * {b}.x - {a}.x * {b}.z) * {c}.y "
        f"+ ({a}.x * {b}.y - {a}.y * {b}.x) * {c}.z)"
    )


def _apart(a: str, b: str) -> str:
    """The length of a - b."""
    squares = " + ".join(f"({a}.{axis} - {b}.{axis}) * ({a}.{axis} - {b}.{axis})" for axis in "xyz")
    return f"SQRT({squares})"
