"""The SQL of DuckDB."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.generators.duckdb import DuckDBGenerator

from vo.adql import duckdb_sphere
from vo.adql.kinds import Kind, kind_of
from vo.adql.nodes import Call, Flag, Joined, Let, Local, Spread, described
from vo.adql.printing import printed_join, quoted_column, quoted_identifier
from vo.adql.stcs import SHAPE_IN_WORDS
from vo.catalog import Column

# {0}, {1} are the arguments. A name that is not here is printed as it is.
_FUNCTIONS: Mapping[str, str] = {
    "CEILING": "CEIL({0})",
    "LOG": "LN({0})",
    "TRUNCATE": "TRUNC({})",
    "RAND": "RANDOM()",
    "MOD": "MOD({0}, NULLIF({1}, 0))",
    "DIVIDE": "({0} // NULLIF({1}, 0))",
    "BIT_AND": "({0} & {1})",
    "BIT_OR": "({0} | {1})",
    "BIT_XOR": "XOR({0}, {1})",
    "BIT_NOT": "(~{0})",
    "FLAG": "CAST({0} AS INTEGER)",
    "TIMESTAMP": "CAST({0} AS TIMESTAMP)",
    "ELEMENT": "{0}[{1}]",
    # DuckDB's own LEAST passes over NULL, as that of no other database does.
    "LEAST": "(CASE WHEN {0} > {1} THEN {1} ELSE {0} END)",
    "SQUARE": "({0} * {0})",
    "TUPLE": "[{}]",
    "SHIFT_RIGHT": "({0} >> {1})",
    "IVO_TO_MJD": "(EPOCH_US({0}) / 8.64e10 + 40587.0e0)",
    "IVO_TO_JD": "(EPOCH_US({0}) / 8.64e10 + 2440587.5e0)",
    "IVO_STRING_AGG": "STRING_AGG({})",
    "HAS_WORD": r"REGEXP_MATCHES({0}, '(?i)(^|[^\pL])' || REGEXP_ESCAPE({1}) || '($|[^\pL])')",
    "HAS_WORDS": r"LIST_BOOL_AND(LIST_TRANSFORM(STRING_SPLIT_REGEX(TRIM({1}), '\s+'), lambda word: "
    r"REGEXP_MATCHES({0}, '(?i)(^|[^\pL])' || REGEXP_ESCAPE(word) || '($|[^\pL])')))",
    "MATCHED": "NULLIF(REGEXP_EXTRACT({0}, {1}, {2}), '')",
    "IVO_EPOCH_PROP": "LIST_TRANSFORM([{}], lambda value: COALESCE(value, CAST('NaN' AS DOUBLE)))",
    "IVO_HISTOGRAM": "LIST_TRANSFORM([{{'counts': HISTOGRAM({0})}}], lambda found: LIST_TRANSFORM("
    "RANGE({1} + 2), lambda bin: CAST(COALESCE(found.counts[bin], 0) AS BIGINT)))[1]",
    "HASH_LIST_HAS": "LIST_CONTAINS(STRING_SPLIT(LOWER({0}), '#'), LOWER({1}))",
    "CIRCLE": "[{}]",
    "POLYGON": "[{}]",
    # The numbers of a shape in words; of what is no shape of ours, nothing.
    "SHAPE_IN_WORDS": "CASE WHEN REGEXP_FULL_MATCH({0}, '" + SHAPE_IN_WORDS + "', 'i') "
    r"THEN CAST(REGEXP_EXTRACT_ALL({0}, '[\s,]([-+.0-9][-+.0-9e]*)', 1, 'i') AS DOUBLE[]) END",
    # Functions that vo.db.duckdb_regions adds.
    "INSIDE": "vo_inside({0}, {1}, {2}, CAST({3} AS DOUBLE[]))",
    "REGION_CONTAINS": "vo_contains(CAST({0} AS DOUBLE[]), CAST({1} AS DOUBLE[]))",
    "REGIONS_MEET": "vo_intersects(CAST({0} AS DOUBLE[]), CAST({1} AS DOUBLE[]))",
    "REGION_AREA": "vo_area(CAST({0} AS DOUBLE[]))",
    "MOC_COVERS": "vo_moc_covers({0}, {1})",
    "MOC_MEETS": "vo_moc_meets({0}, CAST({1} AS DOUBLE[]))",
    "MOC_HOLDS": "vo_moc_holds({0}, CAST({1} AS DOUBLE[]))",
    "MOC_AREA": "vo_moc_area({0})",
    "REGION_CENTROID": "vo_centroid(CAST({0} AS DOUBLE[]))",
    "CAST_SMALLINT": "CAST({0} AS SMALLINT)",
    "CAST_INTEGER": "CAST({0} AS INTEGER)",
    "CAST_BIGINT": "CAST({0} AS BIGINT)",
    "CAST_REAL": "CAST({0} AS REAL)",
    "CAST_DOUBLE": "CAST({0} AS DOUBLE)",
    "CAST_TIMESTAMP": "CAST({0} AS TIMESTAMP)",
    **dict.fromkeys(
        ("CAST_POINT", "CAST_CIRCLE", "CAST_POLYGON"),
        r"CAST(STRING_SPLIT_REGEX(TRIM({0}), '\s+') AS DOUBLE[])",
    ),
}


def _cell(x: str, y: str, z: str, scale: str) -> str:
    """The number of the cube that holds a vector; NULL for what is no number."""
    counts = [f"(TRY_CAST(FLOOR({axis} * {scale}) AS BIGINT) + 1048576)" for axis in (x, y, z)]
    return f"(({counts[0]} * 2097152 + {counts[1]}) * 2097152 + {counts[2]})"


def _spread_bits(value: str, bits: str) -> str:
    """The bits of a number with a 0 before each."""
    terms = [f"(({value} & {1 << i}) << {i})" for i in range(int(bits))]
    return f"({' | '.join(terms)})" if terms else "0"


def _even_bits(value: str, bits: str) -> str:
    """Every second bit of a number, the lowest among them."""
    terms = [f"(({value} & {1 << 2 * i}) >> {i})" for i in range(int(bits))]
    return f"({' | '.join(terms)})" if terms else "0"


_WRITTEN_OUT: Mapping[str, Callable[..., str]] = {
    "SPREAD_BITS": _spread_bits,
    "EVEN_BITS": _even_bits,
    "TURNED": duckdb_sphere.turned,
    "CELL": _cell,
}
_INTEGERS: Mapping[str, str] = {"SUM": "CAST(SUM({}) AS BIGINT)"}
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


def _is_fixed_array(column: Column) -> bool:
    return not column.is_string and str(column.arraysize).isdigit() and column.arraysize != "1"


class _Generator(DuckDBGenerator):
    """sqlglot's printer of DuckDB, with the nodes of ADQL."""

    TRANSFORMS: ClassVar = {
        **DuckDBGenerator.TRANSFORMS,
        Call: lambda self, node: self.adql_call(node),
        Let: lambda self, node: self.adql_let(node),
        Local: lambda _, node: f"{node.this}.{node.args['expression']}",
        Joined: printed_join,
        Flag: lambda self, node: f"CAST({self.sql(node, 'this')} AS INTEGER)",
        exp.Table: lambda self, node: self.adql_table(node),
        Spread: lambda self, node: self.adql_spread(node),
        exp.Ordered: lambda self, node: self.adql_ordered(node),
        exp.Identifier: quoted_identifier,
        exp.Column: quoted_column,
    }

    def adql_call(self, node: Call) -> str:
        """A function of ADQL."""
        name: str = node.this
        if name == "OUTPUT":
            return f"CAST({self.sql(node.arguments[0])} AS {sql_type(described(node.arguments[1]))})"
        if name in ("CAST_CHAR", "CAST_VARCHAR"):
            return self._cast_text(node)
        arguments = [self.sql(argument) for argument in node.arguments]
        if name == "IN_MOC":
            return duckdb_sphere.in_moc(arguments[0], node.meta["moc"])
        if name in _WRITTEN_OUT:
            return _WRITTEN_OUT[name](*arguments)
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

    def adql_let(self, node: Let) -> str:
        """A value with names for others: no other expression of DuckDB can use one twice."""
        pairs = zip(node.args["names"], node.expressions, strict=True)
        values = ", ".join(f"'{name}': {self.sql(value)}" for name, value in pairs)
        return f"LIST_TRANSFORM([{{{values}}}], lambda {node.args['scope']}: {self.sql(node, 'this')})[1]"

    def adql_table(self, node: exp.Table) -> str:
        """A table; its arrays of fixed size are read as lists.

        DuckDB 2.0.0 reads memory that nothing wrote when an outer join leaves such an array empty.
        """
        source = node.meta.get("source")
        arrays = (
            [item for item in source.fields if _is_fixed_array(item.column)] if source is not None else []
        )
        if not arrays:
            return self.table_sql(node)
        lists = []
        for item in arrays:
            name = self.sql(exp.Identifier(this=item.physical, quoted=True))
            lists.append(f"CAST({name} AS {_TYPES[item.column.datatype]}[]) AS {name}")
        alias = self.sql(node, "alias")
        node.set("alias", None)
        table = self.table_sql(node)
        return f"(SELECT * REPLACE ({', '.join(lists)}) FROM {table}) AS {alias}"  # noqa: S608  printed from the tree

    def adql_spread(self, node: Spread) -> str:
        """A table with each row once for every cell that its reach touches."""
        axes = [self.sql(axis) for axis in node.expressions]
        reach, scale = self.sql(node, "reach"), self.sql(node, "scale")
        ends = [(f"({axis} - {reach})", f"({axis} + {reach})") for axis in axes]
        cells = ", ".join(_cell(x, y, z, scale) for x, y, z in product(*ends))
        spread = f"UNNEST(LIST_DISTINCT([{cells}])) AS {self.sql(node, 'name')}"
        return f"(SELECT *, {spread} FROM {self.sql(node, 'this')}) AS {self.sql(node, 'alias')}"  # noqa: S608  printed from the tree

    def adql_ordered(self, node: exp.Ordered) -> str:
        """A term of ORDER BY, with the place of NULL in writing."""
        direction = "DESC NULLS FIRST" if node.args.get("desc") else "ASC NULLS LAST"
        return f"{self.sql(node, 'this')} {direction}"


_DIALECT = DuckDB()
