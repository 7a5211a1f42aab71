"""The README is true: settings, commands and resources are those of the code."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import Field, fields
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route

from vo.app import create_app
from vo.cli import COMMANDS
from vo.config import Config, variable

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")


@pytest.mark.parametrize("setting", fields(Config), ids=lambda setting: setting.name)
def test_every_setting_is_documented(setting: Field[Any]) -> None:
    """Each setting has its row, with its default and the help of the code, word for word."""
    default = f"`{setting.default}`" if str(setting.default) else ""
    row = f"| `{variable(setting.name)}` | {default} | {setting.metadata['help']} |"
    assert row in README


def test_no_setting_is_invented() -> None:
    """Every VO_* variable of the README exists."""
    named = set(re.findall(r"\bVO_[A-Z_]+\b", README))
    others = {"VO_TEST_ORACLE_DSN", "VO_CATALOG"}  # the second is a table
    assert named == {variable(setting.name) for setting in fields(Config)} | (named & others)


def test_every_resource_is_documented() -> None:
    """Each route is in the table of resources, or below one that is."""
    documented = set(re.findall(r"`(/[^`{]*)`", README))
    for route in create_app(Config()).routes:
        assert isinstance(route, Route)
        path = route.path.partition("{")[0].rstrip("/") or "/"
        assert path in documented or path.startswith("/tap/async"), path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_teaches_itself(command: str) -> None:
    """Each command is in the README and has a --help that says what it is for."""
    assert f"`vo {command}" in README or f"vo {command}" in README
    shown = subprocess.run(
        [sys.executable, "-m", "vo.cli", *command.split(), "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "usage:" in shown.stdout
    assert "--data" in shown.stdout


def test_links_of_the_documents_lead_somewhere() -> None:
    """Relative links of every Markdown file exist."""
    for document in [ROOT / "README.md", ROOT / "k8s/README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text("utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
