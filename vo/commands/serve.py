"""`vo serve`: the whole service on one machine."""

from __future__ import annotations

import argparse

from vo.catalog import Catalog
from vo.commands import web
from vo.commands.sample import add_sample
from vo.commands.telling import say
from vo.config import Config
from vo.serve import serve


def add_options(parser: argparse.ArgumentParser) -> None:
    """What to serve, and where."""
    parser.add_argument("--sample", action="store_true", help="build the synthetic release first, if absent")
    web.add_options(parser)


def run(options: argparse.Namespace, config: Config) -> None:
    """Serve until it is told to stop; a greeting tells when it is ready."""
    if options.sample:
        add_sample(config)
    serve(config, on_ready=lambda catalog: say(_greeting(config, catalog)))


def _greeting(config: Config, catalog: Catalog) -> str:
    """What a person may do next."""
    base = config.public_url
    url = f"{base}/tap"
    published = [table for table in catalog.tables() if table.schema != "TAP_SCHEMA"]
    largest = max(published, key=lambda table: table.nrows or 0, default=None)
    name = largest.qualified if largest else "TAP_SCHEMA.tables"
    rows = sum(table.nrows or 0 for table in published)
    query = f"SELECT TOP 5 * FROM {name}"  # noqa: S608  shown, not run
    return f"""\
Serving {len(published)} tables with {rows:,} rows at {base}/  (Ctrl-C stops)

  browser  {url}
  curl     curl '{url}/sync?LANG=ADQL&FORMAT=csv&QUERY={query.replace(" ", "+")}'
  pyvo     python -c "import pyvo; print(pyvo.dal.TAPService('{url}').search('{query}'))"
  TOPCAT   VO > Table Access Protocol, TAP URL: {url}
"""
