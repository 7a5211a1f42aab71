"""Columns and tables by the names that a query gives them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from vo.adql import kinds
from vo.adql.advice import did_you_mean
from vo.adql.nodes import describe, duplicate
from vo.adql.problems import Problems, span_of
from vo.adql.scopes import Scope, Source, same
from vo.catalog import Catalog, Table, nearest, quoted


@dataclass(frozen=True, slots=True)
class Names:
    """The columns in sight of a scope; `catalog` knows the tables that are not in it, for advice."""

    scope: Scope
    problems: Problems
    catalog: Catalog | None = None

    def column(self, node: exp.Expr, *, prefer_selected: bool = False) -> exp.Expr:
        """The column that `node` names: the innermost scope that has it wins.

        `prefer_selected` looks among the names of SELECT first, as ORDER BY does.
        """
        name, qualifier, schema = node.this, node.args.get("table"), node.args.get("db")
        if node.args.get("catalog") is not None:
            schema = exp.Identifier(this="", quoted=True)
        if qualifier is not None:
            return self._qualified(node, name, qualifier, schema)
        found = self._selected(name) if prefer_selected else []
        for scope in self.scope.outwards():
            if found:
                break
            visible = scope.relation.find(name)
            if len(visible) > 1:
                choices = list(
                    dict.fromkeys(f"{quoted(item.parts[0][0].name)}.{name.this}" for item in visible[:3])
                )
                self.problems.add(
                    f"The column {name.this} is in more than one table",
                    span_of(node),
                    rule="ADQL 2.1, 2.2",
                    suggestion=f"Write {' or '.join(choices)}.",
                )
                return describe(node, kinds.NULL, name=name.this)
            found = [item.reference() for item in visible]
        if not found and not prefer_selected:
            found = self._selected(name)
        if found:
            return found[0]
        if self.scope.lacks(name.this):
            self._unknown(node, name)
        return describe(node, kinds.NULL, name=name.this)

    def _selected(self, name: exp.Identifier) -> list[exp.Expr]:
        found = [value for alias, value in self.scope.selected if same(name, alias)]
        return [duplicate(found[0])] if found else []

    def _qualified(
        self, node: exp.Expr, name: exp.Identifier, qualifier: exp.Identifier, schema: exp.Identifier | None
    ) -> exp.Expr:
        sources = self.sources(qualifier, schema)
        if len(sources) != 1:
            self.judge_source(sources, qualifier, schema)
            return describe(node, kinds.NULL, name=name.this)
        source = sources[0]
        found = source.find(name)
        if len(found) > 1:
            self.problems.add(
                f"{source.name} has more than one column {name.this}",
                span_of(node),
                rule="ADQL 2.1, 2.2",
                suggestion="Give them names of their own there: column AS name.",
            )
        if found:
            return found[0].reference()
        if source.known:
            self._unknown(node, name, source)
        return describe(node, kinds.NULL, name=name.this)

    def sources(self, qualifier: exp.Identifier, schema: exp.Identifier | None) -> list[Source]:
        """The tables that a qualifier means, of the innermost scope that has one."""
        for scope in self.scope.outwards():
            sources = scope.relation.called(qualifier, schema)
            if sources:
                return sources
        return []

    def judge_source(
        self, sources: list[Source], qualifier: exp.Identifier, schema: exp.Identifier | None
    ) -> None:
        """Note that a qualifier means no table, or several."""
        name = qualifier.this if schema is None else f"{schema.this}.{qualifier.this}"
        if sources:
            self.problems.add(
                f"More than one table of the query is called {name}", span_of(qualifier), rule="ADQL 2.1, 2.2"
            )
        elif self.scope.all_known:
            self.problems.add(
                f"No table of the query is called {name}",
                span_of(qualifier),
                rule="ADQL 2.1, 2.2",
                suggestion=self._about_source(qualifier),
            )

    def _about_source(self, qualifier: exp.Identifier) -> str | None:
        """Which table may be meant, by the name that the query gave it, or that it lacks in FROM."""
        sources = [source for scope in self.scope.outwards() for source in scope.relation.sources]
        for source in sources:
            if source.table is not None and same(qualifier, source.table.name):
                return f"The query calls this table {quoted(source.name)}."
        if self.catalog is not None and any(same(qualifier, table.name) for table in self.catalog.tables()):
            return f"The table {qualifier.this} is not in FROM."
        known = [source.name for source in sources]
        return did_you_mean(nearest(qualifier.this, known) or known[:3])

    def _unknown(self, node: exp.Expr, name: exp.Identifier, source: Source | None = None) -> None:
        known = self.scope.names() if source is None else [item.column.name for item in source.visible]
        close = [quoted(candidate) for candidate in nearest(name.this, known)]
        suggestion = did_you_mean(close)
        if name.args.get("quoted") and not any(name.this.lower() == other.lower() for other in known):
            hint = "A string is written between single quotes."
            suggestion = hint if suggestion is None else f"{hint} {suggestion}"
        where = "" if source is None else f" in {source.name}"
        self.problems.add(
            f"There is no column {name.this}{where}",
            span_of(node),
            rule="ADQL 2.1, 2.2",
            suggestion=suggestion,
        )


def published_table(node: exp.Expr, catalog: Catalog, problems: Problems) -> Table | None:
    """The table of the catalogue that a FROM names; a problem and None if there is none, or several."""
    name, schema = node.this, node.args.get("db")
    if node.args.get("catalog") is None:
        found = [
            table
            for table in catalog.tables()
            if same(name, table.name) and (schema is None or same(schema, table.schema))
        ]
        if len(found) == 1:
            return found[0]
        if found:
            choices = " or ".join(table.qualified for table in found[:3])
            problems.add(
                f"The table {name.this} is in more than one schema",
                span_of(node),
                rule="ADQL 2.1, 2.2",
                suggestion=f"Write {choices}.",
            )
            return None
    written = ".".join(part.this for part in (node.args.get("catalog"), schema, name) if part is not None)
    problems.add(
        f"There is no table {written}",
        span_of(node),
        rule="ADQL 2.1, 2.2",
        suggestion=_nearest_table(name.this, schema, catalog),
    )
    return None


def _nearest_table(name: str, schema: exp.Identifier | None, catalog: Catalog) -> str | None:
    tables = {table.name: table.qualified for table in catalog.tables()}
    close = [tables[candidate] for candidate in nearest(name, list(tables))]
    if not close and schema is not None:
        close = [
            table.qualified
            for item in catalog.schemas
            if nearest(schema.this, [item.name])
            for table in item.tables[:3]
        ]
    return did_you_mean(close[:3]) or "The tables are listed in TAP_SCHEMA.tables."
