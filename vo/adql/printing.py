"""What both printers write alike: joins, and names, which are all quoted.

To quote every one needs none of the rules that sqlglot goes through for others.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.generator import Generator

from vo.adql.nodes import Joined


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


def printed_join(printer: Generator, node: Joined) -> str:
    """A join; an inner node on the right keeps its parentheses."""
    left, right = printer.sql(node, "this"), printer.sql(node, "expression")
    if isinstance(node.expression, Joined):
        right = f"({right})"
    if node.args["kind"] == ",":
        return f"{left}, {right}"
    kind = "" if node.args["kind"] == "INNER" else f"{node.args['kind']} "
    return f"{left} {kind}JOIN {right} ON {printer.sql(node, 'on')}"
