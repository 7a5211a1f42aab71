"""The first page of the service."""

from __future__ import annotations

from html import escape
from string import Template
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from vo.catalog import Catalog, Schema, Table
from vo.context import Context
from vo.images.tables import has_obscore
from vo.page import page
from vo.scs.query import searchable

_HOME = Template("""\
<header>
<h1>$title</h1>
<p class="lead">A data release on the standards of the Virtual Observatory.</p>
</header>
<p><a class="button" href="$url/tap">Query the catalogue</a>
<a class="button second" href="$url/footprint">See what is covered</a>
<a class="button second" href="$url/anomaly">Find the strangest objects</a></p>
<p>$rows rows in $tables tables. In TOPCAT, pyvo and other clients the TAP URL is
<code>$url/tap</code>.</p>
<h2>What is published</h2>
<dl>
$schemas
</dl>
<h2>For programs</h2>
<dl>
<dt><a href="$url/tap/capabilities">/tap/capabilities</a></dt><dd>What the service can do.</dd>
<dt><a href="$url/tap/tables">/tap/tables</a></dt><dd>All tables and columns, as XML.</dd>
<dt><a href="$url/tap/examples">/tap/examples</a></dt><dd>Queries to start from.</dd>
<dt><a href="$url/tap/availability">/tap/availability</a></dt><dd>Whether the service is up.</dd>
<dt><a href="$url/status">/status</a></dt><dd>How it is doing: its lanes, its workers, its space.</dd>
</dl>
<h2>Cone searches</h2>
<p>Each takes RA, DEC and SR in degrees, and perhaps VERB=1, 2 or 3, MAXREC and RESPONSEFORMAT.</p>
<dl>
$cones
</dl>
$images""")

_IMAGES = """\
<h2>Image search</h2>
<p>In pyvo and other clients the SIA 2.0 URL is <code>{url}/sia/v2/query</code>
(<a href="{url}/sia/v2/capabilities">capabilities</a>,
<a href="{url}/sia/v2/examples">examples</a>), for older ones the SIA 1.0 URL is
<code>{url}/sia/v1/query?</code> (<a href="{url}/sia/v1/capabilities">capabilities</a>). Each image has links
(DataLink, <code>{url}/datalink/links?ID=</code>) and can be cut by circle, polygon or range
(SODA, <code>{url}/soda/sync</code>, <a href="{url}/soda/capabilities">capabilities</a>,
<a href="{url}/soda/examples">examples</a>).</p>
<p><a class="button second" href="{url}/cutout">Cut out a piece of the sky</a></p>"""


def routes() -> list[Route]:
    """The route of the page."""
    return [Route("/", home)]


async def home(request: Request) -> Response:
    """What is published here, and where to go on."""
    context: Context = request.app.state.context
    catalog = await run_in_threadpool(context.database.catalog)
    return HTMLResponse(home_page(context.base_url(request), context.config.title, catalog))


def home_page(base_url: str, title: str, catalog: Catalog) -> str:
    """The page for a catalogue; `base_url` is that of the service."""
    tables = [table for table in catalog.tables() if table.schema != "TAP_SCHEMA"]
    body = _HOME.substitute(
        title=escape(title),
        url=escape(base_url),
        rows=f"{sum(table.nrows or 0 for table in tables):,}",
        tables=len(tables),
        schemas="\n".join(_schema(schema) for schema in catalog.schemas),
        images=_IMAGES.format(url=escape(base_url)) if has_obscore(catalog) else "",
        cones="\n".join(_cone(base_url, table) for table in searchable(catalog)),
    )
    return page(title, body)


def _schema(schema: Schema) -> str:
    return f"<dt>{escape(schema.name)}</dt><dd>{escape(schema.description or '')}</dd>"


def _cone(base_url: str, table: Table) -> str:
    path = f"/scs/{quote(table.qualified)}"
    about = (
        f'{escape(table.description or "")} <a href="{escape(base_url + path)}/capabilities">Capabilities</a>'
    )
    return f"<dt><code>{escape(base_url + path)}?</code></dt><dd>{about}</dd>"
