"""Queries resolved against the catalogue: every table, column and star named, every result described."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from vo.adql.advice import did_you_mean
from vo.adql.grouping import has_aggregate, judge_grouping
from vo.adql.joins import joined
from vo.adql.kinds import Kind, kind_of, told, united
from vo.adql.names import Names, published_table
from vo.adql.nodes import Call, Joined, describe, described, duplicate
from vo.adql.problems import Problems, span_of
from vo.adql.reader import Reader
from vo.adql.scopes import Field, Relation, Scope, Source, Visible, same
from vo.catalog import Catalog, Column, is_regular, nearest
from vo.reserved import RESERVED

MAX_TABLES = 48
"""Tables of a query at the most, with those of its sub-queries."""

MAX_COLUMNS = 10_000
"""Columns of a query or sub-query at the most."""

Columns = tuple[Column, ...]


@dataclass
class Queries:
    """The reader of queries; one for each text."""

    catalog: Catalog
    problems: Problems
    ctes: list[Source] = field(default_factory=list)
    count: int = 0
    tables: int = 0
    turned: int = 0

    def alias(self) -> str:
        """A new name for a table in the SQL, unlike any other in it."""
        self.count += 1
        return f"t{self.count}"

    def whole(self, query: exp.Query) -> Columns:
        """Resolve the query in place, WITH first; returns its columns."""
        with_ = query.args.get("with_")
        for cte in with_.expressions if with_ is not None else ():
            name: exp.Identifier = cte.args["alias"].this
            before, tables = self.problems.count, self.tables
            columns = self.query(cte.this, None)
            source = _source(self.alias(), name, columns, known=before == self.problems.count, query=cte.this)
            source = replace(source, weight=self.tables - tables)
            if any(other.name.lower() == name.this.lower() for other in self.ctes):
                self.problems.add(
                    f"Two queries of WITH are called {name.this}", span_of(name), rule="ADQL 2.1, 4.5"
                )
            cte.set("alias", exp.TableAlias(this=_quoted(source.alias)))
            self.ctes.append(source)
        return self.query(query, None)

    def subquery(self, query: exp.Expr, scope: Scope) -> tuple[exp.Expr, Columns]:
        """A sub-query of a condition, which sees the columns around it."""
        columns = self.query(query, scope)
        return query if isinstance(query, exp.Subquery) else exp.Subquery(this=query), columns

    def query(self, query: exp.Expr, parent: Scope | None) -> Columns:
        """Resolve a SELECT, a set operation, or one in parentheses; its outputs are named c1, c2, …."""
        if isinstance(query, exp.Select):
            return self._select(query, parent)
        if isinstance(query, exp.Subquery):
            columns = self.query(query.this, parent)
        else:
            columns = self._set_operation(query, parent)
        if query.args.get("order") is not None:
            self._order_by_position(query, columns)
        return columns

    # --- set operators

    def _set_operation(self, query: exp.Expr, parent: Scope | None) -> Columns:
        left, right = self.query(query.this, parent), self.query(query.expression, parent)
        operator = query.key.upper()
        span = query.meta.get("operator")
        if len(left) != len(right):
            self.problems.add(
                f"{operator} joins queries of {len(left)} and {len(right)} columns",
                span,
                rule="ADQL 2.1, 4.6",
            )
            return left
        columns = []
        for position, (first, second) in enumerate(zip(left, right, strict=True), 1):
            column = united(first, second)
            if column is None:
                self.problems.add(
                    f"Column {position} of {operator} is {told(first)} on the left "
                    f"and {told(second)} on the right",
                    span,
                    rule="ADQL 2.1, 4.6",
                    suggestion="Write CAST(x AS type)."
                    if kind_of(first) is not kind_of(second)
                    else "ivo_geom_transform converts.",
                )
            # Metadata come from the left operand (ADQL 2.1, 4.6.2).
            if column is not None and kind_of(first) is not Kind.NULL:
                column = replace(column, unit=first.unit)
            columns.append(column or first)
        return tuple(columns)

    def _order_by_position(self, query: exp.Expr, columns: Columns) -> None:
        """ORDER BY of a set operation: names and numbers of its columns."""
        for term in query.args["order"].expressions:
            value = term.this
            position = self._ordinal(value, len(columns))
            if position is None and isinstance(value, exp.Column) and value.args.get("table") is None:
                found = [i for i, column in enumerate(columns, 1) if same(value.this, column.name)]
                position = found[0] if found else None
            if position is None:
                name = value.this.this if isinstance(value, exp.Column) else "like this"
                self.problems.add(
                    f"There is no column {name} to order by",
                    span_of(value),
                    rule="ADQL 2.1, 4.6",
                    suggestion=did_you_mean(nearest(name, [column.name for column in columns]))
                    or "Behind a set operator, names are those of its first query.",
                )
            term.set("this", _position(position or 1))

    def _ordinal(self, value: exp.Expr, count: int) -> int | None:
        if not isinstance(value, exp.Literal) or value.is_string or not value.this.isdigit():
            return None
        if 1 <= int(value.this) <= count:
            return int(value.this)
        self.problems.add(
            f"There is no column {value.this} to order by",
            span_of(value),
            rule="ADQL 2.1, appendix A, order_by_expression",
            suggestion=f"The query has {count} column{'s' * (count != 1)}.",
        )
        return 1

    # --- SELECT

    def _select(self, select: exp.Select, parent: Scope | None) -> Columns:
        tree, relation = self._from(select.args["from_"].this, parent)
        select.args["from_"].set("this", tree)
        unread = frozenset[str]().union(*(item.meta.get("unread", ()) for item in select.expressions))
        scope = Scope(relation, parent, unread=unread)
        reader = Reader(scope, self, self.problems)
        self._condition(select, "where", replace(reader, refused="WHERE"))
        items = self._items(select, reader)
        read = [(alias, reader.value(item)) for alias, item in items]
        columns = _named(read)
        outputs = [value for _, value in read]
        scope.selected.extend((column.name, value) for column, value in zip(columns, outputs, strict=True))
        select.set("expressions", outputs)
        self._group_by(select, replace(reader, refused="GROUP BY"))
        self._condition(select, "having", reader)
        self._order_by(select, reader)
        group = select.args.get("group")
        is_read = group is None or not any("unread" in term.meta for term in group.expressions)
        if is_read and (reader.found_aggregate or group or select.args.get("having")):
            judge_grouping(select, relation.aliases, self.problems)
        select.set("expressions", [_output(i, value) for i, value in enumerate(outputs, 1)])
        return columns

    @staticmethod
    def _condition(select: exp.Select, clause: str, reader: Reader) -> None:
        node = select.args.get(clause)
        if node is not None:
            node.set("this", reader.condition(node.this))

    def _items(self, select: exp.Select, reader: Reader) -> list[tuple[str | None, exp.Expr]]:
        """The items of SELECT with their aliases, the stars written out."""
        items: list[tuple[str | None, exp.Expr]] = []
        for item in select.expressions:
            if isinstance(item, exp.Star):
                items += [(None, column.reference()) for column in reader.scope.relation.columns]
            elif isinstance(item, exp.Column) and isinstance(item.this, exp.Star):
                items += [(None, column.reference()) for column in self._of_table(item, reader.scope)]
            elif isinstance(item, exp.Alias):
                items.append((item.alias, item.this))
            else:
                items.append((None, item))
            if len(items) > MAX_COLUMNS:
                self.problems.add(
                    f"The query has more than {MAX_COLUMNS} columns",
                    span_of(select.expressions[0]),
                    rule="a limit of this service",
                    suggestion="Name the columns that are needed.",
                )
                raise self.problems.error()
        return items

    def _of_table(self, star: exp.Column, scope: Scope) -> Sequence[Visible]:
        qualifier, schema = star.args["table"], star.args.get("db")
        sources = scope.relation.called(qualifier, schema)
        if len(sources) == 1:
            return sources[0].visible
        Names(Scope(scope.relation), self.problems, self.catalog).judge_source(sources, qualifier, schema)
        return ()

    def _group_by(self, select: exp.Select, reader: Reader) -> None:
        group = select.args.get("group")
        if group is None:
            return
        group.set(
            "expressions", [self._group_term(term, select.expressions, reader) for term in group.expressions]
        )

    @staticmethod
    def _group_term(term: exp.Expr, outputs: list[exp.Expr], reader: Reader) -> exp.Expr:
        """A term of GROUP BY; a whole number stands for that column of SELECT if it can be grouped by.

        The grammar takes any value, and a number that is no such column is a constant like another.
        """
        if isinstance(term, exp.Literal) and not term.is_string and term.this.isdigit():
            position = int(term.this)
            if 1 <= position <= len(outputs) and not has_aggregate(outputs[position - 1]):
                return duplicate(outputs[position - 1])
        return reader.value(term)

    def _order_by(self, select: exp.Select, reader: Reader) -> None:
        """ORDER BY: what SELECT has is ordered by its number, so that no name is needed."""
        order = select.args.get("order")
        for term in order.expressions if order is not None else ():
            position = self._ordinal(term.this, len(select.expressions))
            if position is None:
                # Names of SELECT come first, and names of the tables after them (SQL-92, 13.1).
                preferring = replace(reader, prefer_selected=isinstance(term.this, exp.Column))
                value = preferring.value(term.this)
                reader.found_aggregate |= preferring.found_aggregate
                position = next((i for i, item in enumerate(select.expressions, 1) if item == value), None)
                if position is None and select.args.get("distinct"):
                    self.problems.add(
                        "With DISTINCT, ORDER BY takes only what is selected",
                        span_of(term),
                        rule="ADQL 2.1, 2.2",
                    )
                term.set("this", value)
            if position is not None:
                term.set("this", _position(position))

    # --- FROM

    def _from(self, node: exp.Expr, parent: Scope | None) -> tuple[exp.Expr, Relation]:
        """A node of FROM resolved, and what it shows."""
        if isinstance(node, Joined):
            left, first = self._from(node.this, parent)
            right, second = self._from(node.expression, parent)
            node.set("this", left)
            node.set("expression", right)
            relation = joined(node, first, second, self.problems)
            if node.args.get("on") is not None and not node.meta.get("made"):
                reader = Reader(Scope(relation, parent), self, self.problems, refused="ON")
                node.set("on", reader.condition(node.args["on"]))
            return node, relation
        if isinstance(node, exp.Subquery):
            name: exp.Identifier = node.args["alias"].this
            before = self.problems.count
            columns = self.query(node.this, None)
            known = before == self.problems.count
            source = _source(self.alias(), name, columns, known=known, query=node.this)
            node.set("alias", exp.TableAlias(this=_quoted(source.alias)))
        else:
            node, source = self._table(node)
        return node, Relation((source,), source.visible)

    def _weigh(self, node: exp.Expr, weight: int) -> None:
        """Count tables, those of WITH queries wherever these are used: databases plan few joins quickly."""
        self.tables += weight
        if self.tables > MAX_TABLES:
            self.problems.add(
                f"The query reads more than {MAX_TABLES} tables, each use of a WITH query counted",
                span_of(node),
                rule="a limit of this service",
                suggestion="Upload the result of a part of it as a table.",
            )
            raise self.problems.error()

    def _table(self, node: exp.Expr) -> tuple[exp.Expr, Source]:
        """A table of the catalogue, or a query of WITH, under a new alias."""
        given = node.args.get("alias")
        name: exp.Identifier = given.this if given is not None else node.this
        alias, exact = self.alias(), bool(name.args.get("quoted"))
        for cte in self.ctes if node.args.get("db") is None else ():
            if same(node.this, cte.name):
                self._weigh(node, cte.weight)
                source = Source(alias, name.this, exact, cte.fields, known=cte.known, query=cte.query)
                return _aliased(exp.Table(this=_quoted(cte.alias)), alias, node), source
        self._weigh(node, 1)
        table = published_table(node, self.catalog, self.problems)
        if table is None:
            return node, Source(alias, name.this, exact, (), known=False)
        fields = tuple(Field(column, column.db_name or column.name) for column in table.columns)
        called = name.this if given is not None else table.name
        schema = table.schema if given is None else None
        parts = dict(
            zip(("this", "db", "catalog"), map(_quoted, reversed(table.database_path)), strict=False)
        )
        source = Source(alias, called, exact, fields, schema, table)
        stored = _aliased(exp.Table(**parts), alias, node)
        stored.meta["source"] = source
        return stored, source


def _quoted(name: str) -> exp.Identifier:
    return exp.Identifier(this=name, quoted=True)


def _aliased(table: exp.Table, alias: str, given: exp.Expr) -> exp.Table:
    table.meta.update(given.meta)
    table.set("alias", exp.TableAlias(this=_quoted(alias)))
    return table


def _source(alias: str, name: exp.Identifier, columns: Columns, *, known: bool, query: exp.Expr) -> Source:
    """A sub-query as a table: its columns are c1, c2, … in the database; not all are known after a fault."""
    fields = tuple(Field(column, f"c{i}") for i, column in enumerate(columns, 1))
    return Source(alias, name.this, bool(name.args.get("quoted")), fields, known=known, query=query)


def _position(number: int) -> exp.Expr:
    """The number of a column in ORDER BY, marked: an equal literal would be a constant."""
    node = exp.Literal.number(number)
    node.meta["position"] = True
    return node


def _output(position: int, value: exp.Expr) -> exp.Expr:
    return describe(exp.Alias(this=value, alias=_quoted(f"c{position}")), described(value))


def _named(items: list[tuple[str | None, exp.Expr]]) -> Columns:
    """The published columns of SELECT; what has no name gets a legal one that no other column has."""
    taken = {alias.lower() for alias, _ in items if alias is not None}
    taken |= {_own_name(value).lower() for _, value in items}
    columns = []
    for position, (alias, value) in enumerate(items, 1):
        name = alias or _own_name(value)
        if not name:
            name = _invented(value, position)
            while name.lower() in taken or name.upper() in RESERVED:
                name += "_"
            taken.add(name.lower())
        column = described(value)
        is_published = column.name == name and column.db_name is None
        columns.append(column if is_published else replace(column, name=name, db_name=None))
    return tuple(columns)


def _own_name(value: exp.Expr) -> str:
    """The name of a column, also of one that FULL JOIN made of two; other values have none."""
    is_column = isinstance(value, exp.Column) or (isinstance(value, Call) and value.this == "COALESCE")
    return described(value).name if is_column else ""


def _invented(value: exp.Expr, position: int) -> str:
    """A name for an expression: `max_mag`, `count_all`, or `col_3`."""
    if isinstance(value, Call) and len(value.arguments) == 1:
        argument = value.arguments[0]
        if isinstance(argument, exp.Star):
            return "count_all"
        if isinstance(argument, exp.Column) and is_regular(described(argument).name):
            return f"{value.this.lower()}_{described(argument).name}"
    return f"col_{position}"
