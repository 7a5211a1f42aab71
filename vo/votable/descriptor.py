"""A service described inside a VOTable (DataLink 1.1, 4): where it is and which parameters it takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vo.catalog import Datatype
from vo.votable.document import attribute, text


@dataclass(frozen=True, slots=True)
class Input:
    """A parameter as a PARAM of the group inputParams; `options` are all values that it may have."""

    name: str
    description: str
    datatype: Datatype = "char"
    arraysize: str | None = "*"
    xtype: str | None = None
    unit: str | None = None
    ucd: str | None = None
    options: tuple[str, ...] = ()


def descriptor(name: str, standard_id: str, access_url: str, inputs: Iterable[Input]) -> str:
    """The RESOURCE of a service; `name` is "this" where it describes the one that wrote the document."""
    return "".join(
        [
            f'<RESOURCE type="meta" utype="adhoc:service" name="{attribute(name)}">\n',
            _fixed("standardID", standard_id),
            _fixed("accessURL", access_url),
            '<GROUP name="inputParams">\n',
            *map(_input, inputs),
            "</GROUP>\n</RESOURCE>\n",
        ]
    )


def _fixed(name: str, value: str) -> str:
    return f'<PARAM name="{name}" datatype="char" arraysize="*" value="{attribute(value)}"/>\n'


def _input(param: Input) -> str:
    attributes = {
        "name": param.name,
        "datatype": param.datatype,
        "arraysize": param.arraysize,
        "xtype": param.xtype,
        "unit": param.unit,
        "ucd": param.ucd,
    }
    shown = "".join(f' {key}="{attribute(value)}"' for key, value in attributes.items() if value)
    return f'<PARAM{shown} value="">{"".join(_inside(param))}</PARAM>\n'


def _inside(param: Input) -> Iterator[str]:
    yield f"<DESCRIPTION>{text(param.description)}</DESCRIPTION>"
    if param.options:
        options = "".join(f'<OPTION value="{attribute(option)}"/>' for option in param.options)
        yield f"<VALUES>{options}</VALUES>"
