"""`stilts votlint`: the VOTables that the service writes, read cell by cell."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from judgement import Judgement, Notebook
from service import Service
from taplint import run, stilts_commands, version
from votables import requests

EXCUSED = {
    "already used in this TABLE": "A query that selects two columns of the same name gets them by that name, "
    "which votlint warns of",
    "OutOfMemoryError: Java heap space\n\tat uk.ac.starlink.ttools.votlint.ValueParser": "votlint before 3.5 "
    "cannot read numeric arrays of variable length in binary rows, not even those that STILTS wrote",
    'Non-DALI xtype value "moc"': "votlint before 3.5 does not know the xtype moc of DALI 1.2",
    'Namespaced non-DALI xtype value "adql:REGION"': "votlint since 3.5 remarks that adql:REGION, which TAP "
    "asks for, is no xtype of DALI",
}


def judge(service: Service) -> Iterator[Judgement]:
    """One judgement by each STILTS there is."""
    for command in stilts_commands():
        if shutil.which(command[0]) is None:
            yield Judgement("stilts votlint", not_run=f"there is no program {Path(command[0]).name}")
            continue
        notebook = Notebook("stilts votlint", version(command), EXCUSED)
        for request in requests():
            with notebook.check(request.what):
                lint(command, request.what, request.send(service), notebook)
        yield notebook.judgement()


def lint(command: list[str], what: str, document: bytes, notebook: Notebook) -> None:
    """Write down what votlint finds in a document."""
    with tempfile.NamedTemporaryFile(suffix=".vot") as file:
        file.write(document)
        file.flush()
        answer = run([*command, "votlint", "ucd=true", "unit=true", f"votable={file.name}"])
    assert answer.returncode == 0, answer.stderr.strip()[-2000:]
    for line in answer.stdout.splitlines():
        take = notebook.warning if line.startswith("WARNING") else notebook.error
        take(f"{what}: {line}")
