"""What TAP says of itself: TAP_SCHEMA, capabilities, examples, and the page for people."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace

import duckdb
import pyarrow as pa
import pytest
from lxml import etree
from pyvo.io import vosi as pyvo_vosi

from vo.adql import FEATURES, translate
from vo.catalog import Catalog, Column, ForeignKey, Schema, SpatialKey, Table
from vo.config import Config
from vo.formats import FORMATS, find
from vo.page import page
from vo.sample.columns import schema as sample_schema
from vo.tap.capabilities import capabilities
from vo.tap.examples import examples
from vo.tap.pages import examples_page, service_page
from vo.tap.schema import TAP_SCHEMA, describe

BASE = "http://localhost:8000"
AWKWARD = 'naïve & <b>bold</b> ]]> "q" \x00☉'
XHTML = {"h": "http://www.w3.org/1999/xhtml"}

STARS = Table(
    "My Survey",
    "Stars",
    (
        Column("size", "int", description=AWKWARD, indexed=True),
        Column("_RAJ2000", "double", unit="deg", ucd="pos.eq.ra;meta.main", principal=True),
        Column("dec", "double", unit="deg", ucd="pos.eq.dec;meta.main", std=True),
        Column("label", "char", arraysize="8*", utype="a:b"),
        Column("when_observed", "char", arraysize="*", xtype="timestamp"),
        Column("matrix", "double", arraysize="2x3"),
    ),
    description=AWKWARD,
    nrows=1234567,
    spatial=SpatialKey("_RAJ2000", "dec"),
    keys=(
        ForeignKey("plain.t", (("size", "id"),), "Where from"),
        ForeignKey("plain.gone", (("size", "id"),)),
    ),
)
SURVEY = Catalog(
    (
        Schema("My Survey", (STARS,), description=AWKWARD),
        Schema("plain", (Table("plain", "t", (Column("id", "int"),), kind="view"),)),
    ),
    "r1",
)
PUBLISHED = Catalog((TAP_SCHEMA,)).merged(SURVEY)


def sample_catalog() -> Catalog:
    """The sample release as `vo load` publishes it: with the positions that it indexes."""
    schema = sample_schema()
    keys = {"main": SpatialKey("ra", "dec"), "tile_info": SpatialKey("ra_cent", "dec_cent")}
    tables = tuple(replace(table, spatial=keys.get(table.name)) for table in schema.tables)
    return Catalog((TAP_SCHEMA, replace(schema, tables=tables)), "sim1")


CATALOGS = {"awkward names": PUBLISHED, "sample": sample_catalog(), "bare": Catalog((TAP_SCHEMA,))}


@pytest.fixture(scope="module")
def content() -> dict[str, pa.Table]:
    """The rows of TAP_SCHEMA for the small catalogue."""
    return describe(SURVEY)[1]


def rows(table: pa.Table, **wanted: str) -> list[dict[str, object]]:
    """The rows that have the `wanted` values."""
    return [row for row in table.to_pylist() if all(row[key] == value for key, value in wanted.items())]


def test_tap_schema_has_the_columns_of_the_standard() -> None:
    """The five tables with the names and types of TAP 1.1, 4 (T18)."""
    expected = {
        "schemas": "schema_name utype description schema_index",
        "tables": "schema_name table_name table_type utype description table_index",
        "columns": "table_name column_name datatype arraysize xtype size description utype unit ucd indexed"
        " principal std column_index",
        "keys": "key_id from_table target_table description utype",
        "key_columns": "key_id from_column target_column",
    }
    assert {table.name: " ".join(c.name for c in table.columns) for table in TAP_SCHEMA.tables} == expected
    integers = {c.name for table in TAP_SCHEMA.tables for c in table.columns if c.datatype == "int"}
    assert integers == set("size indexed principal std schema_index table_index column_index".split())
    assert all(c.std and c.description for table in TAP_SCHEMA.tables for c in table.columns)


def test_rows_come_in_the_declared_types(content: dict[str, pa.Table]) -> None:
    """A database that registers the rows serves just the columns that are published."""
    for table in TAP_SCHEMA.tables:
        assert content[table.name].schema == pa.schema([(c.name, c.arrow_type()) for c in table.columns])


def test_every_table_and_column_is_listed_once(content: dict[str, pa.Table]) -> None:
    """TAP_SCHEMA holds the catalogue, itself included, in the order of publication."""
    tables = list(PUBLISHED.tables())
    assert content["schemas"]["schema_name"].to_pylist() == ["TAP_SCHEMA", '"My Survey"', "plain"]
    assert content["tables"]["table_name"].to_pylist() == [table.qualified for table in tables]
    assert content["tables"]["table_index"].to_pylist() == list(range(1, len(tables) + 1))
    assert content["columns"].num_rows == sum(len(table.columns) for table in tables)
    assert rows(content["tables"], table_name="plain.t")[0]["table_type"] == "view"
    assert rows(content["tables"], table_name='"My Survey".Stars')[0]["description"] == AWKWARD


def test_names_are_stored_as_a_query_writes_them(content: dict[str, pa.Table]) -> None:
    """Reserved words and odd names carry their quotes; TAP_SCHEMA's own "size" too (T19)."""
    own = rows(content["columns"], table_name="TAP_SCHEMA.columns")
    assert '"size"' in [row["column_name"] for row in own]
    mine = rows(content["columns"], table_name='"My Survey".Stars')
    assert [row["column_name"] for row in mine[:3]] == ['"size"', '"_RAJ2000"', "dec"]


def test_column_rows_say_what_the_column_says(content: dict[str, pa.Table]) -> None:
    """Types, length, flags and the rest are those of the catalogue; flags are 0 or 1 (T19)."""
    mine = rows(content["columns"], table_name='"My Survey".Stars')
    assert [row["size"] for row in mine] == [None, None, None, 8, None, None]
    assert [row["arraysize"] for row in mine] == [None, None, None, "8*", "*", "2x3"]
    assert [(row["indexed"], row["principal"], row["std"]) for row in mine[:3]] == [
        (1, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
    ]
    assert (mine[1]["unit"], mine[1]["ucd"]) == ("deg", "pos.eq.ra;meta.main")
    assert (mine[3]["utype"], mine[4]["xtype"]) == ("a:b", "timestamp")
    assert mine[0]["description"] == AWKWARD


def test_keys_join(content: dict[str, pa.Table]) -> None:
    """The five keys of TAP_SCHEMA are told (T20), those of the release too, none to an absent table."""
    joined = duckdb.connect()
    for name in ("keys", "key_columns"):
        joined.register(name, content[name])
    found = joined.sql(
        "SELECT from_table, from_column, target_table, target_column"
        " FROM keys JOIN key_columns USING (key_id)"
    ).fetchall()
    own = "TAP_SCHEMA."
    assert sorted(found) == sorted(
        [
            ('"My Survey".Stars', '"size"', "plain.t", "id"),
            (own + "tables", "schema_name", own + "schemas", "schema_name"),
            (own + "columns", "table_name", own + "tables", "table_name"),
            (own + "keys", "from_table", own + "tables", "table_name"),
            (own + "keys", "target_table", own + "tables", "table_name"),
            (own + "key_columns", "key_id", own + "keys", "key_id"),
        ]
    )


def test_an_empty_service_still_describes_itself() -> None:
    """Without a release TAP_SCHEMA is there and lists itself."""
    assert describe(Catalog())[1]["tables"].num_rows == len(TAP_SCHEMA.tables)


def test_capabilities_are_valid(assert_valid: Callable[[bytes], None]) -> None:
    """The document obeys VOSI, VODataService and TAPRegExt."""
    assert_valid(capabilities(BASE, Config(), PUBLISHED, takes_uploads=True))


def test_capabilities_say_what_the_service_does() -> None:
    """One interface at one URL, both versions of ADQL, every feature, format and limit (T4, V4)."""
    config = Config(
        maxrec_default=7,
        maxrec_limit=70,
        duration_default_s=8,
        duration_limit_s=80,
        upload_rows=9,
        upload_from="",
    )
    read = pyvo_vosi.parse_capabilities(
        io.BytesIO(capabilities(BASE + "/", config, PUBLISHED, takes_uploads=True)), pedantic=True
    )
    tap = next(each for each in read if each.standardid == "ivo://ivoa.net/std/TAP")
    assert [(i.role, i.version, i.accessurls[0].content) for i in tap.interfaces] == [
        ("std", "1.1", BASE + "/tap")
    ]
    adql = tap.get_adql()
    assert [v.content for v in adql.versions] == ["2.0", "2.1"]
    declared = {
        group.type.lower(): [feature.form for feature in group] for group in adql.languagefeaturelists
    }
    assert sum(map(len, declared.values())) == len(FEATURES)
    assert all(feature.form in declared[feature.type] for feature in FEATURES)
    assert [each.mime for each in tap.outputformats] == [each.media_type for each in FORMATS]
    assert (tap.outputlimit.default.content, tap.outputlimit.hard.content) == (7, 70)
    assert (tap.executionduration.default, tap.executionduration.hard) == (8, 80)
    assert [each.ivo_id for each in tap.uploadmethods] == ["ivo://ivoa.net/std/TAPRegExt#upload-inline"]
    assert tap.uploadlimit.hard.content == 9


def test_uploads_are_declared_where_they_work() -> None:
    """A database that takes no tables has no method of upload; a service that fetches has those of HTTP."""
    without = etree.fromstring(capabilities(BASE, Config(), PUBLISHED, takes_uploads=False))
    assert not without.xpath("//uploadMethod | //uploadLimit")
    fetching = etree.fromstring(
        capabilities(BASE, Config(upload_from="public"), PUBLISHED, takes_uploads=True)
    )
    methods = [name.rpartition("-")[2] for name in fetching.xpath("//uploadMethod/@ivo-id")]
    assert methods == ["inline", "http", "https"]


def test_every_declared_format_can_be_asked_for() -> None:
    """RESPONSEFORMAT takes each media type and alias of the document."""
    document = etree.fromstring(capabilities(BASE, Config(), PUBLISHED, takes_uploads=True))
    names = document.xpath("//outputFormat/mime/text() | //outputFormat/alias/text()")
    assert names
    assert all(find(name) for name in names)


def test_endpoints_are_where_they_are_declared() -> None:
    """Capabilities, availability, tables and examples lie under /tap (T1, T6)."""
    document = etree.fromstring(capabilities(BASE, Config(), PUBLISHED, takes_uploads=True))
    assert document.xpath("//interface[not(@role)]/accessURL/text()") == [
        f"{BASE}/tap/{name}" for name in ("examples", "capabilities", "availability", "tables")
    ]


@pytest.mark.parametrize("name", CATALOGS)
def test_examples_are_queries_of_this_service(name: str) -> None:
    """Each example compiles against the catalogue it was made for (trap 23)."""
    catalog = CATALOGS[name]
    shown = examples(catalog)
    assert shown
    for example in shown:
        assert translate(example.query, catalog).columns
    assert len({example.id for example in shown}) == len(shown)


def test_the_sample_release_has_its_own_examples() -> None:
    """A release with the columns of the sample gets the worked examples, one that lacks a column does not."""
    names = {example.name for example in examples(CATALOGS["sample"])}
    assert {"Stars around M 2", "Map of star counts", "Bright galaxies"} <= names
    without = tuple(c for c in sample_schema().tables[0].columns if c.name != "hpix_1024")
    poorer = Catalog((Schema("sim1", (replace(sample_schema().tables[0], columns=without),)),))
    assert "Map of star counts" not in {example.name for example in examples(poorer)}
    assert "Bright galaxies" in {example.name for example in examples(poorer)}


@pytest.mark.parametrize("name", CATALOGS)
def test_examples_document_is_read_back(name: str) -> None:
    """Well-formed, one vocabulary, and per example one id, one resource, one name, one query (T6, D9)."""
    shown = examples(CATALOGS[name])
    document = etree.fromstring(examples_page(BASE, AWKWARD, shown).encode())
    assert document.xpath("//@vocab") == ["http://www.ivoa.net/rdf/examples#"]
    found = document.xpath("//*[@vocab]//*[@typeof='example']")
    assert [each.get("id") for each in found] == [example.id for example in shown]
    assert [each.get("resource") for each in found] == ["#" + example.id for example in shown]
    for key in ("name", "query", "table"):
        told = [each.xpath(f".//*[@property='{key}']") for each in found]
        assert [[part.text for part in parts] for parts in told] == [[getattr(e, key)] for e in shown]
        assert not any(len(part) for parts in told for part in parts), "properties are plain text"


@pytest.mark.parametrize("name", CATALOGS)
def test_service_page_is_whole(name: str) -> None:
    """The page is well-formed, loads nothing, labels what it asks, and links every table."""
    catalog = CATALOGS[name]
    text = service_page(BASE, AWKWARD, catalog, examples(catalog), query=AWKWARD)
    document = etree.fromstring(text.encode())
    assert not document.xpath("//h:script | //h:link | //h:img | //@src", namespaces=XHTML)
    assert document.xpath("//h:textarea/text()", namespaces=XHTML)[0].strip() == AWKWARD.replace("\x00", "")
    labelled = set(document.xpath("//h:label/@for", namespaces=XHTML))
    asked = "//h:form[@id='ask']//h:*[@name and not(self::h:button) and not(@type='hidden')]/@id"
    assert labelled == set(document.xpath(asked, namespaces=XHTML)) == {"query", "format", "maxrec"}
    assert len(document.xpath("//h:tbody/h:tr", namespaces=XHTML)) == len(list(catalog.tables()))
    ids = document.xpath("//@id")
    assert len(set(ids)) == len(ids)
    targets = document.xpath("//@href | //@action | //@formaction")
    assert all(re.match(rf"#|{BASE}/", target) for target in targets)
    assert [find(value) for value in document.xpath("//h:option/@value", namespaces=XHTML)]


def test_page_escapes_its_title() -> None:
    """A title is text, never markup."""
    assert "<title>a &lt;b&gt; &amp; c</title>" in page("a <b> & c", "<p>body</p>")
