"""The VOTables that the service is asked for: results of every kind in every serialisation, and errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from service import Service

SERIALISATIONS = ("votable", "votable/td")
"""Values of RESPONSEFORMAT for rows in BINARY2 and rows in XML."""

SPELLINGS = (
    "",
    "text/xml",
    "application/x-votable+xml",
    "application/x-votable+xml;serialization=BINARY2",
    "application/x-votable+xml;serialization=TABLEDATA",
)
"""Other ways to ask for the same."""

TABLES = (
    "sim1.main",
    "sim1.main_sample",
    "sim1.truth",
    "sim1.coverage",
    "sim1.tile_info",
    "TAP_SCHEMA.schemas",
    "TAP_SCHEMA.tables",
    "TAP_SCHEMA.columns",
    "TAP_SCHEMA.keys",
    "TAP_SCHEMA.key_columns",
)

QUERIES = {
    **{f"all of {table}": f"SELECT TOP 40 * FROM {table}" for table in TABLES},
    "no rows": "SELECT * FROM sim1.main WHERE ra < 0",
    "columns without names": "SELECT COUNT(*), AVG(ra), MAX(tilename), SUM(flags_g) FROM sim1.main",
    "names given twice": "SELECT TOP 3 ra, ra, dec AS ra FROM sim1.main",
    "names of any characters": 'SELECT TOP 3 ra AS "a <b> & ""c""", dec AS "1é", ra AS " " FROM sim1.main',
    "text of any characters": "SELECT TOP 1 'a<b&c]]>' || tilename || 'é\U0001d6c2''' AS s, '' AS e "
    "FROM sim1.main",
    "shapes": "SELECT TOP 3 POINT(ra, dec) AS p, CIRCLE(ra, dec, 0.1) AS c, "
    "POLYGON(10, 10, 20, 10, 20, 20) AS g FROM sim1.main",
    "times": "SELECT TOP 1 CAST('2026-01-02T03:04:05' AS TIMESTAMP) AS t FROM sim1.main",
    "nothing but NULL": "SELECT TOP 3 NULL AS n FROM sim1.main",
    "a union": "SELECT TOP 3 ra, tilename FROM sim1.main "
    "UNION ALL SELECT TOP 3 ra_cent, tilename FROM sim1.tile_info",
    "a join": "SELECT TOP 5 * FROM sim1.main JOIN sim1.truth USING (coadd_object_id)",
}
"""What the results hold → a query for it."""

REFUSED: Mapping[str, Mapping[str, object]] = {
    "broken syntax": {"QUERY": "SELECT <b> FROM & WHERE"},
    "an unknown table": {"QUERY": "SELECT * FROM nowhere"},
    "an unknown column": {"QUERY": "SELECT colour FROM sim1.main"},
    "no query": {},
    "an unknown language": {"QUERY": "SELECT 1", "LANG": "SQL"},
    "an unknown format": {"QUERY": "SELECT ra FROM sim1.main", "RESPONSEFORMAT": "application/x-wax"},
    "a MAXREC that is no number": {"QUERY": "SELECT ra FROM sim1.main", "MAXREC": "many"},
    "a parameter given twice": {"QUERY": ["SELECT ra FROM sim1.main", "SELECT dec FROM sim1.main"]},
}
"""What is wrong with a request → its parameters; the answer is an error document."""


_PLACE = {"RA": 0.2, "DEC": -40.3, "SR": 0.05}
_REGION = {"POS": "0.2,-40.3", "SIZE": 0.1}

SEARCHES: Mapping[str, tuple[str, Mapping[str, object], int]] = {
    **{f"a cone, VERB={verb}": ("/scs/sim1.main", {**_PLACE, "VERB": verb}, 200) for verb in (1, 2, 3)},
    "a cone of cells": ("/scs/sim1.coverage", {**_PLACE, "VERB": 3}, 200),
    "a cone of images": ("/scs/ivoa.obscore", {**_PLACE, "VERB": 3}, 200),
    "a cone without a radius": ("/scs/sim1.main", {**_PLACE, "SR": 0}, 200),
    "a cone without a position": ("/scs/sim1.main", {}, 400),
    "images": ("/sia/v2/query", {"POS": "CIRCLE 0.2 -40.3 0.1"}, 200),
    "images in XML": ("/sia/v2/query", {"RESPONSEFORMAT": "votable/td"}, 200),
    "the parameters of the image search": ("/sia/v2/query", {"MAXREC": 0}, 200),
    **{
        f"images, SIA 1.0, VERB={verb}": ("/sia/v1/query", {**_REGION, "VERB": verb}, 200)
        for verb in range(4)
    },
    "the parameters of SIA 1.0": ("/sia/v1/query", {"FORMAT": "METADATA"}, 200),
    "images without a region": ("/sia/v1/query", {}, 400),
    "images nowhere": ("/sia/v2/query", {"POS": "NOWHERE"}, 400),
}
"""What is searched → path, parameters and status of HTTP."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request whose answer is a VOTable; `what` is in it, `status` is that of HTTP."""

    what: str
    params: Mapping[str, object]
    status: int = 200
    path: str = "/tap/sync"

    def send(self, service: Service) -> bytes:
        """The document."""
        answer = service.get(self.path, **{"LANG": "ADQL", **self.params})
        assert answer.status_code == self.status, f"status {answer.status_code}: {answer.text[:400]}"
        return answer.content


def requests() -> Iterator[Request]:
    """Requests for every kind of VOTable."""
    for name in SERIALISATIONS:
        for what, query in QUERIES.items():
            yield Request(f"{what}, {name}", {"QUERY": query, "RESPONSEFORMAT": name})
        for maxrec in (0, 7):
            params = {"QUERY": "SELECT * FROM sim1.main", "MAXREC": maxrec, "RESPONSEFORMAT": name}
            yield Request(f"MAXREC={maxrec}, {name}", params)
    for name in SPELLINGS:
        yield Request(f"format {name!r}", {"QUERY": "SELECT TOP 3 * FROM sim1.truth", "RESPONSEFORMAT": name})
    for what, wrong in REFUSED.items():
        yield Request(what, wrong, 400)
    for what, (path, params, status) in SEARCHES.items():
        yield Request(what, params, status, path)
