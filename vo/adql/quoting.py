"""Names in SQL: every one is quoted, which needs none of the rules that sqlglot goes through for others."""

from __future__ import annotations

from sqlglot import exp
from sqlglot.generator import Generator


def quoted_identifier(printer: Generator, node: exp.Identifier) -> str:
    """A name between double quotes."""
    if not node.args.get("quoted"):
        return printer.identifier_sql(node)
    name: str = node.args["this"]
    return '"' + name.replace('"', '""') + '"'


def quoted_column(printer: Generator, node: exp.Column) -> str:
    """A column behind the alias of its table."""
    name, table = node.args["this"], node.args.get("table")
    if table is None:
        return printer.sql(name)
    return f"{quoted_identifier(printer, table)}.{printer.sql(name)}"
