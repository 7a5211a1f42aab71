"""Keys of a Felis description: primary, unique and foreign ones, their columns found by @id or name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from vo.catalog import ForeignKey, nearest
from vo.load.description import Constraints, DescribedColumn, DescribedTable, Reference
from vo.load.document import Fields, Problems

KEYS = (
    *("name", "@id", "@type", "description", "columns", "referencedColumns", "expression", "votable:utype"),
    *("deferrable", "initially", "annotations"),
)
"""The keys of a constraint; the last three are read by other tools and mean nothing here."""

KINDS = ("ForeignKey", "Unique", "Check")


def read_constraints(
    fields: Fields, columns: Sequence[DescribedColumn], problems: Problems, *, table: str
) -> Constraints:
    """The constraints among the `fields` of a table; a column they name and it lacks is a problem."""
    known = _by_reference(columns, table)
    primary = _resolved(fields, "primaryKey", known, problems)
    unique: list[tuple[str, ...]] = []
    references: list[Reference] = []
    unused = {"indexes": None} if "indexes" in fields else {}
    for item in fields.items("constraints"):
        constraint = Fields(item, KEYS, problems, what="constraint")
        kind = constraint.required("@type")
        if kind == "ForeignKey":
            references.append(_reference(constraint, known, problems))
        elif kind == "Unique":
            unique.append(_resolved(constraint, "columns", known, problems))
        elif kind == "Check":
            unused["check constraints"] = None
        elif kind:
            close = nearest(kind, KINDS, 1) or KINDS
            constraint.problem("@type", f"There is no constraint {kind}; did you mean {close[0]}?")
    return Constraints(primary, tuple(unique), tuple(references), tuple(unused))


def with_foreign_keys(tables: Sequence[DescribedTable], problems: Problems) -> list[DescribedTable]:
    """The tables, with the foreign keys of each now that all tables are known."""
    known = {
        reference: (table, name)
        for table in tables
        for reference, name in _by_reference(table.columns, table.table.name, remote=True).items()
    }
    return [
        replace(
            described,
            table=replace(
                described.table,
                keys=tuple(
                    key
                    for reference in described.constraints.references
                    if (key := _foreign_key(reference, known, problems)) is not None
                ),
            ),
        )
        for described in tables
    ]


def _by_reference(columns: Sequence[DescribedColumn], table: str, *, remote: bool = False) -> dict[str, str]:
    """Every spelling that refers to a column: its @id, `#table.column`, and at home its bare name."""
    spelled = {f"#{table}.{column.column.name}".lower(): column.column.name for column in columns}
    spelled |= {column.id.lower(): column.column.name for column in columns}
    return spelled if remote else {c.column.name.lower(): c.column.name for c in columns} | spelled


def _resolved(fields: Fields, key: str, known: Mapping[str, str], problems: Problems) -> tuple[str, ...]:
    names = []
    for reference in fields.texts(key):
        if reference.lower() in known:
            names.append(known[reference.lower()])
        else:
            close = nearest(reference, list(known), 1)
            advice = f"; did you mean `{close[0]}`?" if close else "."
            problems.add(fields.line_at(key), f"`{key}` names {reference}, no column of this table{advice}")
    return tuple(names)


def _reference(fields: Fields, known: Mapping[str, str], problems: Problems) -> Reference:
    columns = _resolved(fields, "columns", known, problems)
    referenced = fields.texts("referencedColumns")
    if len(fields.texts("columns")) != len(referenced) or not referenced:
        fields.problem(
            "referencedColumns", "A foreign key needs as many `referencedColumns` as `columns`, at least one."
        )
    return Reference(
        columns, referenced, fields.text("description"), fields.text("votable:utype"), fields.line
    )


def _foreign_key(
    reference: Reference, known: Mapping[str, tuple[DescribedTable, str]], problems: Problems
) -> ForeignKey | None:
    found = [known.get(name.lower()) for name in reference.referenced]
    for name, match in zip(reference.referenced, found, strict=True):
        if match is None:
            close = nearest(name, list(known), 1)
            advice = f"; did you mean `{close[0]}`?" if close else "."
            problems.add(reference.line, f"`referencedColumns` names {name}, which nothing has{advice}")
    matches = [match for match in found if match is not None]
    if len(matches) < len(found):
        return None
    targets = {match[0].table.qualified for match in matches}
    if len(targets) > 1:
        problems.add(
            reference.line, f"A foreign key leads to one table, not to {', '.join(sorted(targets))}."
        )
        return None
    pairs = tuple(zip(reference.columns, (match[1] for match in matches), strict=True))
    return ForeignKey(targets.pop(), pairs, reference.description, reference.utype)
