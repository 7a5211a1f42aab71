"""What is published: columns, tables, schemas, and where the database keeps them.

The catalogue is the one source of TAP_SCHEMA, of /tables, of result metadata and of the allow-list of
names; it says nothing that depends on a database, but for the `db_name` of each thing.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import pyarrow as pa

from vo.reserved import RESERVED

Datatype = Literal[
    "boolean", "unsignedByte", "short", "int", "long", "float", "double", "char", "unicodeChar"
]
"""The datatypes of VOTable 1.4 (2.1) that we publish."""

FORM = 1
"""The number of the form in which catalogues are written: raised when code of before could not read them."""

IMAGE_RELEASE = "images"
"""The release with the images of all releases: it has tables in their schemas, listed behind their own."""

TILE_RELEASE = "tiles"
"""The release with the tiles of all releases."""

SHARED_RELEASES = (TILE_RELEASE, IMAGE_RELEASE)
"""Those that hold something of all releases, and share schemas with them but no tables."""

_SCALARS: Mapping[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "unsignedByte": pa.uint8(),
    "short": pa.int16(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "char": pa.string(),
    "unicodeChar": pa.string(),
}
_IDENTIFIERS = (("meta.id", "meta.main"), ("meta.ref.ivoid",))
"""The words of the UCD of a column that names each row, the best first."""

_REGULAR = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class Frame:
    """The reference frame of coordinates by its name in the IVOA vocabulary refframe.

    `stated` if a query names it: coordinates without a frame are ICRS beside it. Those of a frame that only
    follows from a conversion meet coordinates without a frame as they stand.
    """

    name: str
    stated: bool = True

    @property
    def axes(self) -> str:
        """The frame with these axes; those of FK5 at J2000 are taken for those of ICRS, 23 mas away."""
        return "ICRS" if self.name == "FK5" else self.name


def frames_agree(first: Frame | None, second: Frame | None) -> bool:
    """Whether numbers of one frame mean the same in the other.

    >>> frames_agree(None, Frame("FK5")), frames_agree(None, Frame("GALACTIC"))
    (True, False)
    >>> frames_agree(None, Frame("GALACTIC", stated=False)), frames_agree(Frame("FK4"), Frame("GALACTIC"))
    (True, False)
    """
    if first is None or second is None:
        named = first or second
        return named is None or not named.stated or named.axes == "ICRS"
    return first.axes == second.axes


@dataclass(frozen=True, slots=True)
class Column:
    """A column as VOTable 1.4 (3.2) describes a FIELD, plus the flags of TAP_SCHEMA (TAP 1.1, 4.3).

    `name` is bare (never quoted); `arraysize` is None for scalars, for strings "*" or "8*" or "12";
    `db_name` is the spelling in the database (None: as `name`); `prefix` is text that every value begins
    with and the database does not store: the service's own URL, which changes from place to place.
    `frame` is that of a shape which names one.
    """

    name: str
    datatype: Datatype
    arraysize: str | None = None
    xtype: str | None = None
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    description: str | None = None
    indexed: bool = False
    principal: bool = False
    std: bool = False
    db_name: str | None = None
    prefix: str | None = None
    frame: Frame | None = None

    @property
    def is_string(self) -> bool:
        """Whether the values are text, timestamps included."""
        return self.datatype in ("char", "unicodeChar")

    @property
    def is_numeric(self) -> bool:
        """Whether the values are single numbers."""
        return self.datatype not in ("boolean", "char", "unicodeChar") and self.arraysize is None

    def arrow_type(self) -> pa.DataType:
        """The one Arrow type in which batches carry this column.

        timestamp[us] for xtype `timestamp`, string for other text, a list for arrays (fixed-size where
        `arraysize` is a plain number), the scalar otherwise.
        """
        if self.xtype == "timestamp":
            return pa.timestamp("us")
        scalar = _SCALARS[self.datatype]
        if self.is_string or self.arraysize in (None, "1"):
            return scalar
        if self.arraysize is not None and self.arraysize.isdigit():
            return pa.list_(scalar, int(self.arraysize))
        return pa.list_(scalar)


def arrow_schema(columns: Sequence[Column]) -> pa.Schema:
    """The Arrow schema of batches that carry `columns`; field names are positions, as names may repeat."""
    return pa.schema([pa.field(f"c{i}", column.arrow_type()) for i, column in enumerate(columns, 1)])


@dataclass(frozen=True, slots=True)
class SpatialKey:
    """The main equatorial position of a table and its stored index.

    `index` is the database's column with the HEALPix NESTED cell of order 29 of (`lon`, `lat`);
    rows are stored in its order where the database keeps one.
    """

    lon: str
    lat: str
    index: str = "hpx29"


@dataclass(frozen=True, slots=True)
class RegionKey:
    """A region of each row, no part of which is farther than `reach` degrees from the row's main position.

    `numbers` is the database's column with the same region as lon1, lat1, lon2, … in degrees.
    """

    column: str
    numbers: str
    reach: float


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A documented join: `columns` pairs (column here, column of `target`)."""

    target: str
    columns: tuple[tuple[str, str], ...]
    description: str | None = None
    utype: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view; `db_name` is the tuple of bare names by which the database reaches it."""

    schema: str
    name: str
    columns: tuple[Column, ...]
    description: str | None = None
    utype: str | None = None
    kind: Literal["table", "view"] = "table"
    nrows: int | None = None
    spatial: SpatialKey | None = None
    keys: tuple[ForeignKey, ...] = ()
    db_name: tuple[str, ...] | None = None
    region: RegionKey | None = None

    @property
    def qualified(self) -> str:
        """`schema.table` as it can be pasted into ADQL."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    @property
    def identifier(self) -> Column | None:
        """The column that names each row, by its UCD."""
        for words in _IDENTIFIERS:
            for column in self.columns:
                if set(words) <= set((column.ucd or "").lower().split(";")):
                    return column
        return None

    @property
    def database_path(self) -> tuple[str, ...]:
        """The bare names, outermost first, by which the database reaches the table."""
        return self.db_name or (self.schema, self.name)

    def column(self, name: str, *, exact: bool = False) -> Column | None:
        """The column of that name: any case, or to the letter for a delimited identifier."""
        for column in self.columns:
            if column.name == name or (not exact and column.name.lower() == name.lower()):
                return column
        return None


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema and its tables; `origin` says where its data come from, in pairs of a name and a value.

    The names are those of Data Origin in the VO 1.1 (citation, creator, rights…).
    """

    name: str
    tables: tuple[Table, ...]
    description: str | None = None
    utype: str | None = None
    origin: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Catalog:
    """All that is published, in publication order; `release` names the version for caches and records."""

    schemas: tuple[Schema, ...] = ()
    release: str = ""
    _index: dict[tuple[str, str], Table] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Index the tables by lower-case (schema, table)."""
        for table in self.tables():
            self._index[table.schema.lower(), table.name.lower()] = table

    def tables(self) -> Iterator[Table]:
        """Every table of every schema."""
        for schema in self.schemas:
            yield from schema.tables

    def table(self, name: str, schema: str | None = None) -> Table | None:
        """The table of that name in any case; without a schema, the only one of that name."""
        if schema is not None:
            return self._index.get((schema.lower(), name.lower()))
        found = [table for (_, table_name), table in self._index.items() if table_name == name.lower()]
        return found[0] if len(found) == 1 else None

    def origin(self, schemas: Iterable[str]) -> tuple[tuple[str, str], ...]:
        """Where the data of the schemas of those names come from; each pair once."""
        named = {name.lower() for name in schemas}
        pairs = (pair for schema in self.schemas if schema.name.lower() in named for pair in schema.origin)
        return tuple(dict.fromkeys(pairs))

    def merged(self, other: Catalog) -> Catalog:
        """Both catalogues in one; a table that both name is taken from `other`."""
        ours = {schema.name.lower(): schema for schema in self.schemas}
        theirs = {schema.name.lower() for schema in other.schemas}
        kept = tuple(schema for name, schema in ours.items() if name not in theirs)
        added = tuple(_united(ours.get(schema.name.lower()), schema) for schema in other.schemas)
        return Catalog(kept + added, "+".join(filter(None, (self.release, other.release))))

    def to_json(self) -> str:
        """The catalogue as JSON, which `from_json` reads back equal."""
        schemas = [asdict(schema) for schema in self.schemas]
        return json.dumps({"form": FORM, "release": self.release, "schemas": schemas})

    @classmethod
    def from_json(cls, text: str) -> Catalog:
        """The catalogue that `to_json` wrote; ValueError: another version did, or nobody."""
        raw = json.loads(text)
        form = raw.get("form", FORM)
        if form != FORM:
            age = "an older version: load or publish it again" if form < FORM else "a newer version: upgrade"
            raise ValueError(f"written by {age} (form {form}, and this one reads {FORM})")
        try:
            return cls(tuple(_schema(item) for item in raw["schemas"]), raw["release"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"not in the form {FORM} that this version reads ({error})") from error


def _united(first: Schema | None, second: Schema) -> Schema:
    """The tables of both schemas, those of `second` behind the others and in place of their namesakes."""
    if first is None:
        return second
    names = {table.name.lower() for table in second.tables}
    kept = tuple(table for table in first.tables if table.name.lower() not in names)
    return replace(
        first,
        tables=kept + second.tables,
        description=second.description or first.description,
        origin=second.origin or first.origin,
    )


def _schema(raw: dict[str, Any]) -> Schema:
    origin = tuple((name, value) for name, value in raw.get("origin", ()))
    return Schema(**{**raw, "tables": tuple(map(_table, raw["tables"])), "origin": origin})


def _table(raw: dict[str, Any]) -> Table:
    keys = tuple(
        ForeignKey(**{**key, "columns": tuple(tuple(pair) for pair in key["columns"])}) for key in raw["keys"]
    )
    return Table(
        **{
            **raw,
            "columns": tuple(Column(**column) for column in raw["columns"]),
            "spatial": SpatialKey(**raw["spatial"]) if raw["spatial"] else None,
            "keys": keys,
            "db_name": tuple(raw["db_name"]) if raw["db_name"] else None,
            "region": RegionKey(**raw["region"]) if raw.get("region") else None,
        }
    )


def is_regular(name: str) -> bool:
    """Whether `name` has the form of a regular identifier (ADQL 2.1, 2.1.3); reserved words do too.

    >>> is_regular("mag_auto_g"), is_regular("_raj2000"), is_regular("B-V")
    (True, False, False)
    """
    return _REGULAR.match(name) is not None


def quoted(name: str) -> str:
    """`name` as a client writes it: bare where that works, else as a delimited identifier.

    >>> quoted("ra"), quoted("size"), quoted('a"b')
    ('ra', '"size"', '"a""b"')
    """
    if is_regular(name) and name.upper() not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def nearest(name: str, names: Sequence[str], count: int = 3) -> list[str]:
    """Those of `names` that someone who typed `name` may have meant, best first.

    >>> nearest("mag_aut_g", ["ra", "dec", "mag_auto_g", "flags_g"], 1)
    ['mag_auto_g']
    """
    lowered = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), lowered, n=count, cutoff=0.6)
    return [lowered[match] for match in close]
