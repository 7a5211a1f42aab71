"""Random valid queries run and give the same rows on both databases; broken ones are refused."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import sqlglot
from adql.oracle_lint import complaints
from adql.oracle_release import BothReleases, both_releases, missing
from adql.random_queries import queries
from adql.small_release import Release
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from vo.errors import QueryError

_SETTINGS = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


EXCLUDED = {"bit_and": "H2 has BITAND for BIGINT alone"}


@pytest.fixture(scope="module")
def both(release: Release) -> Iterator[BothReleases]:
    """The release on DuckDB and on H2 as Oracle."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    found = both_releases(release, EXCLUDED, complaints)
    yield found
    found.h2.close()


@settings(_SETTINGS, max_examples=30, phases=[Phase.generate])
@given(queries())
def test_both_databases_agree(both: BothReleases, query: str) -> None:
    """A valid query has the same rows on DuckDB and on a database that speaks Oracle."""
    both.rows(query)


@_SETTINGS
@given(queries())
def test_only_published_tables_are_read(release: Release, query: str) -> None:
    """The SQL of a valid query reads tables of the catalogue, and nothing else that a database has."""
    tree = sqlglot.parse_one(release.translate(query, maxrec=5).sql, read="duckdb")
    named = {cte.alias for cte in tree.find_all(exp.CTE)}
    tables = {table.sql("duckdb") for table in tree.find_all(exp.Table) if table.name not in named}
    read = {re.sub(r' AS "t\d+"$', "", table) for table in tables}
    assert read <= {'"r1"."sim1"."stars"', '"r1"."sim1"."extra"'}


_PIECES = st.sampled_from(
    [
        "",
        " ",
        "'",
        '"',
        "(",
        ")",
        ",",
        ".",
        "--",
        "*",
        "\0",
        "\u202e",
        "\ud800",
        "\u00e9",
        "1e999",
        "SELECT",
        "FROM",
        ";",
    ]
)


@_SETTINGS
@given(
    queries(),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 10_000), _PIECES), min_size=1, max_size=4),
)
def test_damaged_queries_are_refused_or_run(
    release: Release, query: str, damage: list[tuple[int, int, str]]
) -> None:
    """Words lost, doubled, swapped or strewn in: the answer is rows or problems with places in the text."""
    words = re.findall(r"\w+|\s+|.", query)
    for first, second, piece in damage:
        i, j = first % len(words), second % len(words)
        words[i], words[j] = words[j], words[i]
        words.insert(j, piece or words[i])
        del words[i]
    broken = "".join(words)
    try:
        statement = release.translate(broken, maxrec=3)
    except QueryError as error:
        lines = broken.split("\n")
        for problem in error.problems:
            assert problem.line is not None
            assert problem.column is not None
            assert 1 <= problem.line <= len(lines)
            assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
    else:
        release.connection.cursor().execute("EXPLAIN " + statement.sql)
