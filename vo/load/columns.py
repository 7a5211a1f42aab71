"""One column of a Felis description: its datatype, unit and UCD, checked and made a published column."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import yaml
from astropy import units
from astropy.io.votable import ucd as ucd_words

from vo.catalog import Column, Datatype, nearest
from vo.load.description import DescribedColumn
from vo.load.document import Fields, Problems

KEYS = (
    *("name", "@id", "description", "datatype", "length", "nullable", "data"),
    *("ivoa:ucd", "ivoa:unit", "fits:tunit", "votable:utype", "votable:xtype", "votable:arraysize"),
    *("tap:principal", "tap:std", "tap:column_index", "value", "autoincrement", "precision"),
)
"""The keys of a column; the last three are read by other tools and mean nothing here."""

RESERVED_COLUMNS = ("hpx29", "unit_x", "unit_y", "unit_z")
"""What a stored table keeps beside its published columns."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a Felis datatype is in VOTable 1.4 (2.1); `sized` ones take a length, `fixed` to the letter."""

    datatype: Datatype
    sized: bool = False
    fixed: bool = False
    xtype: str | None = None


KINDS: Mapping[str, Kind] = {
    "boolean": Kind("boolean"),
    "byte": Kind("unsignedByte"),
    "short": Kind("short"),
    "int": Kind("int"),
    "long": Kind("long"),
    "float": Kind("float"),
    "double": Kind("double"),
    "char": Kind("char", sized=True, fixed=True),
    "string": Kind("char", sized=True),
    "unicode": Kind("unicodeChar", sized=True),
    "text": Kind("char", sized=True),
    "binary": Kind("unsignedByte", sized=True),
    "timestamp": Kind("char", xtype="timestamp"),
}

_ARRAYSIZE = re.compile(r"\*|[1-9][0-9]*\*?")
_LOOSE_UNIT = re.compile(r"\s|[A-Za-z][+-]?[0-9]")
"""What astropy reads as a unit and VOUnits 1.1 (2.10) does not: blanks, and powers without `**`."""


def read_column(node: yaml.Node, problems: Problems, *, table: str) -> DescribedColumn:
    """The column that `node` describes; what is wrong in it goes to `problems`."""
    fields = Fields(node, KEYS, problems, what="column")
    name = fields.required("name")
    _check_name(fields, name)
    kind = _kind(fields)
    column = Column(
        name=name,
        datatype=kind.datatype,
        arraysize=_arraysize(fields, kind),
        xtype=fields.text("votable:xtype") or kind.xtype,
        unit=_unit(fields),
        ucd=_ucd(fields),
        utype=fields.text("votable:utype"),
        description=fields.text("description"),
        principal=fields.flag("tap:principal", default=False),
        std=fields.flag("tap:std", default=False),
    )
    return DescribedColumn(
        column,
        id=fields.text("@id") or f"#{table}.{name}",
        data=fields.text("data") or name,
        nullable=fields.flag("nullable", default=True),
        order=fields.integer("tap:column_index"),
        line=fields.line,
    )


def _check_name(fields: Fields, name: str) -> None:
    if name.lower() in RESERVED_COLUMNS:
        fields.problem("name", f"The name {name} is reserved for the stored sky index.")
    if not name.isprintable():
        fields.problem("name", f"The name {name!r} has characters that cannot be shown.")


def _kind(fields: Fields) -> Kind:
    name = fields.required("datatype")
    if name in KINDS or not name:
        return KINDS.get(name, Kind("char", sized=True))
    close = nearest(name, list(KINDS), 1)
    advice = f"did you mean {close[0]}?" if close else f"known are {', '.join(KINDS)}."
    fields.problem("datatype", f"There is no datatype {name}; {advice}")
    return Kind("char", sized=True)


def _arraysize(fields: Fields, kind: Kind) -> str | None:
    length = fields.integer("length")
    if length is not None and (length == 0 or not (kind.sized or kind.xtype)):
        reason = "must be positive" if length == 0 else "belongs to text and binary columns only"
        fields.problem("length", f"`length` {reason}; arrays are declared by `votable:arraysize`.")
    given = fields.any_text("votable:arraysize")
    if given is not None and not _ARRAYSIZE.fullmatch(given):
        fields.problem("votable:arraysize", f"`votable:arraysize` must be like 8, 8* or *, not `{given}`.")
        return None
    text = kind.datatype in ("char", "unicodeChar")
    if given is not None:
        # VOTable 1.4 (2.2): an arraysize of 1 is an array of one; a plain scalar has none.
        return {"1": "1*" if text else None}.get(given, given)
    if not kind.sized:
        return "*" if kind.xtype else None
    if length is None:
        return "*"
    return str(length) if kind.fixed and length > 1 else f"{length}*"


def _unit(fields: Fields) -> str | None:
    if "ivoa:unit" in fields and "fits:tunit" in fields:
        fields.problem("fits:tunit", "Give `ivoa:unit` or `fits:tunit`, not both.")
    key = "fits:tunit" if "fits:tunit" in fields else "ivoa:unit"
    text = fields.text(key)
    if text is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", units.UnitsWarning)  # deprecated units are units still
        try:
            units.Unit(text, format="vounit")
        except (ValueError, TypeError):
            known = False
        else:
            known = _LOOSE_UNIT.search(text) is None
        if not known:
            fields.problem(key, f"`{text}` is not a unit of VOUnits 1.1.{_as_vounit(text)}")
    return text


def _as_vounit(text: str) -> str:
    """A sentence with the same unit in the right spelling, where another convention knows it."""
    for convention in (None, "fits", "cds", "ogip"):
        try:
            spelled = units.Unit(text.strip(), format=convention).to_string("vounit")
        except (ValueError, TypeError):
            continue
        return f" Did you mean `{spelled}`?"
    return ""


def _ucd(fields: Fields) -> str | None:
    text = fields.text("ivoa:ucd")
    if text is None:
        return None
    try:
        ucd_words.parse_ucd(text, check_controlled_vocabulary=True, has_colon=False)
    except ValueError as error:
        fields.problem("ivoa:ucd", f"`{text}` is not a UCD1+: {error}.")
        return None
    return text
