"""A release takes the place of the old one at once, or not at all, whoever reads, kills or competes."""

from __future__ import annotations

import fcntl
import io
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from loading import STARS, config_of, rows_of, write_stars

from vo.errors import LoadError
from vo.load import Progress, ProgressLine, load_release


def test_reader_keeps_the_old_release(tmp_path: Path) -> None:
    """Who has the old file open reads on in it; who opens it later reads the new one."""
    config = config_of(tmp_path / "data")
    loaded = load_release(write_stars(tmp_path / "old"), config)
    with duckdb.connect() as reader:
        reader.execute(f"ATTACH '{config.releases_dir / 'sky.duckdb'}' AS r (READ_ONLY)")
        load_release(write_stars(tmp_path / "new", mag=[1.0] * 6), config)
        assert reader.execute("SELECT max(mag) FROM r.sky.stars").fetchone() == (21.25,)
    assert rows_of(loaded, config, "SELECT max(mag) FROM r.sky.stars") == [(1.0,)]
    assert [path.name for path in config.releases_dir.iterdir() if path.name[0] != "."] == ["sky.duckdb"]


def test_leftovers_of_a_killed_load_are_removed(tmp_path: Path) -> None:
    """The next load of a release clears away what an earlier one could not, and nothing of others."""
    config = config_of(tmp_path / "data")
    config.releases_dir.mkdir(parents=True)
    for name in ("sky.duckdb.0a.tmp", "sky.duckdb.0a.tmp.wal", "sky2.duckdb.0b.tmp"):
        (config.releases_dir / name).touch()
    (config.releases_dir / "sky.duckdb.0a.tmp.spill").mkdir()
    (config.releases_dir / "sky.duckdb.0a.tmp.spill" / "block").touch()
    load_release(write_stars(tmp_path / "source"), config)
    left = sorted(path.name for path in config.releases_dir.iterdir() if path.name[0] != ".")
    assert left == ["sky.duckdb", "sky2.duckdb.0b.tmp"]


def test_two_loads_of_one_release(tmp_path: Path) -> None:
    """A load does not begin while another of the same release is at work, and does after it."""
    config = config_of(tmp_path / "data")
    source = write_stars(tmp_path / "source")
    config.releases_dir.mkdir(parents=True)
    with (config.releases_dir / ".sky.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LoadError, match="Another load of the release sky is at work"):
            load_release(source, config)
    assert load_release(source, config).release == "sky"


def test_schema_of_another_release(tmp_path: Path) -> None:
    """A schema is served by one release only, in whatever case it is written."""
    config = config_of(tmp_path / "data")
    source = write_stars(tmp_path / "source")
    load_release(source, config, name="first")
    (source / "release.yaml").write_text(STARS.replace("name: sky", "name: SKY"))
    with pytest.raises(LoadError, match="SKY is served by the release first already"):
        load_release(source, config, name="second")
    with pytest.raises(LoadError, match="a release first, which differs from FIRST in case only"):
        load_release(source, config, name="FIRST")
    load_release(source, config, name="first")
    assert [path.name for path in config.releases_dir.glob("*.duckdb*")] == ["first.duckdb"]


STOPPED = """
import sys
from pathlib import Path
from vo.config import Config
from vo.load import load_release
def report(progress):
    print(progress.stage, flush=True)
load_release(Path(sys.argv[1]), Config(data_dir=Path(sys.argv[2]), duckdb_memory="256MB"), report=report)
"""
"""A load in a process of its own that says when it has begun."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_leaves_the_old_release(number: signal.Signals, tmp_path: Path) -> None:
    """A load that is told to stop stops, and leaves the old file and none of its own."""
    config = config_of(tmp_path / "data")
    load_release(write_stars(tmp_path / "source"), config)
    before = (config.releases_dir / "sky.duckdb").read_bytes()
    count = 2_000_000
    source = write_stars(
        tmp_path / "large",
        id=list(range(count)),
        ra=[i * 1e-4 for i in range(count)],
        dec=[0.0] * count,
        mag=[None] * count,
    )
    command = [sys.executable, "-c", STOPPED, str(source), str(config.data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as load:
        assert load.stdout is not None
        load.stdout.readline()
        load.send_signal(number)
        assert load.wait(30) in (128 + number, -number)
    assert (config.releases_dir / "sky.duckdb").read_bytes() == before
    assert [path.name for path in config.releases_dir.iterdir() if path.name[0] != "."] == ["sky.duckdb"]


def test_progress_of_a_load(tmp_path: Path) -> None:
    """Every stage is told, and the last words on reading are that all rows are read."""
    told: list[Progress] = []
    load_release(write_stars(tmp_path / "source"), config_of(tmp_path / "data"), report=told.append)
    assert {progress.table for progress in told} == {"sky.stars"}
    assert told[-1] == Progress("check", "sky.stars", 6)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


MOMENTS = [
    (0.0, Progress("read", "s.t", 10, 100, 5.0, 18.0)),
    (0.1, Progress("read", "s.t", 20, 100, 5.0, 16.0)),
    (0.5, Progress("read", "s.t", 30, 100, 5.0, 14.0)),
    (0.6, Progress("sort", "s.t", 100)),
    (0.7, Progress("sort", "s.u", 100)),
]


@pytest.mark.parametrize(("stream", "drawn"), [(_Terminal(), 4), (io.StringIO(), 3)])
def test_progress_line(stream: io.StringIO, drawn: int) -> None:
    """A terminal sees one line a table, redrawn at most five times a second; a log sees plain lines."""
    clock = iter([moment for moment, _ in MOMENTS])
    line = ProgressLine(stream, clock=lambda: next(clock))
    for _, progress in MOMENTS:
        line(progress)
    line.end()
    text = stream.getvalue()
    assert text.replace("\r", "\n").count("s.t  ") + text.count("s.u  ") == drawn
    assert text.endswith("rows\n")
    assert text.count("\n") == (2 if isinstance(stream, _Terminal) else 3)
