"""What is wrong in a description is told at once, each with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from loading import POSITION, STARS, config_of, write_stars

from vo.catalog import ForeignKey
from vo.errors import LoadError
from vo.load import columns, constraints, datafile, felis, load_release
from vo.load.felis import read_description

HEAD = "name: s\ntables:\n  - name: t\n    columns:\n"
"""A schema and a table; the first column follows on line 5."""

FLAWS = {
    "not yaml": ("name: [s\ntables: x", 2, "This is not YAML"),
    "empty": ("", None, "The file is empty"),
    "a list": ("- a\n", 1, "A schema is a mapping of keys"),
    "alias": ("name: &a s\ndescription: *a\ntables: []\n", 2, "alias *a"),
    "no name": ("description: x\ntables: []\n", 1, "lacks the key `name`"),
    "no tables": ("name: s\n", 1, "at least one table"),
    "no columns": ("name: s\ntables:\n- name: t\n", 3, "at least one column"),
    "unknown key": (HEAD + "      - name: a\n        datatyp: int\n", 6, "did you mean `datatype`?"),
    "unknown prefix": (
        HEAD + "      - {name: a, datatype: int, iova:ucd: x}\n",
        5,
        "did you mean `ivoa:ucd`?",
    ),
    "twice": (HEAD + "      - name: a\n        datatype: int\n        name: b\n", 7, "`name` is given twice"),
    "name is true": (HEAD + "      - {name: on, datatype: int}\n", 5, "in quotes"),
    "datatype": (HEAD + "      - {name: a, datatype: flaot}\n", 5, "did you mean float?"),
    "length": (HEAD + "      - {name: a, datatype: int, length: 4}\n", 5, "text and binary columns only"),
    "arraysize": (HEAD + "      - {name: a, datatype: int, votable:arraysize: 2x2}\n", 5, "8, 8* or *"),
    "flag": (HEAD + "      - {name: a, datatype: int, nullable: maybe}\n", 5, "true or false, not `maybe`"),
    "unit": (
        HEAD + "      - name: a\n        datatype: int\n        ivoa:unit: degrees\n",
        7,
        "not a unit of VOUnits",
    ),
    "loose unit": (HEAD + "      - {name: a, datatype: int, ivoa:unit: km s-1}\n", 5, "mean `km.s**-1`?"),
    "two units": (HEAD + "      - {name: a, datatype: int, ivoa:unit: s, fits:tunit: s}\n", 5, "not both"),
    "ucd": (HEAD + "      - {name: a, datatype: int, ivoa:ucd: pos.eq.rra}\n", 5, "pos.eq.rra"),
    "same name": (
        HEAD + "      - {name: a, datatype: int}\n      - {name: A, datatype: int}\n",
        6,
        "2 columns",
    ),
    "reserved name": (HEAD + "      - {name: Unit_X, datatype: int}\n", 5, "reserved for the stored sky"),
    "tap_schema": (HEAD.replace("s\n", "TAP_SCHEMA\n", 1), 1, "the service's own"),
    "half a position": (HEAD + POSITION.splitlines()[0] + "\n", 5, "pos.eq.dec;meta.main"),
    "position in hours": (HEAD + POSITION.replace("deg", "h", 1), 5, "needs the line `ivoa:unit: deg`"),
    "primary key": (
        HEAD + "      - {name: a, datatype: int}\n    primaryKey: '#t.aa'\n",
        6,
        "did you mean `#t.a`?",
    ),
    "foreign key": (
        HEAD + "      - {name: a, datatype: int}\n    constraints:\n"
        "      - {'@type': ForeignKey, columns: ['#t.a'], referencedColumns: ['#u.a']}\n",
        7,
        "names #u.a, which nothing has",
    ),
    "constraint": (
        HEAD + "      - {name: a, datatype: int}\n    constraints:\n      - {'@type': Uniq}\n",
        7,
        "Unique?",
    ),
    "outside": (HEAD + "      - {name: a, datatype: int}\n    data: ../t.csv\n", 3, "leads out of"),
    "no data": (HEAD + "      - {name: a, datatype: int}\n", 3, "The table t has no data"),
    "no match": (HEAD + "      - {name: a, datatype: int}\n    data: t-*.csv\n", 3, "matches no file"),
    "no format": (HEAD + "      - {name: a, datatype: int}\n    data: release.yaml\n", 3, "known kind"),
}


@pytest.mark.parametrize("flaw", FLAWS)
def test_flaw_is_told_with_its_line(flaw: str, tmp_path: Path) -> None:
    """Each flaw names the line at which to mend it."""
    text, line, message = FLAWS[flaw]
    (tmp_path / "release.yaml").write_text(text)
    with pytest.raises(LoadError) as caught:
        load_release(tmp_path, config_of(tmp_path / "data"))
    place = "  release.yaml" + (f", line {line}:" if line else ":")
    told = [told for told in str(caught.value).splitlines() if message in told]
    assert [t for t in told if t.startswith(place)], str(caught.value)


def test_all_flaws_at_once(tmp_path: Path) -> None:
    """Flaws are told together, in the order of the lines."""
    (tmp_path / "release.yaml").write_text(
        HEAD
        + "      - {name: a, datatype: intt}\n      - {name: b, datatype: int, ivoa:unit: foo}\n    dat: x\n"
    )
    with pytest.raises(LoadError, match="3 problems") as caught:
        read_description(tmp_path / "release.yaml")
    places = [line.split(":")[0] for line in str(caught.value).splitlines()[1:]]
    assert places == [f"  release.yaml, line {number}" for number in (5, 6, 7)]


def test_no_description(tmp_path: Path) -> None:
    """A directory without a description is answered with the least that one may say, and that works."""
    with pytest.raises(LoadError, match=r"has no release\.yaml") as caught:
        load_release(tmp_path, config_of(tmp_path / "data"))
    example = str(caught.value).partition("\n\n")[2]
    (tmp_path / "release.yaml").write_text(example)
    assert read_description(tmp_path / "release.yaml").tables[0].table.spatial is not None


@pytest.mark.parametrize("name", ["memory", "a b", "1st", "vo_meta", ""])
def test_release_name(name: str, tmp_path: Path) -> None:
    """A release is called by a regular identifier that the database has no other use for."""
    source = write_stars(tmp_path / "source", description=STARS.replace("name: sky", f"name: '{name}'"))
    with pytest.raises(LoadError):
        load_release(source, config_of(tmp_path))


FELIS = """\
name: one
'@id': '#one'
version: 2.1
ivoa:citation: 10.1000/182
ivoa:publication_date: 2026-11-30
mysql:charset: utf8
tables:
- name: late
  '@id': '#late'
  tap:table_index: 2
  votable:utype: a:b
  columns:
  - {name: b, '@id': '#late.b', datatype: string, length: 8, tap:column_index: 2, nullable: false}
  - {name: a, '@id': '#late.a', datatype: long, mysql:datatype: BIGINT, tap:column_index: 1, tap:std: 1}
  - {name: c, datatype: char, length: 3, votable:utype: x, votable:xtype: y, fits:tunit: deg}
  - {name: d, datatype: timestamp, description: 'When.'}
  constraints:
  - name: fk
    '@type': ForeignKey
    description: Leads on.
    columns: ['#late.a']
    referencedColumns: ['#early.id']
- name: early
  tap:table_index: 1
  primaryKey: ['#early.id']
  indexes: [{name: i, columns: ['#early.id']}]
  columns:
  - {name: id, datatype: long, tap:principal: true}
---
name: two
tables:
- name: only
  columns: [{name: size, datatype: byte, votable:arraysize: 1}]
"""


def test_felis_becomes_the_catalogue(tmp_path: Path) -> None:
    """Order, sizes, flags and joins are those of the description; other tools' keys are let pass."""
    (tmp_path / "release.yaml").write_text(FELIS)
    description = read_description(tmp_path / "release.yaml")
    one, two = description.schemas
    assert [table.name for table in one.tables] == ["early", "late"]
    assert one.origin == (
        ("resource_version", "2.1"),
        ("citation", "10.1000/182"),
        ("publication_date", "2026-11-30"),
    )
    late = one.tables[1]
    assert [column.name for column in late.columns] == ["a", "b", "c", "d"]
    assert [column.arraysize for column in late.columns] == [None, "8*", "3", "*"]
    assert [column.xtype for column in late.columns] == [None, None, "y", "timestamp"]
    assert late.columns[0].std
    assert late.columns[2].unit == "deg"
    assert late.keys == (ForeignKey("one.early", (("a", "id"),), "Leads on."),)
    assert one.tables[0].columns[0].principal
    assert description.tables[0].required == {"id"}
    assert description.tables[1].required == {"b"}
    assert two.tables[0].columns[0].arraysize is None
    assert description.notes == ("one.early: indexes are read and not used.",)


def test_documented_keys() -> None:
    """The manual names every key, datatype and kind of file."""
    text = (Path(__file__).resolve().parents[1] / "docs" / "load.md").read_text("utf-8")
    known = {*felis.SCHEMA_KEYS, *felis.TABLE_KEYS, *columns.KEYS, *columns.KINDS, *constraints.KEYS}
    assert [name for name in sorted(known | set(datafile.KINDS)) if f"`{name}`" not in text] == []
