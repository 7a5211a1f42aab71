"""What Numba has no name for: an instruction of the processor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from numba import types
from numba.extending import intrinsic

_Function = Callable[..., Any]


def instruction(function: _Function) -> _Function:
    """What a function generates, callable in compiled functions."""
    return cast("_Function", intrinsic(function))


@instruction
def fused(_typing: Any, _a: Any, _b: Any, _c: Any) -> tuple[Any, _Function]:  # noqa: ANN401  types of Numba
    """The sum a b + c in single precision, rounded once (IEEE 754-2008, 5.4.1): the same on every machine."""

    def generate(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:  # noqa: ANN401
        return builder.fma(*values)

    return types.float32(types.float32, types.float32, types.float32), generate
