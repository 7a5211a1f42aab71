"""The VOSI documents: valid, complete, and readable by others."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from lxml import etree
from pyvo.io import vosi as pyvo_vosi

from vo import vosi
from vo.catalog import Catalog, Column, ForeignKey, Schema, Table
from vo.errors import NotFoundError, UsageError
from vo.tap.schema import TAP_SCHEMA

AWKWARD = 'naïve & <b>bold</b> ]]> "q" \x00\x0b☉'
CATALOG = Catalog(
    (
        TAP_SCHEMA,
        Schema(
            "My Survey",
            (
                Table(
                    "My Survey",
                    "Order",
                    (
                        Column("size", "int", description=AWKWARD, indexed=True),
                        Column("_RAJ2000", "double", unit="deg", ucd="pos.eq.ra;meta.main", principal=True),
                        Column("MixedCase", "float", unit="mag", utype="a:b.c", std=True),
                        Column('quo"ted', "char", arraysize="12"),
                        Column("when_observed", "char", arraysize="*", xtype="timestamp"),
                        Column("moments", "double", arraysize="3"),
                    ),
                    description=AWKWARD,
                    utype="x:y",
                    nrows=0,
                    keys=(
                        ForeignKey(
                            "plain.t", (("size", "id"), ("MixedCase", "Mag")), "Joins & <joins>", "k:k"
                        ),
                        ForeignKey("plain.gone", (("size", "id"),)),
                    ),
                ),
            ),
            description="schöne Daten",
        ),
        Schema("plain", (Table("plain", "t", (Column("id", "int"), Column("Mag", "float")), kind="view"),)),
    ),
    "r1",
)


DOCUMENTS = {
    "tables": lambda: vosi.tables(CATALOG),
    "tables, min": lambda: vosi.tables(CATALOG, "MIN"),
    "table": lambda: vosi.table(CATALOG, '"My Survey"."Order"'),
    "availability": lambda: vosi.availability(
        up_since=datetime(2030, 1, 2, tzinfo=UTC), notes=[AWKWARD], down_at=datetime(2030, 1, 3, tzinfo=UTC)
    ),
    "capabilities": lambda: vosi.capabilities("http://localhost/sia/", vosi.capability("ivo://x.y/z")),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_are_valid(name: str, assert_valid: Callable[[bytes], None]) -> None:
    """Every document obeys its schema, whatever names and descriptions hold."""
    assert_valid(DOCUMENTS[name]())


def test_table_set_says_what_the_catalogue_says() -> None:
    """Names as ADQL takes them, types, flags, keys: another reader finds all of them (V2, V3)."""
    read = pyvo_vosi.parse_tables(io.BytesIO(vosi.tables(CATALOG)), pedantic=True)
    table = read.get_table_by_name('"My Survey"."Order"')
    assert [schema.name for schema in read.tableset.schemas] == ["TAP_SCHEMA", '"My Survey"', "plain"]
    assert (table.type, table.nrows, table.utype) == ("table", 0, "x:y")
    assert table.description == AWKWARD.replace("\x00\x0b", "")
    names = ['"size"', '"_RAJ2000"', "MixedCase", '"quo""ted"', "when_observed", "moments"]
    assert [column.name for column in table.columns] == names
    by_name = dict(zip(names, table.columns, strict=True))
    assert by_name['"size"'].flags == ["indexed"]
    assert (by_name['"_RAJ2000"'].unit, by_name['"_RAJ2000"'].ucd) == ("deg", "pos.eq.ra;meta.main")
    assert by_name['"_RAJ2000"'].flags == ["principal"]
    assert (by_name["MixedCase"].std, by_name["MixedCase"].utype) == (True, "a:b.c")
    assert (by_name["moments"].datatype.content, by_name["moments"].datatype.arraysize) == ("double", "3")


def test_extended_types_are_told() -> None:
    """A timestamp is text with an extendedType, which pyvo does not read (T5)."""
    column = etree.fromstring(vosi.table(CATALOG, '"My Survey"."Order"')).xpath(
        "column[name='when_observed']"
    )[0]
    data_type = column.find("dataType")
    assert (data_type.text, data_type.get("arraysize")) == ("char", "*")
    assert data_type.get("extendedType") == "timestamp"
    assert data_type.get("{http://www.w3.org/2001/XMLSchema-instance}type") == "vs:VOTableType"


def test_key_to_an_unpublished_table_is_left_out() -> None:
    """A join is only recommended to a table that can be asked."""
    table = etree.fromstring(vosi.table(CATALOG, '"my survey"."order"'))
    assert table.xpath("foreignKey/targetTable/text()") == ["plain.t"]
    assert table.xpath("foreignKey/fkColumn/fromColumn/text()") == ['"size"', "MixedCase"]
    assert table.xpath("foreignKey/fkColumn/targetColumn/text()") == ["id", "Mag"]


def test_min_has_every_table_and_no_column() -> None:
    """detail=min is the list of names and no more (VOSI 1.1, 6)."""
    minimal = etree.fromstring(vosi.tables(CATALOG, "min"))
    full = etree.fromstring(vosi.tables(CATALOG, "max"))
    assert minimal.xpath("//table/name/text()") == full.xpath("//table/name/text()")
    assert minimal.xpath("//column | //foreignKey") == []


def test_one_table_equals_its_part_of_the_set() -> None:
    """Nothing is lost when a client asks table by table."""
    full = etree.fromstring(vosi.tables(CATALOG))
    for table in full.iter("table"):
        alone = etree.fromstring(vosi.table(CATALOG, table.findtext("name")))
        assert [etree.tostring(part, method="c14n2", strip_text=True) for part in alone] == [
            etree.tostring(part, method="c14n2", strip_text=True) for part in table
        ]


def test_table_set_is_built_once_and_never_stale() -> None:
    """The same catalogue gives the same bytes object; an equal but other catalogue is not confused."""
    other = Catalog(CATALOG.schemas[1:], CATALOG.release)
    assert vosi.tables(CATALOG) is vosi.tables(CATALOG, "max")
    assert b"TAP_SCHEMA" not in vosi.tables(other)


@pytest.mark.parametrize("detail", ["", "full", "min max"])
def test_unknown_detail_is_refused(detail: str) -> None:
    """A misspelt parameter is told, not guessed."""
    with pytest.raises(UsageError, match="detail must be max or min"):
        vosi.tables(CATALOG, detail)


@pytest.mark.parametrize(
    ("name", "hint"), [("plain.tt", "Did you mean plain.t"), ("nothing", "all tables"), ("", "all tables")]
)
def test_unknown_table_is_not_found(name: str, hint: str) -> None:
    """A table that is not there is 404, with what may have been meant."""
    with pytest.raises(NotFoundError, match=hint):
        vosi.table(CATALOG, name)


def test_availability_is_in_utc() -> None:
    """Times are UTC with a Z, whatever zone they came in (V5)."""
    east = timezone(timedelta(hours=2))
    document = vosi.availability(
        up_since=datetime(2030, 1, 1, 1, tzinfo=east), available=False, notes=["a<b"]
    )
    read = pyvo_vosi.parse_availability(io.BytesIO(document), pedantic=True)
    assert not read.available
    assert b"2029-12-31T23:00:00Z" in document
    assert list(read.notes) == ["a<b"]


def test_endpoints_are_siblings() -> None:
    """VOSI resources lie beside each other under the service, with use="full" (V1, T1)."""
    read = pyvo_vosi.parse_capabilities(io.BytesIO(vosi.capabilities("http://localhost/sia/")), pedantic=True)
    found = {
        c.standardid: (c.interfaces[0].accessurls[0].content, c.interfaces[0].accessurls[0].use) for c in read
    }
    assert found == {
        "ivo://ivoa.net/std/VOSI#capabilities": ("http://localhost/sia/capabilities", "full"),
        "ivo://ivoa.net/std/VOSI#availability": ("http://localhost/sia/availability", "full"),
    }
