"""How many machines a service needs: measured costs, and an arithmetic that anybody can follow.

    python bench/capacity.py [COSTS.json]
    python bench/capacity.py --measure URL

Costs are seconds of one processor core. `--measure` takes them from a running service with the sample,
`vo serve --sample` on this machine, and prints them as JSON for COSTS.json; without it, those in this file
are used, which were measured so on one machine.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from urllib.parse import urlparse

import httpx
import psutil


@dataclass(frozen=True)
class Costs:
    """Core seconds of each kind of work, in web server, worker and Redis together."""

    tiny_query: float = 0.015
    """A sync query of a few rows: parse, relay, answer."""

    million_rows: float = 0.6
    """A million rows of six columns, read from DuckDB, written as VOTable and sent."""

    million_scanned: float = 0.008
    """A million rows looked at by a filter without an index."""

    cutout: float = 0.023
    """A stamp of 1 arcmin in one band, from an image in tiles of 100 x 100."""

    million_scored: float = 1.9
    """A million rows with four colours read, scored by a hundred trees and put in order."""

    anomaly_run: float = 1.1
    """What each run costs beside: the forest, 100,000 rows as a table, reasons, pictures."""


@dataclass(frozen=True)
class Habits:
    """What an active user does in the busiest hour."""

    tiny_queries: float = 60
    million_rows: float = 2
    cutouts: float = 150
    anomaly_runs: float = 0.02
    rows_of_a_run: float = 5e6
    scans: float = 0.2


@dataclass(frozen=True)
class Machine:
    """One machine, and the part of it that should be busy at the most, so that nobody waits for long."""

    cores: int = 16
    memory_gb: int = 64
    busy: float = 0.6


@dataclass(frozen=True)
class Survey:
    """What is searched: `scanned` is the part of the rows that a query without an index looks at."""

    rows: float
    bytes_a_row: float = 400
    scanned: float = 0.01

    @property
    def terabytes(self) -> float:
        """The catalogue as columns, compressed to a half."""
        return self.rows * self.bytes_a_row * 0.5 / 1e12


@dataclass(frozen=True)
class Needs:
    """What comes of it."""

    users: int
    rows: float
    cores: dict[str, float]
    machine: Machine
    terabytes: float

    @property
    def machines(self) -> int:
        """Machines for web servers and workers; two at least, so that one may fail."""
        busy = sum(self.cores.values()) / self.machine.busy
        return max(2, math.ceil(busy / self.machine.cores))


def needs(users: int, survey: Survey, costs: Costs, habits: Habits, machine: Machine) -> Needs:
    """The cores that each lane keeps busy in the busiest hour, and the machines that have them."""
    hour = 3_600
    scanned_millions = survey.rows * survey.scanned / 1e6
    seconds = {
        "sync": habits.tiny_queries * costs.tiny_query,
        "query": habits.million_rows * costs.million_rows
        + habits.scans * scanned_millions * costs.million_scanned,
        "cutout": habits.cutouts * costs.cutout,
        "anomaly": habits.anomaly_runs
        * (costs.anomaly_run + habits.rows_of_a_run / 1e6 * costs.million_scored),
    }
    cores = {lane: users * each / hour for lane, each in seconds.items()}
    return Needs(users, survey.rows, cores, machine, survey.terabytes)


def measured(url: str) -> Costs:
    """Costs on this machine: the processor time of all processes of a `vo serve` while it is asked."""
    supervisor = _supervisor(url)
    tap = f"{url}/tap/sync"
    with httpx.Client(timeout=300) as client:

        def query(adql: str, **params: str) -> None:
            answer = client.get(tap, params={"LANG": "ADQL", "QUERY": adql, **params})
            answer.raise_for_status()

        def stamp(turn: int) -> None:
            place = {
                "RA": f"{0.05 + 0.001 * turn}",
                "DEC": "-39.9",
                "SIZE": "1",
                "BANDS": "g",
                "FORMAT": "fits",
            }
            client.get(f"{url}/cutout", params=place).raise_for_status()

        def anomaly(rows: str) -> None:
            columns = ",".join(f"mag_auto_{a} - mag_auto_{b} AS c{a}{b}" for a, b in ("gr", "ri", "iz", "zY"))
            form = {
                "QUERY": f"SELECT {rows} * FROM sim1.main",
                "FEATURES": columns,
                "PHASE": "RUN",
            }
            job = client.post(f"{url}/anomaly/async", data=form).headers["location"]
            while (phase := client.get(f"{job}/phase").text) in ("QUEUED", "EXECUTING"):
                time.sleep(0.2)
            assert phase == "COMPLETED", client.get(f"{job}/error").text

        query("SELECT TOP 10 * FROM sim1.main")
        tiny = _cost(supervisor, 100, lambda _: query("SELECT TOP 10 ra, dec FROM sim1.main"))
        rows = "SELECT TOP 400000 coadd_object_id, ra, dec, mag_auto_g, mag_auto_r, mag_auto_i FROM sim1.main"
        large = _cost(supervisor, 2, lambda _: query(rows, MAXREC="400000"))
        scan = "SELECT COUNT(*) AS n FROM sim1.main WHERE mag_auto_g - mag_auto_r > 0.5"
        scanned = _cost(supervisor, 10, lambda _: query(scan)) - tiny
        stamp(0)
        few, all_of_them = (
            _cost(supervisor, 3, lambda _, rows=rows: anomaly(rows)) for rows in ("TOP 100000", "")
        )
        scored = (all_of_them - few) / 0.4
        return Costs(
            tiny_query=tiny,
            million_rows=large / 0.4,
            million_scanned=max(0.001, scanned / 0.5),
            cutout=_cost(supervisor, 40, stamp),
            million_scored=scored,
            anomaly_run=few - 0.1 * scored,
        )


def _supervisor(url: str) -> psutil.Process:
    """The `vo serve` whose web server listens at the URL."""
    port = urlparse(url).port
    for listening in psutil.net_connections("tcp"):
        if listening.status == psutil.CONN_LISTEN and listening.laddr.port == port and listening.pid:
            return psutil.Process(listening.pid).parent() or psutil.Process(listening.pid)
    raise LookupError(f"Nobody listens on port {port} of this machine.")


def _cost(supervisor: psutil.Process, times: int, ask: object) -> float:
    """Core seconds of one question, from the processor time of all processes of the service."""
    before = _processor_s(supervisor)
    for turn in range(times):
        ask(turn)  # type: ignore[operator]  # a function of the turn
    time.sleep(0.5)
    return (_processor_s(supervisor) - before) / times


def _processor_s(supervisor: psutil.Process) -> float:
    family = [supervisor, *supervisor.children(recursive=True)]
    return sum(sum(process.cpu_times()[:2]) for process in family)


def table(costs: Costs) -> Iterator[str]:
    """A line for each size of the service."""
    habits, machine = Habits(), Machine()
    yield (
        f"{'users':>6}  {'rows':>7}  {'TB':>6}  " + "  ".join(f"{lane:>7}" for lane in _LANES) + "  machines"
    )
    for rows in (5e8, 4e10):
        for users in (100, 1_000, 5_000):
            found = needs(users, Survey(rows), costs, habits, machine)
            cores = "  ".join(f"{found.cores[lane]:>7.1f}" for lane in _LANES)
            yield f"{users:>6,}  {rows:>7.0e}  {found.terabytes:>6.1f}  {cores}  {found.machines:>8}"


_LANES = ("sync", "query", "cutout", "anomaly")


def main() -> None:
    """Print the costs or what follows from them."""
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(asdict(measured(sys.argv[2])), indent=2))
        return
    costs = Costs()
    if len(sys.argv) > 1:
        known = {field.name for field in fields(Costs)}
        told = json.loads(Path(sys.argv[1]).read_text("utf-8"))
        costs = replace(costs, **{name: float(told[name]) for name in known & set(told)})
    print("core seconds: " + ", ".join(f"{name} {value:g}" for name, value in asdict(costs).items()))
    print(f"cores busy in the busiest hour by lane, and machines of {Machine().cores} cores")
    for line in table(costs):
        print(line)


if __name__ == "__main__":
    main()
