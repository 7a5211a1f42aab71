"""ADQL 2.1 as a dialect of sqlglot: `sqlglot.parse_one(text, read="adql")` takes ADQL and nothing else."""

from __future__ import annotations

from typing import Any

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect

from vo.adql.grammar import parse


class ADQL(Dialect):
    """The language of the service; its parser is the grammar of the standard, not sqlglot's.

    sqlglot's own parser takes two thirds of what the standard forbids, so its dictionaries are not used.

    >>> import sqlglot
    >>> sqlglot.parse_one("SELECT TOP 3 ra FROM sim1.main", read="adql").sql("duckdb")
    'SELECT ra FROM sim1.main LIMIT 3'
    """

    def parse(self, sql: str, **opts: Any) -> list[exp.Expr | None]:  # noqa: ARG002  sqlglot's signature
        """The one tree of the text; QueryError tells what is wrong with it."""
        return [parse(sql)]
