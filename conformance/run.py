"""Every judge on a fresh service: `python conformance/run.py [JUDGE…]`.

The exit status is 1 when a judge that ran found an error or a warning.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import astroquery_client
import cones
import footprint
import image_access
import image_search
import pyvo_client
import sia1_rules
import taplint
import uws_scenarios
import votlint
import xsd
from judgement import Judgement
from service import Service, fresh_service

from vo import __version__

JUDGES: Mapping[str, Callable[[Service], Iterable[Judgement]]] = {
    "taplint": taplint.judge,
    "votlint": votlint.judge,
    "xsd": xsd.judge,
    "pyvo": pyvo_client.judge,
    "astroquery": astroquery_client.judge,
    "cones": cones.judge,
    "images": image_search.judge,
    "sia1": sia1_rules.judge,
    "access": image_access.judge,
    "footprint": footprint.judge,
    "uws": uws_scenarios.judge,
}

RESULTS = Path(__file__).parent / "results"
SHOWN = 400


def main() -> int:
    """Run the judges, write down and show what they found."""
    parser = argparse.ArgumentParser(description="Judge a fresh service.")
    parser.add_argument(
        "judge",
        nargs="*",
        choices=[[], *JUDGES],
        metavar="JUDGE",
        help=f"of {', '.join(JUDGES)} (default: all of them, and the results are written down)",
    )
    parser.add_argument("--url", help="judge the service at this URL instead, one with the sample release")
    options = parser.parse_args()
    started = time.monotonic()
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that nothing is left
    if options.url:
        judgements = list(_judgements(Service(options.url.rstrip("/")), options.judge or JUDGES))
    else:
        with fresh_service() as service:
            judgements = list(_judgements(service, options.judge or JUDGES))
    table = results_table(judgements, time.monotonic() - started)
    if not options.judge and not options.url:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{datetime.now(UTC):%Y-%m-%d}.md").write_text(table, encoding="utf-8")
    print(f"\n{table}")
    return 0 if all(judgement.is_clean for judgement in judgements) else 1


def _judgements(service: Service, names: Iterable[str]) -> Iterator[Judgement]:
    for name in names:
        try:
            for judgement in JUDGES[name](service):
                _tell(judgement)
                yield judgement
        except Exception as error:  # noqa: BLE001  a judge that falls over is a finding, not the end
            broken = Judgement(name, errors=(f"{type(error).__name__}: {error}",))
            _tell(broken)
            yield broken


def _tell(judgement: Judgement) -> None:
    """The findings themselves, which the table only counts, with what to mend."""
    print(f"{judgement.judge} {judgement.version}", file=sys.stderr)
    for kind, findings in (("error", judgement.errors), ("warning", judgement.warnings)):
        for finding in findings:
            print(f"  {kind}: {finding[:SHOWN]}", file=sys.stderr)


def results_table(judgements: Iterable[Judgement], seconds: float) -> str:
    """The table that is kept: a line a judge, then the remarks."""
    judged = list(judgements)
    lines = [
        f"# Conformance of vo {__version__}, {datetime.now(UTC):%Y-%m-%d}",
        "",
        "| judge | version | checks | errors | warnings |",
        "|---|---|--:|--:|--:|",
        *(_line(judgement) for judgement in judged),
        "",
        f"In all {seconds:.0f} seconds.",
    ]
    remarks = dict.fromkeys(remark for judgement in judged for remark in judgement.remarks)
    if remarks:
        lines += ["", "Known, and not counted:", "", *(f"- {remark}." for remark in remarks)]
    return "\n".join(lines) + "\n"


def _line(judgement: Judgement) -> str:
    if judgement.not_run is not None:
        return f"| {judgement.judge} | not run: {judgement.not_run} | | | |"
    counts = (judgement.checks, len(judgement.errors), len(judgement.warnings))
    return f"| {judgement.judge} | {judgement.version} | {' | '.join(map(str, counts))} |"


if __name__ == "__main__":
    sys.exit(main())
