"""The rules of SIA 1.0 (REC, 2009-11-11) to the letter, as no validator of the field judges all of them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import httpx
from judgement import Judgement, Notebook
from lxml import etree
from PIL import Image
from service import Service

_NAMESPACE = {"v": "http://www.ivoa.net/xml/VOTable/v1.3"}
_REGION = {"POS": "0.2,-40.3", "SIZE": "0.1"}

MUST = {
    "VOX:Image_Title": "char",
    "POS_EQ_RA_MAIN": "double",
    "POS_EQ_DEC_MAIN": "double",
    "VOX:Image_Naxes": "int",
    "VOX:Image_Naxis": "int",
    "VOX:Image_Scale": "double",
    "VOX:Image_Format": "char",
    "VOX:Image_AccessReference": "char",
}
"""What every reply has once: word → datatype (4.2.5)."""

MAY = {
    **dict.fromkeys(("INST_ID", "VOX:STC_CoordRefFrame", "VOX:WCS_CoordProjection"), "char"),
    **dict.fromkeys(("VOX:BandPass_ID", "VOX:BandPass_Unit", "VOX:Image_PixFlags"), "char"),
    **dict.fromkeys(("VOX:Image_MJDateObs", "VOX:STC_CoordEquinox", "VOX:WCS_CDMatrix"), "double"),
    **dict.fromkeys(("VOX:WCS_CoordRefPixel", "VOX:WCS_CoordRefValue"), "double"),
    **dict.fromkeys((f"VOX:BandPass_{end}" for end in ("RefValue", "HiLimit", "LoLimit")), "double"),
    **dict.fromkeys(("VOX:Image_AccessRefTTL", "VOX:Image_FileSize"), "int"),
}
"""What a reply has once at the most."""

ARRAYS = {"VOX:Image_Naxis", "VOX:Image_Scale", "VOX:WCS_CoordRefPixel", "VOX:WCS_CoordRefValue"}
"""Words of columns with one number for each axis."""

_BEGINS = {"image/fits": b"SIMPLE  =", "image/jpeg": b"\xff\xd8\xff", "image/png": b"\x89PNG\r\n"}
"""How files of each format begin."""

_FORMATS = {
    "ALL": tuple(_BEGINS),
    "GRAPHIC": ("image/jpeg", "image/png"),
    "GRAPHIC-gif,jpeg,png": ("image/jpeg",),
    "image/png": ("image/png",),
    "text/html": (),
}
"""FORMAT → the formats of the rows for each image (4.1.3)."""

WRONG: Mapping[str, Mapping[str, Any]] = {
    "no region": {},
    "no size": {"POS": "0.2,-40.3"},
    "a position of one number": {**_REGION, "POS": "0.2"},
    "a position that is none": {**_REGION, "POS": "0.2,-95"},
    "a negative size": {**_REGION, "SIZE": "-1"},
    "a size that is no number": {**_REGION, "SIZE": "NaN"},
    "an unknown relation": {**_REGION, "INTERSECT": "NEARLY"},
    "a format that is none": {**_REGION, "FORMAT": "nonsense"},
    "a verbosity that there is not": {**_REGION, "VERB": "7"},
}
"""What is wrong → the parameters."""


def judge(service: Service) -> Iterator[Judgement]:
    """One judgement of all rules."""
    notebook = Notebook("rules of SIA 1.0", "")
    for kind, parameter in _types(service, notebook):
        for verb in range(4):
            with notebook.check(f"The reply of type {kind}, VERB={verb}"):
                _reply(_ask(service, **_REGION, **parameter, VERB=verb))
        with notebook.check(f"The images that a reply of type {kind} leads to"):
            _images(_ask(service, **_REGION, **parameter))
    with notebook.check("More verbosity, more columns"):
        words = [
            {field.get("name") for field in _fields(_ask(service, **_REGION, VERB=verb))} for verb in range(4)
        ]
        assert all(less < more for less, more in pairwise(words))
    with notebook.check("What covers, lies in or holds the centre of a region overlaps it"):
        _relations(service)
    with notebook.check("Formats"):
        _formats(service)
    with notebook.check("The metadata"):
        _metadata(service)
    for what, asked in WRONG.items():
        with notebook.check(f"The error of {what}"):
            _error(service.get("/sia/v1/query", **asked).content)
    yield notebook.judgement()


def _types(service: Service, notebook: Notebook) -> list[tuple[str, dict[str, str]]]:
    """The types of service that the capabilities name, and the parameter of each; test queries find some."""
    types = []
    for capability in etree.fromstring(service.read("/sia/v1/capabilities")).findall("capability"):
        kind = capability.findtext("imageServiceType")
        if kind is None:
            continue
        types.append((kind, {"TYPE": kind}))
        with notebook.check(f"The test query of type {kind}"):
            url = capability.findtext("interface/accessURL")
            assert url[-1] in "?&", url
            test = {
                "POS": ",".join(capability.findtext(f"testQuery/pos/{axis}") for axis in ("long", "lat")),
                "SIZE": ",".join(capability.findtext(f"testQuery/size/{axis}") for axis in ("long", "lat")),
                "VERB": capability.findtext("testQuery/verb"),
            }
            asked = "&".join(f"{name}={value}" for name, value in test.items())
            assert _rows(etree.fromstring(httpx.get(url + asked).raise_for_status().content))
    assert types, "the capabilities name no type of service"
    return types


def _ask(service: Service, **asked: Any) -> etree._Element:
    answer = service.get("/sia/v1/query", **asked)
    assert answer.status_code == 200, answer.text[:400]
    assert answer.headers["content-type"].partition(";")[0] in ("text/xml", "application/x-votable+xml")
    return etree.fromstring(answer.content)


def _all(root: etree._Element, path: str) -> list[etree._Element]:
    return list(root.findall(path, _NAMESPACE))


def _fields(root: etree._Element) -> list[etree._Element]:
    return _all(root, "v:RESOURCE/v:TABLE/v:FIELD")


def _rows(root: etree._Element) -> list[dict[str, str]]:
    """The cells of each row by their words."""
    words = [field.get("ucd") for field in _fields(root)]
    return [
        dict(zip(words, [cell.text or "" for cell in row], strict=True))
        for row in root.iter(f"{{{_NAMESPACE['v']}}}TR")
    ]


def _status(root: etree._Element) -> tuple[str | None, str]:
    infos = _all(root, "v:RESOURCE[@type='results']/v:INFO[@name='QUERY_STATUS']")
    assert len(infos) == 1, "there is not one QUERY_STATUS"
    return infos[0].get("value"), infos[0].text or ""


def _reply(root: etree._Element) -> None:
    assert _status(root)[0] == "OK"
    assert len(_all(root, "v:RESOURCE[@type='results']")) == len(_all(root, "v:RESOURCE/v:TABLE")) == 1
    told = [(field.get("ucd"), field.get("datatype")) for field in _fields(root)]
    words = [word for word, _ in told]
    for word, datatype in {**MUST, **MAY}.items():
        assert words.count(word) <= 1, f"{word} is there twice"
        assert word in words or word not in MUST, f"{word} is missing"
        assert dict(told).get(word, datatype) == datatype, f"{word} is of another type"
    rows = _rows(root)
    assert rows, "no image is found"
    for row in rows:
        axes = int(row["VOX:Image_Naxes"])
        assert all(len(row[word].split()) == axes for word in ARRAYS & row.keys())
        assert all(int(size) > 0 for size in row["VOX:Image_Naxis"].split())
        assert all(0 < float(scale) < 1 for scale in row["VOX:Image_Scale"].split())
        assert 0 <= float(row["POS_EQ_RA_MAIN"]) < 360
        assert -90 <= float(row["POS_EQ_DEC_MAIN"]) <= 90
        assert row["VOX:Image_AccessReference"].startswith(("http://", "https://"))
        assert len(row.get("VOX:WCS_CDMatrix", "1 2 3 4").split()) == axes**2
        assert set(row.get("VOX:Image_PixFlags", "C")) <= set("CFXZV")
        assert row["VOX:Image_Format"] in _BEGINS


def _images(root: etree._Element) -> None:
    """Each row leads to an image of the format that it tells, of as many pixels (4.2.4)."""
    for row in _rows(root):
        answer = httpx.get(row["VOX:Image_AccessReference"], timeout=60).raise_for_status()
        content, told = answer.content, row["VOX:Image_Format"]
        assert content.startswith(_BEGINS[told]), f"what is told to be {told} is not"
        if told == "image/fits":
            assert len(content) % 2880 == 0
        else:
            assert answer.headers["content-type"] == told
            with Image.open(io.BytesIO(content)) as picture:
                assert list(map(str, picture.size)) == row["VOX:Image_Naxis"].split()


def _formats(service: Service) -> None:
    """FORMAT chooses among what there is: ALL has each format, GRAPHIC the pictures, of a list the first."""
    found = {
        asked: [row["VOX:Image_Format"] for row in _rows(_ask(service, **_REGION, FORMAT=asked))]
        for asked in ("ALL", "image/fits", "image/png", "GRAPHIC", "GRAPHIC-gif,jpeg,png", "text/html")
    }
    default = [row["VOX:Image_Format"] for row in _rows(_ask(service, **_REGION))]
    assert sorted(default) == sorted(found["ALL"])
    each = found["image/fits"]
    assert each
    assert set(each) == {"image/fits"}
    for asked, formats in _FORMATS.items():
        assert sorted(found[asked]) == sorted(name for name in formats for _ in each), asked


def _relations(service: Service) -> None:
    region = {"POS": "0,-40.2", "SIZE": "1.9,1.6", "VERB": "1"}
    found = {
        word: {row["meta.ref.ivoid"] for row in _rows(_ask(service, **region, INTERSECT=word))}
        for word in ("COVERS", "ENCLOSED", "CENTER", "OVERLAPS")
    }
    assert found["OVERLAPS"]
    assert all(each <= found["OVERLAPS"] for each in found.values())


def _metadata(service: Service) -> None:
    root = _ask(service, FORMAT="METADATA")
    assert _status(root)[0] == "OK"
    assert not _rows(root)
    everything = [field.get("name") for field in _fields(_ask(service, **_REGION, VERB=3))]
    assert [field.get("name") for field in _fields(root)] == everything
    params = _all(root, "v:RESOURCE[@type='results']/v:PARAM")
    names = {param.get("name") for param in params}
    assert {f"INPUT:{name}" for name in ("POS", "SIZE", "FORMAT", "INTERSECT", "VERB")} <= names
    assert all(param.find("v:DESCRIPTION", _NAMESPACE) is not None for param in params)


def _error(document: bytes) -> None:
    root = etree.fromstring(document)
    status, text = _status(root)
    assert status == "ERROR"
    assert text.strip(), "the error is not explained"
    assert not _all(root, "v:RESOURCE/v:TABLE")
