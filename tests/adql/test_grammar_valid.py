"""Valid ADQL 2.1, production by production: it compiles for both databases, and runs.

The queries are asked of DuckDB here, and of H2 as Oracle in `test_oracle_rows.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from adql.oracle_lint import complaints
from adql.oracle_release import oracle_catalog
from adql.small_release import Release

from vo.adql import translate
from vo.errors import QueryError

TABLE = Path(__file__).resolve().parents[1] / "data" / "adql" / "valid.txt"
# A backslash and n or t stand for the end of a line and a tabulator; ## begins a heading.
QUERIES = [
    line.replace("\\n", "\n").replace("\\t", "\t")
    for line in TABLE.read_text().splitlines()
    if not line.startswith("##")
]


@pytest.mark.parametrize("query", QUERIES)
def test_valid_queries_run(release: Release, query: str) -> None:
    """What the grammar of the standard takes is compiled, and the database takes what it became."""
    release.rows(query, maxrec=40)


@pytest.mark.parametrize("query", QUERIES)
def test_valid_queries_are_compiled_for_oracle(release: Release, query: str) -> None:
    """The same queries become SQL of Oracle, or are refused as not offered there."""
    try:
        statement = translate(query, oracle_catalog(release.catalog), dialect="oracle", maxrec=40)
    except QueryError as error:
        if "not offered on this database" not in str(error):
            raise
    else:
        assert complaints(statement.sql) == []
