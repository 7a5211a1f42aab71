"""The shell of every page for people: well-formed XML in one look, which loads nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from importlib.resources import files
from string import Template

from vo.dali import NOT_XML

_SHELL = Template(files("vo").joinpath("page.html").read_text("utf-8"))
_STYLE = files("vo").joinpath("page.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(f"\n{_STYLE}".encode()).digest()).decode()

POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy under which every page works: no script but the service's own files."""


def page(title: str, body: str, head: str = "") -> str:
    """A whole page around `body` and with `head` in its head, both well-formed XHTML."""
    return _SHELL.substitute(title=plain(title), style=_STYLE, body=body, head=head)


def plain(text: str) -> str:
    """`text` for an element or a quoted attribute, without the characters that no XML can hold."""
    return escape(NOT_XML.sub("", text))
