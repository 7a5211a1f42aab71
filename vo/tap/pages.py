"""The pages of the TAP service and of its examples: well-formed XML that works without scripts."""

from __future__ import annotations

from collections.abc import Iterable
from string import Template
from urllib.parse import quote

from vo.catalog import Catalog, Table
from vo.examples import document, section
from vo.formats import FORMATS
from vo.page import page, plain
from vo.tap.examples import Example

_ENDPOINTS = (
    ("sync", "Ask and wait for the rows; GET or POST with QUERY, RESPONSEFORMAT, MAXREC."),
    ("async", "Ask and come back later: jobs that keep running, and their results (UWS)."),
    ("check", "Is a query valid, and which columns does it return? It is not run. Takes QUERY."),
    ("plan", "What the database would do with a query, and how many rows it would read. Takes QUERY."),
    ("tables", "All tables and columns, as XML; one table at tables/NAME."),
    ("examples", "Example queries, for people and for clients."),
    ("capabilities", "What the service can do: ADQL features, formats, limits."),
    ("availability", "Whether the service is up."),
)


def service_page(
    base_url: str, title: str, catalog: Catalog, shown: Iterable[Example], *, query: str = ""
) -> str:
    """The page of the TAP service: a form, filled with `query`, the tables, examples, and clients.

    `base_url` is that of the whole service, `title` its name.
    """
    url = f"{base_url.rstrip('/')}/tap"
    examples = tuple(shown)
    first = query or next((example.query for example in examples), "")
    sections = (
        _HEAD.substitute(title=plain(title), url=plain(url)),
        _FORM.substitute(url=plain(url), query=plain(first), formats=_formats()),
        '<h2>Examples</h2>\n<div class="examples">',
        *(_collapsed(example, url) for example in examples),
        "</div>",
        _TABLES.substitute(rows="\n".join(_table_row(table, url) for table in catalog.tables())),
        _CLIENTS.substitute(url=plain(url), table=plain(_plain_table(catalog))),
        _endpoints(url),
    )
    return page(f"TAP · {title}", "\n".join(sections))


def examples_page(base_url: str, title: str, shown: Iterable[Example]) -> str:
    """The document of /examples: DALI 1.1, 2.3, with the property `query` of TAP 1.1, 2.6."""
    lead = _LEAD.substitute(url=plain(f"{base_url.rstrip('/')}/tap"))
    return document(title, lead, (section(example.name, _example(example)) for example in shown))


def _formats() -> str:
    # Some formats are listed once more under another media type; people choose by what they get.
    distinct = {each.description: each.media_type for each in reversed(FORMATS)}
    options = (
        f'<option value="{plain(media_type)}">{plain(description)}</option>'
        for description, media_type in reversed(distinct.items())
    )
    return "\n".join(options)


def _collapsed(example: Example, url: str) -> str:
    return _COLLAPSED.substitute(
        name=plain(example.name),
        description=plain(example.description),
        query=plain(example.query),
        edit=plain(f"{url}?QUERY={quote(example.query)}#ask"),
        url=plain(url),
    )


def _example(example: Example) -> str:
    return _EXAMPLE.substitute(
        description=plain(example.description),
        table=plain(example.table),
        query=plain(example.query),
    )


def _table_row(table: Table, url: str) -> str:
    return _TABLE_ROW.substitute(
        name=plain(table.qualified),
        link=plain(f"{url}/tables/{quote(table.qualified)}"),
        rows="" if table.nrows is None else f"{table.nrows:,}",
        columns=len(table.columns),
        description=plain(table.description or ""),
    )


def _plain_table(catalog: Catalog) -> str:
    """The first table whose name suits a shell and Python as it is."""
    names = [table.qualified for table in catalog.tables() if table.schema != "TAP_SCHEMA"]
    return next((name for name in names if '"' not in name), "TAP_SCHEMA.tables")


def _endpoints(url: str) -> str:
    rows = "\n".join(
        f'<dt><a href="{plain(url)}/{name}">/tap/{name}</a></dt><dd>{plain(purpose)}</dd>'
        for name, purpose in _ENDPOINTS
    )
    return f"<h2>Endpoints</h2>\n<dl>\n{rows}\n</dl>"


_HEAD = Template("""\
<header>
<h1>$title</h1>
<p class="lead">Ask the catalogue in ADQL, the query language of astronomy.</p>
<p>This is a table access service (TAP 1.1) of the Virtual Observatory. Point any client at
<code>$url</code>, or ask here.</p>
</header>""")

_FORM = Template("""\
<form id="ask" class="card" action="$url/sync" method="post">
<input type="hidden" name="LANG" value="ADQL" />
<label for="query">Query in ADQL</label>
<textarea id="query" name="QUERY" rows="8" required="required" spellcheck="false"
 autocapitalize="off" autocomplete="off">
$query</textarea>
<div class="row">
<div><label for="format">Result as</label>
<select id="format" name="RESPONSEFORMAT">
$formats
</select></div>
<div><label for="maxrec">Rows at the most</label>
<input id="maxrec" name="MAXREC" type="number" min="0" value="1000" required="required"
 inputmode="numeric" /></div>
<button>Run</button>
<button class="second" formaction="$url/async" name="PHASE" value="RUN">Run in the background</button>
<button class="second" formaction="$url/plan">Show the plan</button>
</div>
</form>""")

_COLLAPSED = Template("""\
<details>
<summary>$name</summary>
<p>$description</p>
<pre tabindex="0">$query</pre>
<form class="row" action="$url/sync" method="post">
<input type="hidden" name="LANG" value="ADQL" />
<input type="hidden" name="RESPONSEFORMAT" value="csv" />
<input type="hidden" name="QUERY" value="$query" />
<button aria-label="Run $name, result as CSV">Run, result as CSV</button>
<a class="button second" href="$edit" aria-label="Edit $name">Edit</a>
</form>
</details>""")

_TABLES = Template("""\
<h2 id="tables">Tables</h2>
<div class="scroll" role="region" aria-labelledby="tables" tabindex="0">
<table>
<thead><tr><th scope="col">Table</th><th scope="col" class="number">Rows</th>
<th scope="col" class="number">Columns</th><th scope="col">Description</th></tr></thead>
<tbody>
$rows
</tbody>
</table>
</div>""")

_TABLE_ROW = Template("""\
<tr><th scope="row"><a href="$link">$name</a></th><td class="number">$rows</td>
<td class="number">$columns</td><td>$description</td></tr>""")

_CLIENTS = Template("""\
<h2>From your own tools</h2>
<h3>Python, with pyvo</h3>
<pre tabindex="0">import pyvo

tap = pyvo.dal.TAPService("$url")
table = tap.run_sync("SELECT TOP 10 * FROM $table").to_table()</pre>
<h3>TOPCAT</h3>
<p>In <em>VO ▸ Table Access Protocol (TAP) Query</em> enter <code>$url</code> as TAP URL.</p>
<h3>A shell, with curl</h3>
<pre tabindex="0">curl $url/sync -d LANG=ADQL -d RESPONSEFORMAT=csv \\
  --data-urlencode "QUERY=SELECT TOP 10 * FROM $table"</pre>""")

_LEAD = Template("""\
Queries to start from. Run and change them on the
<a href="$url">page of the service</a>.""")

_EXAMPLE = Template("""\
<p>$description</p>
<pre property="query" tabindex="0">$query</pre>
<p class="quiet">Table: <code property="table">$table</code></p>""")
