"""Prints the loops that a run of anomalies compiles although all were warmed; a process of its own is new."""

from __future__ import annotations

import sys

import numpy as np
import pyarrow as pa
from numba.core.registry import CPUDispatcher

from vo.anomaly.read import values_of
from vo.forest import Missing, Scaling, Settings, contributions, fit, sample, score
from vo.worker import warm_up


def known() -> set[tuple[str, str]]:
    """Every loop of ours with the types that it is compiled for."""
    modules = [module for name, module in sys.modules.items() if name.startswith("vo.")]
    loops = [each for module in modules for each in vars(module).values() if isinstance(each, CPUDispatcher)]
    return {(loop.__qualname__, str(types)) for loop in loops for types in loop.signatures}


def run(chunks: int) -> None:
    """A run on a table in so many pieces: its columns are read-only if there is one."""
    rng = np.random.default_rng(1)
    piece = {"a": rng.normal(size=400), "b": rng.normal(size=400), "row": np.arange(400)}
    table = pa.concat_tables([pa.table(piece)] * chunks)
    columns, ids = values_of(table, ["a", "b"]), table.column("row").to_numpy()
    assert columns[0].flags.writeable == ids.flags.writeable == (chunks > 1)
    for weights in (None, np.fmax(columns[0], 0.0)):
        none = sample.empty(1, 300, 2)
        seen = sample.offered(none, columns, ids, weights=weights, required=[True, False])
        for scaling in Scaling:
            settings = Settings(ntrees=5, sample_size=64)
            model = fit(seen, "ab", settings, missing=[Missing.DROP] * 2, scaling=scaling)
            score(model, columns)
            contributions.contributions(model, columns)


if __name__ == "__main__":
    warm_up()
    warm = known()
    run(1)
    run(2)
    sys.stdout.writelines(f"{name} {types}\n" for name, types in sorted(known() - warm))
