"""Polygons in the SQL of DuckDB: functions of arrays lon1, lat1, lon2, …, all in degrees.

Edges are the shorter arcs of great circles, and a polygon's inside is its smaller side. Written as
expressions, since a query cannot define functions in a release that is attached read-only.
"""

from __future__ import annotations

_DOT, _CROSS = "ARRAY_INNER_PRODUCT", "ARRAY_CROSS_PRODUCT"


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
    return _let("s", given, f"LIST_SUM({near}) > 0 AND {around}")


def edge_distance(lon: str, lat: str, polygon: str) -> str:
    """Degrees from a position to the nearest edge."""
    # To the great circle of an edge where the position projects between its ends, else to its first end;
    # the second is the first end of the next edge.
    between = f"{_DOT}({_CROSS}(e.n, e.a), s.o) > 0 AND {_DOT}({_CROSS}(e.b, e.n), s.o) > 0"
    beside = f"ASIN(LEAST(1, ABS({_DOT}(e.n, s.o)) / e.l))"
    away = "2 * ASIN(LEAST(1, ARRAY_DISTANCE(s.o, e.a) / 2))"
    nearest = f"LIST_TRANSFORM(s.edges, lambda e: CASE WHEN {between} THEN {beside} ELSE {away} END)"
    given = f"{{'o': {_vector(lon, lat)}, 'edges': {_edges(polygon)}}}"
    # The products of arrays do not take NULL.
    known = f"{lon} IS NOT NULL AND {lat} IS NOT NULL"
    return f"CASE WHEN {known} THEN {_let('s', given, f'DEGREES(LIST_MIN({nearest}))')} END"


def edges_cross(first: str, second: str) -> str:
    """Whether an edge of one polygon crosses an edge of the other from side to side."""
    return _edges_meet(first, second, "{0} * {1} < 0 AND LEAST(ABS({0}), ABS({1})) > {2}")


def edges_touch(first: str, second: str) -> str:
    """Whether an edge of one polygon has a position in common with an edge of the other."""
    return _edges_meet(first, second, "({0} * {1} <= 0 OR LEAST(ABS({0}), ABS({1})) < {2})")


def vertices_inside(first: str, second: str) -> str:
    """Whether every vertex of one polygon is inside the other, or on its edge."""
    lon, lat = "w[2 * k + 1]", "w[2 * k + 2]"
    near = f"{edge_distance(lon, lat, second)} < {_TOUCHING}"
    every = f"LIST_TRANSFORM(RANGE(0, LEN(w) // 2), lambda k: {inside(lon, lat, second)} OR {near})"
    return _let("w", first, f"LIST_BOOL_AND({every})")


_TOUCHING = 1e-12


def _edges_meet(first: str, second: str, apart: str) -> str:
    """Whether any two edges meet; `apart` tests two sines for being those of opposite sides."""
    # The sines of the angles of the ends of each edge from the great circle of the other.
    ends = (f"{_DOT}(e.n, f.a) / e.l", f"{_DOT}(e.n, f.b) / e.l")
    others = (f"{_DOT}(f.n, e.a) / f.l", f"{_DOT}(f.n, e.b) / f.l")
    crossed = f"{apart.format(*ends, _TOUCHING)} AND {apart.format(*others, _TOUCHING)}"
    # Great circles meet twice, so both arcs must pass the same one of the two points.
    meeting = f"{_CROSS}(e.n, f.n)"
    sides = [f"({_DOT}({meeting}, {arc}.a) + {_DOT}({meeting}, {arc}.b))" for arc in "ef"]
    same = f"({sides[0]} * {sides[1]} > 0 OR ARRAY_DISTANCE(e.a, f.a) < {_TOUCHING})"
    edges = f"LIST_TRANSFORM(s.other, lambda f: {crossed} AND {same})"
    given = f"{{'one': {_edges(first)}, 'other': {_edges(second)}}}"
    return _let("s", given, f"LIST_BOOL_OR(LIST_TRANSFORM(s.one, lambda e: LIST_BOOL_OR({edges})))")


def area(polygon: str) -> str:
    """The area in square degrees, by the triangles between the edges and the first vertex."""
    corner = "s.edges[1].a"
    volume = f"{_DOT}({corner}, e.n)"
    cosines = f"1 + {_DOT}({corner}, e.a) + {_DOT}(e.a, e.b) + {_DOT}(e.b, {corner})"
    excess = f"LIST_TRANSFORM(s.edges, lambda e: 2 * ATAN2({volume}, {cosines}))"
    given = f"{{'edges': {_edges(polygon)}}}"
    return _let("s", given, f"ABS(LIST_SUM({excess})) * DEGREES(DEGREES(1))")


def centroid(polygon: str) -> str:
    """The direction in which the vector area points, as [lon, lat]."""
    # The integral of the position over a spherical region is half the sum of angle times normal over its
    # edges, whichever way they run; the sign is that of the mean vertex.
    angle = "2 * ASIN(LEAST(1, ARRAY_DISTANCE(e.a, e.b) / 2))"
    weight = f"(CASE WHEN e.l > 0 THEN {angle} / e.l ELSE 0 END)"
    parts = [f"LIST_SUM(LIST_TRANSFORM(s.edges, lambda e: {weight} * e.n[{axis}]))" for axis in (1, 2, 3)]
    mean = [f"LIST_SUM(LIST_TRANSFORM(s.edges, lambda e: e.a[{axis}]))" for axis in (1, 2, 3)]
    sums = ", ".join(f"'{name}': {part}" for name, part in zip("xyzuvw", [*parts, *mean], strict=True))
    sign = "SIGN(c.x * c.u + c.y * c.v + c.z * c.w)"
    lon = f"(DEGREES(ATAN2({sign} * c.y, {sign} * c.x)) + 360) % 360"
    lat = f"DEGREES(ATAN2({sign} * c.z, SQRT(c.x * c.x + c.y * c.y)))"
    centre = _let("s", f"{{'edges': {_edges(polygon)}}}", _let("c", f"{{{sums}}}", f"[{lon}, {lat}]"))
    return f"CASE WHEN {polygon} IS NOT NULL THEN {centre} END"


def _let(name: str, value: str, body: str) -> str:
    """`body` with a name for `value`: an expression has no other way to use one twice."""
    return f"LIST_TRANSFORM([{value}], lambda {name}: {body})[1]"


def _vector(lon: str, lat: str) -> str:
    return (
        f"[COS(RADIANS({lat})) * COS(RADIANS({lon})), COS(RADIANS({lat})) * SIN(RADIANS({lon})), "
        f"SIN(RADIANS({lat}))]::DOUBLE[3]"
    )


def _over_vertices(body: str) -> str:
    """`body` for each vertex {lon}, {lat} of the polygon of `s`."""
    written = body.format(lon="s.polygon[2 * i + 1]", lat="s.polygon[2 * i + 2]")
    return f"LIST_TRANSFORM(RANGE(0, LEN(s.polygon) // 2), lambda i: {written})"


def _edges(polygon: str) -> str:
    """The edges as {a, b, n, l}: both ends as unit vectors, their cross product, and its length."""
    vertices = f"LIST_TRANSFORM(RANGE(0, LEN(p) // 2), lambda i: {_vector('p[2 * i + 1]', 'p[2 * i + 2]')})"
    normal = f"{_CROSS}(v[i], v[i % LEN(v) + 1])"
    ends = f"{{'a': v[i], 'b': v[i % LEN(v) + 1], 'n': {normal}, 'l': SQRT({_DOT}({normal}, {normal}))}}"
    edges = f"LIST_TRANSFORM(RANGE(1, LEN(v) + 1), lambda i: {ends})"
    return _let("p", f"{polygon}", _let("v", vertices, edges))
