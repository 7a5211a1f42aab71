"""Imports point one way."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "vo"

LAYERS = """
errors reserved lifeline compiled alive | log | supervisor data_dir catalog regions forest | tiling | moc
result config column_list
adql | db votable | sample | formats tablefiles | images
auth dali literals access compression | page shapes | examples vosi uws
context
delivery resources uploads
tap scs sia soda datalink cutout footprint anomaly portal watch
jobs
sweep
home | status | door
app worker check | serve
load
commands
cli
"""
"""From the ground up; what one line or one | sets side by side may not import each other."""

RANK = {
    name: rank
    for rank, names in enumerate(LAYERS.replace("|", "\n").strip().splitlines())
    for name in names.split()
}
DRIVERS = {"oracledb"}
"""Modules that may be missing, and so may be imported inside a function."""

SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def _module(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imported(node: ast.AST) -> Iterator[str]:
    """The dotted names that an import statement may load, `from vo import x` as vo.x."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    """A module imports from its own package and from the layers below, and at its top."""
    tree, here = ast.parse(path.read_text("utf-8")), _module(path)
    dotted = [name.split(".") for node in ast.walk(tree) for name in _imported(node)]
    used = {name[1] for name in dotted if name[0] == "vo"} - {here, "__version__"}
    assert here in RANK, f"name the layer of {here} in this test"
    assert [name for name in sorted(used) if RANK[name] >= RANK[here]] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_import_hides_in_a_function(path: Path) -> None:
    """What a module needs is seen at its top, but for drivers that may be missing."""
    functions = (
        node
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    hidden = {name for function in functions for node in ast.walk(function) for name in _imported(node)}
    assert {name.split(".")[0] for name in hidden} <= DRIVERS
