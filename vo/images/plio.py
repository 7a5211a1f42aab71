"""PLIO_1, run lengths of masks (FITS 4.0, 10.4.3), as machine code that stays within its bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vo.compiled import compiled

_OLD_HEADER, _NEW_HEADER = 3, 5  # words that must be there
_ZEROS, _SET_HIGH, _RUN, _ZEROS_AND_ONE, _LAST = 0, 1, 4, 5, 7


def decode(words: NDArray[Any], out: NDArray[np.int32]) -> bool:
    """Fill `out` with the first pixels of a tile of 16-bit words; False where the tile is broken."""
    return bool(_decode(words.astype(np.int64), out))


@compiled
def _decode(words: NDArray[np.int64], out: NDArray[np.int32]) -> bool:
    """Words of four bits, what to do, and twelve bits, a number.

    0: zeros. 1: the high value is the number and 4096 times the next word. 2 and 3: it rises or sinks. 4: a
    run of high pixels. 5: zeros, of which the last is high. 6 and 7: it rises or sinks, and one is high.
    """
    at, end = _extent(words)
    if not 0 < at <= end <= len(words):
        return False
    out[:] = 0
    done, high = 0, 1
    while at < end and done < len(out):
        operation, number = words[at] >> 12, words[at] & 4095
        at += 1
        if operation == _SET_HIGH:
            if at == end:
                return False
            high = (words[at] << 12) + number
            at += 1
        elif operation in (2, 3, 6, 7):
            high += number if operation in (2, 6) else -number
        elif operation not in (_ZEROS, _RUN, _ZEROS_AND_ONE):
            return False
        done += _zeros(operation, number)
        run = number if operation == _RUN else int(operation > _RUN)
        out[done : done + run] = high
        done += run
    return True


@compiled
def _zeros(operation: int, number: int) -> int:
    """How many zeros an operation leaves in front of what it sets."""
    if operation == _ZEROS:
        return number
    return max(number - 1, 0) if operation == _ZEROS_AND_ONE else 0


@compiled
def _extent(words: NDArray[np.int64]) -> tuple[int, int]:
    """Where the operations begin and end, in the old form or the new; (0, 0) where neither is there."""
    if len(words) >= _OLD_HEADER and words[2] > 0:
        return _OLD_HEADER, words[2]
    return (words[1], (words[4] << 15) + words[3]) if len(words) >= _NEW_HEADER else (0, 0)
