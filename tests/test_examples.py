"""Documents of /examples (DALI 1.1, 2.3) through the door, read by an RDFa processor of others, and run."""

from __future__ import annotations

import io
from collections.abc import Callable
from urllib.parse import urldefrag

import httpx
import pytest
from astropy.io import fits
from astropy.io.votable import parse
from lxml import etree
from pyRdfa import pyRdfa
from pyRdfa.options import Options
from rdflib import RDF, Graph, Literal, Namespace, URIRef
from service import Service

TERMS = Namespace("http://www.ivoa.net/rdf/examples#")
DOCUMENTS = {
    "/soda": {"ivo://ivoa.net/std/SODA#sync-1.0", "ivo://ivoa.net/std/SODA#async-1.0"},
    "/sia/v2": {"ivo://ivoa.net/std/SIA#query-2.0"},
    "/tap": set(),
}
"""Each service with examples, and the capabilities that these are of."""


def graph_of(service: Service, parent: str) -> Graph:
    """What an RDFa processor makes of the document of a service."""
    answer = service.get(f"{parent}/examples")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    url = f"{service.url}{parent}/examples"
    processor = pyRdfa(options=Options(output_processor_graph=False), base=url, media_type="text/html")
    return processor.graph_from_source(io.BytesIO(answer.content))


def parameters_of(graph: Graph, example: URIRef) -> list[tuple[str, str]]:
    """The keys and values of an example, each pair whole."""
    pairs = list(graph.objects(example, TERMS["generic-parameter"]))
    assert all((pair, RDF.type, TERMS.keyval) in graph for pair in pairs)
    return [
        (str(graph.value(pair, TERMS.key, any=False)), str(graph.value(pair, TERMS.value, any=False)))
        for pair in pairs
    ]


@pytest.mark.parametrize("parent", DOCUMENTS)
def test_programs_read_them(image_service: Service, parent: str) -> None:
    """Each example has one name, in plain text, and a place in the document; no triple is of other terms."""
    graph = graph_of(image_service, parent)
    document = etree.fromstring(image_service.get(f"{parent}/examples").content)
    examples = set(graph.subjects(RDF.type, TERMS.example))
    assert len(examples) >= 5
    for example in examples:
        url, fragment = urldefrag(str(example))
        assert url == f"{image_service.url}{parent}/examples"
        assert len(document.xpath("//*[@id=$id]", id=fragment)) == 1
        assert isinstance(graph.value(example, TERMS.name, any=False), Literal)
    known = {TERMS[term] for term in "name capability generic-parameter key value query table".split()}
    told = {term for subject, term, _ in graph if subject in examples or (subject, RDF.type, None) in graph}
    assert told - {RDF.type} <= known
    capabilities = {str(each) for each in graph.objects(None, TERMS.capability)}
    assert capabilities == DOCUMENTS[parent]


@pytest.mark.parametrize("parent", DOCUMENTS)
def test_capabilities_lead_there(
    image_service: Service, assert_valid: Callable[[bytes], None], parent: str
) -> None:
    """The capability is told as the standard has it, in a valid document."""
    content = image_service.get(f"{parent}/capabilities").content
    assert_valid(content)
    urls = etree.fromstring(content).xpath(
        "capability[@standardID='ivo://ivoa.net/std/DALI#examples']/interface/accessURL/text()"
    )
    assert urls == [f"{image_service.url}{parent}/examples"]


def test_each_cut_runs(image_service: Service) -> None:
    """Each example of SODA gives a file, or a job with several."""
    graph, kinds = graph_of(image_service, "/soda"), set()
    for example in graph.subjects(RDF.type, TERMS.example):
        capability = str(graph.value(example, TERMS.capability, any=False))
        kinds.add(capability)
        parameters = httpx.QueryParams(parameters_of(graph, example))
        if capability.endswith("#sync-1.0"):
            answer = httpx.get(f"{image_service.url}/soda/sync", params=parameters, timeout=60)
            assert answer.status_code == 200, answer.text
            with fits.open(io.BytesIO(answer.content)) as hdus:
                assert hdus[0].header["SIMPLE"]
            continue
        created = httpx.post(
            f"{image_service.url}/soda/async",
            content=str(parameters),
            headers={"content-type": "application/x-www-form-urlencoded"},
            timeout=60,
        )
        job = created.headers["location"].removeprefix(image_service.url)
        assert image_service.await_phase(job, "COMPLETED", "ERROR") == "COMPLETED"
        results = etree.fromstring(image_service.get(f"{job}/results").content)
        assert [result.get("mime-type") for result in results] == ["application/fits"] * 2
    assert kinds == DOCUMENTS["/soda"]


def test_each_search_finds_something(image_service: Service) -> None:
    """Each example of SIA finds an image, but for the one that asks for no rows."""
    graph, rows = graph_of(image_service, "/sia/v2"), {}
    for example in graph.subjects(RDF.type, TERMS.example):
        parameters = dict(parameters_of(graph, example))
        answer = image_service.get("/sia/v2/query", **parameters)
        assert answer.status_code == 200, answer.text
        if parameters.get("RESPONSEFORMAT") == "csv":
            found = len(answer.text.splitlines()) - 1
        else:
            found = len(parse(io.BytesIO(answer.content)).get_first_table().array)
        rows[str(example).rpartition("#")[2]] = found
        assert (found == 0) == (parameters.get("MAXREC") == "0"), parameters
    assert rows["one-image-by-its-identifier"] == 1


def test_without_images_there_are_none(service: Service) -> None:
    """No document rather than one whose examples fail."""
    for parent in ("/soda", "/sia/v2"):
        answer = service.get(f"{parent}/examples")
        assert answer.status_code == 404, answer.text
        assert "No images" in answer.text
