"""The worked examples: queries of an archive on Oracle, as ADQL, run on the sample release."""

from __future__ import annotations

import pytest
from adql.oracle_lint import complaints
from service import Service

from vo.adql import translate
from vo.catalog import Catalog
from vo.sample.columns import schema as sample_schema
from vo.tap.examples import examples

CATALOG = Catalog((sample_schema(),))
WORKED = {
    "A first look": 5,
    "A random sample": 5,
    "A rectangle on the sky": 1,
    "Stars around M 2": 1,
    "Map of star counts": 1,
    "Map of galaxy counts": 1,
    "Bright galaxies": 1,
}
"""The examples, and the rows that each gives at least."""


def query_of(name: str) -> str:
    """The query of an example."""
    (query,) = (example.query for example in examples(CATALOG) if example.name == name)
    return query


@pytest.mark.parametrize("name", WORKED)
def test_each_runs_on_the_sample(service: Service, name: str) -> None:
    """The sample release answers it, with rows."""
    answer = service.sync(query_of(name), RESPONSEFORMAT="csv")
    assert answer.status_code == 200, answer.text
    assert len(answer.text.splitlines()) - 1 >= WORKED[name]


@pytest.mark.parametrize("name", WORKED)
def test_each_compiles_for_oracle(name: str) -> None:
    """Its SQL breaks no rule of Oracle 19c."""
    assert complaints(translate(query_of(name), CATALOG, dialect="oracle", maxrec=100).sql) == []


def test_a_sample_is_a_part_and_stays_the_same(service: Service) -> None:
    """A remainder of the identifier takes about its share of the rows, always the same ones, none twice."""
    query = (
        "SELECT coadd_object_id FROM sim1.main WHERE MOD(coadd_object_id, 101) {} ORDER BY coadd_object_id"
    )
    first, again, other = (
        service.sync(query.format(part), RESPONSEFORMAT="csv").text.splitlines()[1:]
        for part in ("= 7", "= 7", "= 8")
    )
    total = int(service.sync("SELECT COUNT(*) FROM sim1.main", RESPONSEFORMAT="csv").text.splitlines()[1])
    assert first == again
    assert not set(first) & set(other)
    assert 0.5 < len(first) / (total / 101) < 1.5
