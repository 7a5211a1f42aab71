"""The statements that make tables in Oracle, and the script of its accounts, by an independent grammar."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from adql.oracle_grammar import judged_by_grammar

from vo.catalog import Column, SpatialKey, Table
from vo.load.oracle_ddl import StoredTable, creation, finishing, problems, stored_column, stored_name
from vo.sample.columns import schema

SCRIPT = Path(__file__).resolve().parents[1] / "docs" / "oracle-accounts.sql"
GRAMMAR_S = 100

TABLE = Table(
    "s",
    "t",
    (
        Column("id", "long", description="Who's it", db_name="ID"),
        Column("ra", "double", unit="deg", db_name="RA"),
        Column("dec", "float", unit="deg", db_name="DEC"),
        Column("B-V", "boolean", db_name="B-V"),
        Column("one", "char", db_name="ONE"),
        Column("name", "unicodeChar", "12*", db_name="NAME"),
        Column("note", "char", "*", db_name="NOTE"),
        Column("seen", "char", "*", xtype="timestamp", db_name="SEEN"),
    ),
    "It's a table.",
    spatial=SpatialKey("ra", "dec", "HPX29"),
    db_name=("OWNER", "S_T_L0BADCAF"),
)
STORED = StoredTable(TABLE, frozenset({"id"}), ("id",), (("ra", "dec"),), (10, 20))


STATISTICS = (
    "BEGIN DBMS_STATS.GATHER_TABLE_STATS(ownname => '\"OWNER\"', tabname => '\"S_T_L0BADCAF\"', "
    "cascade => TRUE); END;"
)


def test_a_table_is_made() -> None:
    """Each datatype has its type, the index is the last column, rows without a position have a partition."""
    assert creation(STORED) == (
        'CREATE TABLE "OWNER"."S_T_L0BADCAF" ("ID" NUMBER(19) NOT NULL, "RA" BINARY_DOUBLE, '
        '"DEC" BINARY_FLOAT, "B-V" NUMBER(1), "ONE" VARCHAR2(1), "NAME" VARCHAR2(12 CHAR), '
        '"NOTE" VARCHAR2(4000), "SEEN" TIMESTAMP, "HPX29" NUMBER(19)) PARTITION BY RANGE ("HPX29") '
        '(PARTITION "P1" VALUES LESS THAN (10), PARTITION "P2" VALUES LESS THAN (20), '
        'PARTITION "P3" VALUES LESS THAN (MAXVALUE))'
    )
    assert "PARTITION" not in creation(replace(STORED, borders=()))


def test_what_follows_the_rows() -> None:
    """Keys, index, comments with their quotes doubled, grants, statistics, in this order."""
    assert list(finishing(STORED, ["VO_READ"])) == [
        'ALTER TABLE "OWNER"."S_T_L0BADCAF" ADD CONSTRAINT "S_T_L0BADCAF_K0" PRIMARY KEY ("ID")',
        'ALTER TABLE "OWNER"."S_T_L0BADCAF" ADD CONSTRAINT "S_T_L0BADCAF_K1" UNIQUE ("RA", "DEC")',
        'CREATE INDEX "S_T_L0BADCAF_X" ON "OWNER"."S_T_L0BADCAF" ("HPX29") LOCAL',
        "COMMENT ON TABLE \"OWNER\".\"S_T_L0BADCAF\" IS 'It''s a table.'",
        'COMMENT ON COLUMN "OWNER"."S_T_L0BADCAF"."ID" IS \'Who\'\'s it\'',
        'COMMENT ON COLUMN "OWNER"."S_T_L0BADCAF"."RA" IS \'[deg]\'',
        'COMMENT ON COLUMN "OWNER"."S_T_L0BADCAF"."DEC" IS \'[deg]\'',
        'GRANT SELECT ON "OWNER"."S_T_L0BADCAF" TO "VO_READ"',
        STATISTICS,
    ]


def test_what_cannot_be_stored_is_named() -> None:
    """Arrays, names with quotes, too many columns."""
    odd = Table("s", "t", (Column("a", "int", "3"), Column('b"', "int"), Column("é" * 65, "int")))
    assert [problem.partition(":")[2].split()[0] for problem in problems(odd)] == [
        "a",
        "'b\"'",
        f"'{'é' * 40}'",
    ]
    wide = Table("s", "t", tuple(Column(f"c{i}", "int") for i in range(1000)))
    assert "Oracle takes 999" in next(problems(wide))


def _statements() -> list[str]:
    tables = [TABLE, *schema().tables]
    found = []
    for table in tables:
        columns = tuple(replace(column, db_name=stored_column(column.name)) for column in table.columns)
        placed = replace(table, columns=columns, db_name=("VO_ADMIN", stored_name(table, "L0BADCAF")))
        stored = StoredTable(placed, frozenset(), (table.columns[0].name,), borders=STORED.borders)
        found += [creation(stored), *(each.rstrip(";") for each in finishing(stored, ["VO_READ"]))]
    plain = re.sub(r"^--.*$", "", SCRIPT.read_text("utf-8"), flags=re.MULTILINE)
    return [*found, *(each.strip() for each in plain.split(";") if each.strip())]


@pytest.mark.timeout(GRAMMAR_S + 120)
def test_every_statement_is_of_the_grammar() -> None:
    """The grammar takes all of them, those of the accounts too, and refuses what is none."""
    wrong = 'CREATE TABLE "A" ("B" NUMBER(19) PARTITION)'
    seen: dict[str, str] = {}
    for statement in _statements():  # one of each form: the grammar takes its time
        seen.setdefault(re.sub(r'"[^"]*"|\'[^\']*\'|\d+', "", statement)[:200], statement)
    judged = judged_by_grammar([*seen.values(), wrong], GRAMMAR_S)
    assert {sql: said for sql, said in judged.items() if said and sql != wrong} == {}
    assert judged[wrong]
