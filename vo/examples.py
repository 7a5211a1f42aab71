"""Documents of /examples (DALI 1.1, 2.3): pages for people that programs read as RDFa Lite."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from string import Template

from vo.page import page, plain

_VOCABULARY = "http://www.ivoa.net/rdf/examples#"


@dataclass(frozen=True, slots=True)
class Example:
    """A request to learn from: what to send to the resource `path`, which does what `capability` names.

    `path` is below the root of the service; the method is POST where the request makes a job.
    """

    name: str
    description: str
    capability: str
    path: str
    parameters: tuple[tuple[str, str], ...]
    method: str = "get"


def document(title: str, lead: str, sections: Iterable[str]) -> str:
    """The document of `sections`, each made by `section`; `lead` is XHTML that stands above them."""
    body = _DOCUMENT.substitute(lead=lead, vocabulary=_VOCABULARY, sections="\n".join(sections))
    return page(f"Examples · {title}", body)


def section(name: str, body: str) -> str:
    """One example, `body` being XHTML with its other properties."""
    return _SECTION.substitute(id=xml_id(name), name=plain(name), body=body)


def requests_page(base_url: str, title: str, lead: str, shown: Iterable[Example]) -> str:
    """The document of a service whose examples are requests; `base_url` is that of the whole service."""
    return document(title, plain(lead), (section(each.name, _request(each, base_url)) for each in shown))


def xml_id(name: str) -> str:
    """The name of an example as an XML name, by which it is linked.

    >>> xml_id("Stars around M 2")
    'stars-around-m-2'
    """
    return re.sub("[^a-z0-9_]+", "-", name.lower()).strip("-")


def _request(example: Example, base_url: str) -> str:
    return _REQUEST.substitute(
        description=plain(example.description),
        name=plain(example.name),
        url=plain(base_url.rstrip("/") + example.path),
        capability=plain(example.capability),
        method=example.method,
        parameters=_each(_PARAMETER, example),
        fields=_each(_FIELD, example),
    )


def _each(template: Template, example: Example) -> str:
    pairs = ((plain(key), plain(value)) for key, value in example.parameters)
    return "\n".join(template.substitute(key=key, value=value) for key, value in pairs)


_DOCUMENT = Template("""\
<header>
<h1>Examples</h1>
<p class="lead">$lead</p>
</header>
<div vocab="$vocabulary">
$sections
</div>""")

_SECTION = Template("""\
<section id="$id" resource="#$id" typeof="example">
<h2 property="name">$name</h2>
$body
</section>""")

_REQUEST = Template("""\
<p>$description</p>
<ul>
$parameters
</ul>
<p class="quiet">Sent to <code>$url</code>, by the standard
<code property="capability">$capability</code>.</p>
<form action="$url" method="$method">
$fields
<button aria-label="Run $name">Run</button>
</form>""")

_PARAMETER = Template("""\
<li property="generic-parameter" typeof="keyval"><code property="key">$key</code> =
<code property="value">$value</code></li>""")

_FIELD = Template("""<input type="hidden" name="$key" value="$value" />""")
