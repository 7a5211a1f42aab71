"""What a process keeps at hand: the things used last, up to a total size."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

_Value = TypeVar("_Value")


class Recent(Generic[_Value]):
    """Values by key; those not asked for longest go when the sizes of all exceed `limit`. Safe for threads.

    >>> kept = Recent[str](limit=3)
    >>> kept.put("a", "alpha", 1)
    >>> kept.put("b", "beta", 1)
    >>> kept.get("a")
    'alpha'
    >>> kept.put("c", "gamma", 2)
    >>> kept.get("b"), kept.get("c")
    (None, 'gamma')
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = Lock()
        self._kept: OrderedDict[Hashable, tuple[_Value, int]] = OrderedDict()
        self._total = 0

    def get(self, key: Hashable) -> _Value | None:
        """The value, which is now the last used; None where there is none."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: _Value, size: int) -> None:
        """Keep the value, instead of one with the same key; what is larger than all may be is not kept."""
        with self._lock:
            replaced = self._kept.pop(key, None)
            self._total += size - (0 if replaced is None else replaced[1])
            self._kept[key] = (value, size)
            while self._total > self._limit:
                _, (_, freed) = self._kept.popitem(last=False)
                self._total -= freed

    def clear(self) -> None:
        """Keep nothing."""
        with self._lock:
            self._kept.clear()
            self._total = 0
