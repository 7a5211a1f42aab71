"""The PL/SQL grammar of grammars-v4 as a judge, where it was asked for and is there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[1] / "oracle"


def judged_by_grammar(statements: Sequence[str], seconds: int) -> dict[str, list[str] | None]:
    """What it says of each statement; None: it had no time for it. The test is skipped without it."""
    if "ORACLE_CHECK" not in os.environ:
        pytest.skip("minutes on the grammar of PL/SQL: make oracle-check")
    if shutil.which("node") is None or not (TOOL / "node_modules").is_dir():
        pytest.skip("Node.js or the grammar of PL/SQL is not there: make oracle-check")
    answer = subprocess.run(
        ["node", str(TOOL / "parse.js"), str(seconds)],
        input=json.dumps(list(statements)),
        capture_output=True,
        check=True,
        text=True,
        cwd=TOOL,
        env={**os.environ, "NODE_OPTIONS": "--max-old-space-size=2048"},
    )
    return dict(zip(statements, json.loads(answer.stdout), strict=True))
