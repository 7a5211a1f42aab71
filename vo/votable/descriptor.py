"""A service described inside a VOTable (DataLink 1.1, 4): where it is and which parameters it takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vo.catalog import Datatype
from vo.votable.document import attribute, text


@dataclass(frozen=True, slots=True)
class Input:
    """A parameter as a PARAM.

    `value` is meant where none is given; `options` are all that it may have, `low` and `high` the least and
    the greatest, as text; `ref` is the ID of the FIELD that has its values.
    """

    name: str
    description: str
    datatype: Datatype = "char"
    arraysize: str | None = "*"
    xtype: str | None = None
    unit: str | None = None
    ucd: str | None = None
    options: tuple[str, ...] = ()
    low: str | None = None
    high: str | None = None
    ref: str | None = None
    value: str = ""


def descriptor(
    name: str, standard_id: str, access_url: str, inputs: Iterable[Input], *, xml_id: str | None = None
) -> str:
    """The RESOURCE of a service; `name` is "this" where it describes the one that wrote the document.

    `xml_id` is what the column service_def of a table of links calls it (DataLink 1.1, 3.2.3).
    """
    kind = "this" if name == "this" else "service"  # DataLink 1.1, 4.8
    told = "The service that made this table" if name == "this" else name[:1].upper() + name[1:]
    known = "" if xml_id is None else f' ID="{attribute(xml_id)}"'
    return "".join(
        [
            f'<RESOURCE type="meta" utype="adhoc:{kind}" name="{attribute(name)}"{known}>\n',
            f"<DESCRIPTION>{text(told)}</DESCRIPTION>\n",
            _fixed("standardID", standard_id),
            _fixed("accessURL", access_url),
            '<GROUP name="inputParams">\n',
            *map(input_param, inputs),
            "</GROUP>\n</RESOURCE>\n",
        ]
    )


def _fixed(name: str, value: str) -> str:
    return f'<PARAM name="{name}" datatype="char" arraysize="*" value="{attribute(value)}"/>\n'


def input_param(param: Input) -> str:
    """The PARAM of a parameter."""
    attributes = {
        "name": param.name,
        "datatype": param.datatype,
        "arraysize": param.arraysize,
        "xtype": param.xtype,
        "unit": param.unit,
        "ucd": param.ucd,
        "ref": param.ref,
    }
    shown = "".join(f' {key}="{attribute(value)}"' for key, value in attributes.items() if value)
    return f'<PARAM{shown} value="{attribute(param.value)}">{"".join(_inside(param))}</PARAM>\n'


def _inside(param: Input) -> Iterator[str]:
    yield f"<DESCRIPTION>{text(param.description)}</DESCRIPTION>"
    ends = (("MIN", param.low), ("MAX", param.high), *(("OPTION", option) for option in param.options))
    values = "".join(f'<{name} value="{attribute(value)}"/>' for name, value in ends if value is not None)
    if values:
        yield f"<VALUES>{values}</VALUES>"
