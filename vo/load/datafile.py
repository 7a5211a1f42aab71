"""Where the rows of a described table are: its files, found by their names."""

from __future__ import annotations

import glob
from pathlib import Path

from vo.errors import LoadError
from vo.load.description import DescribedTable, Description
from vo.load.document import Problems
from vo.tablefiles import KINDS, suffix


def find_files(description: Description) -> list[list[Path]]:
    """The data files of each table of the description; tables without any are told in one LoadError."""
    problems = Problems(description.path)
    found = [_files(described, description.path.parent, problems) for described in description.tables]
    problems.check()
    return found


def _files(described: DescribedTable, directory: Path, problems: Problems) -> list[Path]:
    try:
        if described.data is None:
            return [_file_of(described.table.name, directory)]
        return _matches(described.data, directory)
    except LoadError as error:
        problems.add(described.line, str(error))
        return []


def _file_of(name: str, directory: Path) -> Path:
    """The one file `<name>.<known suffix>` of the directory, in any case."""
    wanted = {(name + suffix).lower() for suffix in KINDS}
    found = sorted(path for path in directory.iterdir() if path.name.lower() in wanted and path.is_file())
    if not found:
        raise LoadError(
            f"The table {name} has no data: there is no {name}{{{','.join(KINDS)}}} in {directory}.",
            hint="Put the file there or name it by the table's key `data`.",
        )
    if len(found) > 1:
        raise LoadError(
            f"The table {name} has several data files: {', '.join(path.name for path in found)}.",
            hint="Name the right one by the table's key `data`.",
        )
    return found[0]


def _matches(pattern: str, directory: Path) -> list[Path]:
    """The files of a name or glob below the directory; only an absolute one may lead out of it."""
    if ".." in Path(pattern).parts:
        raise LoadError(f"`data: {pattern}` leads out of the release's directory.", hint="Write it absolute.")
    found = [directory / name for name in sorted(glob.glob(pattern, root_dir=directory, recursive=True))]  # noqa: PTH207  an absolute pattern is one of glob's, not of Path's
    if not found:
        raise LoadError(f"`data: {pattern}` matches no file in {directory}.")
    for path in found:
        if not path.is_file() or not suffix(path.name):
            raise LoadError(f"`data: {path.name}` is not a file of a known kind: {', '.join(KINDS)}.")
    return found
