"""The SQL of DuckDB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.generators.duckdb import DuckDBGenerator

from vo.adql.kinds import Kind, kind_of
from vo.adql.nodes import Call, Flag, Joined, described
from vo.catalog import Column

# {0}, {1} are the arguments. A name that is not here is printed as it is.
_FUNCTIONS: Mapping[str, str] = {
    "CEILING": "CEIL({0})",
    "LOG": "LN({0})",
    "TRUNCATE": "TRUNC({})",
    "RAND": "RANDOM()",
    "DIVIDE": "({0} // NULLIF({1}, 0))",
    "BIT_AND": "({0} & {1})",
    "BIT_OR": "({0} | {1})",
    "BIT_XOR": "XOR({0}, {1})",
    "BIT_NOT": "(~{0})",
    "FLAG": "CAST({0} AS INTEGER)",
    "TIMESTAMP": "CAST({0} AS TIMESTAMP)",
    "ELEMENT": "{0}[{1}]",
    "SQUARE": "({0} * {0})",
    "TUPLE": "[{}]",
    "CAST_SMALLINT": "CAST({0} AS SMALLINT)",
    "CAST_INTEGER": "CAST({0} AS INTEGER)",
    "CAST_BIGINT": "CAST({0} AS BIGINT)",
    "CAST_REAL": "CAST({0} AS REAL)",
    "CAST_DOUBLE": "CAST({0} AS DOUBLE)",
    "CAST_TIMESTAMP": "CAST({0} AS TIMESTAMP)",
}
_INTEGERS: Mapping[str, str] = {
    "SUM": "CAST(SUM({}) AS BIGINT)",
    "MOD": "MOD({0}, NULLIF({1}, 0))",
}
_TYPES: Mapping[str, str] = {
    "boolean": "BOOLEAN",
    "unsignedByte": "UTINYINT",
    "short": "SMALLINT",
    "int": "INTEGER",
    "long": "BIGINT",
    "float": "REAL",
    "double": "DOUBLE",
}


def printed(tree: exp.Expr) -> str:
    """The SQL of a compiled tree."""
    return _Generator(dialect=_DIALECT, comments=False, normalize_functions=False).generate(tree, copy=False)


def sql_type(column: Column) -> str:
    """The type of a column in DuckDB, as `Column.arrow_type` expects it.

    >>> sql_type(Column("p", "double", "2", xtype="point")), sql_type(Column("n", "char", "8*"))
    ('DOUBLE[2]', 'VARCHAR')
    """
    if kind_of(column) is Kind.TIME:
        return "TIMESTAMP"
    if column.is_string:
        return "VARCHAR"
    scalar = _TYPES[column.datatype]
    if column.arraysize in (None, "1"):
        return scalar
    return f"{scalar}[{column.arraysize}]" if str(column.arraysize).isdigit() else f"{scalar}[]"


class _Generator(DuckDBGenerator):
    """sqlglot's printer of DuckDB, with the nodes of ADQL."""

    TRANSFORMS: ClassVar = {
        **DuckDBGenerator.TRANSFORMS,
        Call: lambda self, node: self.adql_call(node),
        Joined: lambda self, node: self.adql_join(node),
        Flag: lambda self, node: f"CAST({self.sql(node, 'this')} AS INTEGER)",
        exp.Ordered: lambda self, node: self.adql_ordered(node),
    }

    def adql_call(self, node: Call) -> str:
        """A function of ADQL."""
        name: str = node.this
        if name == "OUTPUT":
            return f"CAST({self.sql(node.arguments[0])} AS {sql_type(described(node.arguments[1]))})"
        if name in ("CAST_CHAR", "CAST_VARCHAR"):
            return self._cast_text(node)
        arguments = [self.sql(argument) for argument in node.arguments]
        template = _FUNCTIONS.get(name)
        if name in _INTEGERS and kind_of(described(node)) is Kind.INTEGER:
            template = _INTEGERS[name]
        listed = ", ".join(arguments)
        if node.args.get("distinct"):
            listed = f"DISTINCT {listed}"
        if template is None:
            return f"{name}({listed})"
        return template.format(*arguments) if "{0}" in template else template.replace("{}", listed)

    def _cast_text(self, node: Call) -> str:
        text = f"CAST({self.sql(node.arguments[0])} AS VARCHAR)"
        if len(node.arguments) == 1:
            return text
        return f"LEFT({text}, {self.sql(node.arguments[1])})"

    def adql_join(self, node: Joined) -> str:
        """A join; an inner node on the right keeps its parentheses."""
        left, right = self.sql(node, "this"), self.sql(node, "expression")
        if isinstance(node.expression, Joined):
            right = f"({right})"
        if node.args["kind"] == ",":
            return f"{left}, {right}"
        kind = "" if node.args["kind"] == "INNER" else f"{node.args['kind']} "
        return f"{left} {kind}JOIN {right} ON {self.sql(node, 'on')}"

    def adql_ordered(self, node: exp.Ordered) -> str:
        """A term of ORDER BY, with the place of NULL in writing."""
        direction = "DESC NULLS FIRST" if node.args.get("desc") else "ASC NULLS LAST"
        return f"{self.sql(node, 'this')} {direction}"


_DIALECT = DuckDB()
