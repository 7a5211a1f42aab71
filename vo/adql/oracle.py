"""The SQL of Oracle, from 19c on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from sqlglot import exp
from sqlglot.dialects.oracle import Oracle

from vo.adql.constants import constant
from vo.adql.kinds import Kind, kind_of
from vo.adql.nodes import Call, Flag, Let, Local, described
from vo.adql.oracle_functions import (
    CASTS,
    DAYS,
    FUNCTIONS,
    LONGEST_STRING,
    OF_DOUBLES,
    ROUNDED,
    TARGETS,
    bounded,
    cell,
    interleaved,
    is_binary,
    narrowed,
    refuse,
    refuse_function,
    sql_type,
)
from vo.adql.oracle_queries import QueryPrinter
from vo.adql.oracle_tree import prepare
from vo.adql.printing import quoted_column, quoted_identifier
from vo.adql.problems import refusing_at

_MOST_RANGES = 1_000  # of a MOC
_LONGEST_PATTERN = 512  # bytes of a regular expression (ORA-12733)
_SMALLEST, _LARGEST = 1e-130, 1e126  # the range of NUMBER
_TIME_FORMAT = "YYYY-MM-DD HH24:MI:SS.FF6"
_DIVISIONS = ("MOD", "DIVIDE")  # by zero they have no value
_MEANS_SOMETHING = frozenset(r"\.[]{}()*+?^$|")


def printed(tree: exp.Expr) -> str:
    """The SQL of a compiled tree; QueryError for what Oracle cannot be asked yet."""
    prepare(tree)
    return _Generator(dialect=_DIALECT, comments=False, normalize_functions=False).statement(tree)


class _Generator(QueryPrinter):
    """The printer of whole statements: the nodes of ADQL, and its functions and values."""

    TRANSFORMS: ClassVar = {
        **QueryPrinter.TRANSFORMS,
        Call: lambda self, node: bounded(refusing_at(node, self.adql_call)),
        Flag: lambda self, node: bounded(self.adql_flag(node)),
        Let: lambda self, node: bounded(self.adql_let(node)),
        Local: lambda self, node: self.locals[node.this, node.args["expression"]],
        exp.Literal: lambda self, node: self.adql_literal(node),
        exp.Column: lambda self, node: self.adql_column(node),
        exp.Identifier: quoted_identifier,
        exp.Cast: lambda self, node: f"CAST({self.sql(node, 'this')} AS {CASTS[str(node.args['to'].this)]})",
        exp.Div: lambda self, node: self.adql_quotient(node),
        exp.Case: lambda self, node: self.adql_case(node),
        exp.DPipe: lambda self, node: self.adql_concatenated(node),
        exp.Like: lambda self, node: f"{self.sql(node, 'this')} LIKE {self.sql(node, 'expression')}",
        exp.ILike: lambda self, node: (
            f"UPPER({self.sql(node, 'this')}) LIKE UPPER({self.sql(node, 'expression')})"
        ),
    }

    def adql_column(self, node: exp.Column) -> str:
        """A column; arrays have no type in Oracle that a query could use."""
        column = node.meta.get("column")
        if column is not None:
            sql_type(column)
        return quoted_column(self, node)

    def adql_literal(self, node: exp.Literal) -> str:
        """A string, an integer, or a double."""
        text: str = node.this
        if node.is_string:
            if len(text.encode()) > LONGEST_STRING:
                refuse(f"A string of more than {LONGEST_STRING} bytes")
            return "'" + text.replace("'", "''") + "'"
        if "e" not in text:
            return text
        value = float(text)
        written = text.removesuffix("e0")
        if value and not _SMALLEST <= value < _LARGEST:
            return f"{written}d"
        return written if node.meta.get("exact") else f"CAST({written} AS BINARY_DOUBLE)"

    def adql_quotient(self, node: exp.Div) -> str:
        """A quotient of doubles, so that division by zero is no error."""
        left, right = self.sql(node, "this"), self.sql(node, "expression")
        return f"{left if is_binary(node) else f'CAST({left} AS BINARY_DOUBLE)'} / {right}"

    def adql_concatenated(self, node: exp.DPipe) -> str:
        """Strings joined: one that is unknown makes the whole unknown, where Oracle would pass over it."""
        operands = [node.expression]
        while isinstance(node.this, exp.DPipe):
            node = node.this
            operands.append(node.expression)
        operands.append(node.this)
        texts = [self.sql(item) for item in reversed(operands)]
        known = [f"{text} IS NOT NULL" for text in dict.fromkeys(texts) if not text.startswith("'")]
        joined = " || ".join(text for text in texts if text != "''") or "''"
        return f"CASE WHEN {' AND '.join(known)} THEN {joined} END" if known else joined

    def adql_case(self, node: exp.Case) -> str:
        """CASE, which needs a value that is not NULL in writing."""
        results = [branch.args["true"] for branch in node.args["ifs"]] + [node.args.get("default")]
        if all(result is None or isinstance(result, exp.Null) for result in results):
            return "NULL"
        return str(self.case_sql(node))

    def adql_flag(self, node: Flag) -> str:
        """1, 0 or NULL for a condition; a stored boolean is one of them already."""
        condition = self.sql(node, "this")
        if isinstance(node.this, exp.Column):
            return condition
        return f"CASE WHEN {condition} THEN 1 WHEN NOT ({condition}) THEN 0 END"

    def adql_call(self, node: Call) -> str:
        """A function of ADQL."""
        name: str = node.this
        method = _METHODS.get(name)
        if method is not None:
            return str(getattr(self, method)(node))
        if name in TARGETS:
            return narrowed(name, self.sql(node.arguments[0]))
        real = "column" in node.meta and kind_of(described(node)) is Kind.REAL
        of_doubles = name in OF_DOUBLES or (real and name in ("SUM", "MOD"))
        template = OF_DOUBLES.get(name) or FUNCTIONS.get(name)
        if template is None:
            refuse_function(name)
        arguments = [self._double(item) if of_doubles else self.sql(item) for item in node.arguments]
        if name in _DIVISIONS and constant(node.arguments[1]) in (None, 0):
            arguments[1] = f"NULLIF({arguments[1]}, 0)"
        listed = ("DISTINCT " if node.args.get("distinct") else "") + ", ".join(arguments)
        return template.format(*arguments) if "{}" not in template else template.replace("{}", listed)

    def adql_let(self, node: Let) -> str:
        """A value whose names are written out: Oracle has none for the values of an expression."""
        texts = [f"({self.adql_argument(value)})" for value in node.expressions]
        for name, text in zip(node.args["names"], texts, strict=True):
            self.locals[node.args["scope"], name] = text
        return str(self.sql(node, "this"))

    def adql_argument(self, node: exp.Expr) -> str:
        """A value, in double precision if it is no integer."""
        return self._double(node) if kind_of(described(node)) is Kind.REAL else str(self.sql(node))

    def _double(self, node: exp.Expr) -> str:
        text = self.sql(node)
        if not is_binary(node):
            return f"CAST({text} AS BINARY_DOUBLE)"
        return f"({text})" if isinstance(node, exp.Binary | exp.Neg) else str(text)

    def adql_output(self, node: Call) -> str:
        """An output in the type that its column declares."""
        return f"CAST({self.sql(node.arguments[0])} AS {sql_type(described(node.arguments[1]))})"

    def adql_cast_text(self, node: Call) -> str:
        """A value as text, cut to a length."""
        value, *length = node.arguments
        text, kind = self.sql(value), kind_of(described(value))
        if kind is Kind.TIME:
            text = f"RTRIM(RTRIM(TO_CHAR({text}, '{_TIME_FORMAT}'), '0'), '.')"
        elif kind is not Kind.TEXT:
            text = f"CAST({text} AS VARCHAR2({LONGEST_STRING}))"
        return f"SUBSTR({text}, 1, {self.sql(length[0])})" if length else text

    def adql_cast_time(self, node: Call) -> str:
        """A timestamp from a string in the form of DALI."""
        value = node.arguments[0]
        text = self.sql(value)
        if kind_of(described(value)) is not Kind.TEXT:
            return f"CAST({text} AS TIMESTAMP)"
        return f"TO_TIMESTAMP(REPLACE(RTRIM({text}, 'Z'), 'T', ' '), '{_TIME_FORMAT[:-1]}')"

    def adql_time(self, node: Call) -> str:
        """A timestamp in writing."""
        return f"TIMESTAMP {self.sql(node.arguments[0])}"

    def adql_rounded(self, node: Call) -> str:
        """ROUND and TRUNCATE, perhaps to a number of decimals."""
        value, *places = node.arguments
        if "column" in value.meta and kind_of(described(value)) is Kind.INTEGER:
            function = "ROUND" if node.this == "ROUND" else "TRUNC"
            return f"{function}({', '.join(self.sql(item) for item in node.arguments)})"
        template = ROUNDED if node.this == "ROUND" else "TRUNC({0})"
        number = self._double(value)
        if not places:
            return template.format(number)
        count = int(constant(places[0]) or 0)
        scale = f"CAST(1e{min(abs(count), 100)} AS BINARY_DOUBLE)"
        there, back = "*/" if count >= 0 else "/*"
        return f"({template.format(f'({number} {there} {scale})')} {back} {scale})"

    def adql_coalesce(self, node: Call) -> str:
        """COALESCE, which needs two values in Oracle, and none that is NULL in writing."""
        values = [self.sql(item) for item in node.arguments if not isinstance(item, exp.Null)]
        if len(values) > 1:
            return f"COALESCE({', '.join(values)})"
        return f"({values[0]})" if values else "NULL"

    def adql_shifted(self, node: Call) -> str:
        """The upper bits of an index."""
        value, bits = node.arguments
        return f"FLOOR({self.sql(value)} / {1 << int(bits.this)})"

    def adql_days(self, node: Call) -> str:
        """Days from the zero of (modified) Julian dates."""
        since = DAYS.format(f"{self.sql(node.arguments[0])} - TIMESTAMP '1858-11-17 00:00:00'")
        days = since if node.this == "IVO_TO_MJD" else f"({since} + 2400000.5)"
        return f"CAST({days} AS BINARY_DOUBLE)"

    def adql_in_moc(self, node: Call) -> str:
        """Whether a cell is in a MOC, by its ranges."""
        ranges = node.meta["moc"].ranges.tolist()
        if len(ranges) > _MOST_RANGES:
            refuse(f"A MOC of more than {_MOST_RANGES} ranges")
        cell = self.sql(node.arguments[0])
        terms = [f"{cell} BETWEEN {low} AND {high - 1}" for low, high in ranges]
        return f"({' OR '.join(terms) or f'{cell} <> {cell}'})"

    def adql_joined_strings(self, node: Call) -> str:
        """The strings of a group joined, in their order; too long a string is an error (ORA-01489)."""
        text, delimiter = node.arguments
        if not isinstance(delimiter, exp.Literal):
            refuse("A delimiter of IVO_STRING_AGG that is no literal")
        quantifier = "DISTINCT " if node.args.get("distinct") else ""
        value = self.sql(text)
        return f"LISTAGG({quantifier}{value}, {self.sql(delimiter)}) WITHIN GROUP (ORDER BY {value})"

    def adql_has_word(self, node: Call) -> str:
        """Whether a word is in a text, between characters that are no letters."""
        text, word = node.arguments
        if not isinstance(word, exp.Literal):
            refuse("A word of IVO_HASWORD that is no literal")
        escaped = "".join(f"\\{sign}" if sign in _MEANS_SOMETHING else sign for sign in word.this)
        pattern = f"(^|[^[:alpha:]]){escaped}($|[^[:alpha:]])"
        if len(pattern.encode()) > _LONGEST_PATTERN:
            refuse(f"A word of more than {_LONGEST_PATTERN} bytes")
        return f"REGEXP_LIKE({self.sql(text)}, {self.sql(exp.Literal.string(pattern))}, 'i')"

    def adql_bits(self, node: Call) -> str:
        """The bits of an integer taken apart or together."""
        value, bits = node.arguments
        return interleaved(node.this, self.sql(value), int(bits.this))

    def adql_cell(self, node: Call) -> str:
        """The number of the cube that holds a vector."""
        *axes, scale = map(self.sql, node.arguments)
        return cell([f"({axis} * {scale})" for axis in axes])


_METHODS: Mapping[str, str] = {
    "OUTPUT": "adql_output",
    "CAST_CHAR": "adql_cast_text",
    "CAST_VARCHAR": "adql_cast_text",
    "CAST_TIMESTAMP": "adql_cast_time",
    "TIMESTAMP": "adql_time",
    "ROUND": "adql_rounded",
    "TRUNCATE": "adql_rounded",
    "COALESCE": "adql_coalesce",
    "SHIFT_RIGHT": "adql_shifted",
    "IN_MOC": "adql_in_moc",
    "IVO_TO_MJD": "adql_days",
    "IVO_TO_JD": "adql_days",
    "IVO_STRING_AGG": "adql_joined_strings",
    "HAS_WORD": "adql_has_word",
    "HAS_WORDS": "adql_has_word",
    "CELL": "adql_cell",
    "SPREAD_BITS": "adql_bits",
    "EVEN_BITS": "adql_bits",
}
_DIALECT = Oracle()
