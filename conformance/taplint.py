"""`stilts taplint`: every stage that applies to the service."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from judgement import Judgement, Notebook
from service import Service

LEFT_OUT = ("LOC",)
"""Stages about what the service does not have: a table ivoa.obsplan."""

EXCUSED = {
    "features-adql-conditional": "taplint before 3.5 does not know the type of feature that COALESCE is "
    "(`features-adql-conditional`, ADQL 2.1, 4.1)",
}

TIMEOUT_S = 600


def judge(service: Service) -> Iterator[Judgement]:
    """One judgement by each STILTS there is."""
    stages = " ".join(f"-{code}" for code in LEFT_OUT)
    for command in stilts_commands():
        if shutil.which(command[0]) is None:
            yield Judgement("stilts taplint", not_run=f"there is no program {Path(command[0]).name}")
            continue
        notebook = Notebook("stilts taplint", version(command), EXCUSED)
        arguments = [f"tapurl={service.tap}", f"stages={stages}", "format=json", "report=EWF"]
        _read_report(run([*command, "taplint", *arguments]), notebook)
        yield notebook.judgement()


def stilts_commands() -> list[list[str]]:
    """The installed STILTS and, when the variable STILTS holds a command, that one as well."""
    named = shlex.split(os.environ.get("STILTS", ""))
    return [["stilts"], *([named] if named else [])]


def version(command: list[str]) -> str:
    """The version that a STILTS says it has."""
    found = re.search(r"STILTS version (\S+)", run([*command, "-version"]).stdout)
    return found[1] if found else "unknown"


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """The output of a program."""
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S, **options)


def _read_report(answer: subprocess.CompletedProcess[str], notebook: Notebook) -> None:
    try:
        sections = json.loads(answer.stdout)["sections"]
    except (ValueError, KeyError):
        notebook.error(f"no report: {answer.stderr.strip()[-300:]}")
        return
    notebook.checks = len(sections)
    for section in sections:
        for report in section["reports"]:
            take = notebook.warning if report["level"] == "WARNING" else notebook.error
            take(f"{section['code']} {report['level']} {report['code']}: {report['text']}")
