"""What errors of Oracle and of its driver mean for the service and for who asked."""

from __future__ import annotations

import re
from collections.abc import Mapping

from vo.errors import CancelledError, ConfigError, TimeLimitError, TransientError, UsageError, VOError


def as_vo_error(error: Exception) -> VOError:
    """An error of the driver in the words of the service; its number stays in the message."""
    if isinstance(error, OSError):  # the driver lets some faults of the network through as they are
        return TransientError("The database cannot be reached.")
    for code in sorted(codes_of(error), key=_WRAPPER.__eq__):
        number = int(code.partition("-")[2])
        if code in _FAULTS:
            kind, text = _FAULTS[code]
            return kind(f"{text} ({code}).", hint=_HINTS.get(text))
        if code.startswith("ORA") and number in _TNS_NUMBERS:
            return TransientError(f"The database cannot be reached ({code}).")
    first_line = str(error).partition("\n")[0]
    return VOError(f"The database failed: {first_line}")


def codes_of(error: Exception) -> list[str]:
    r"""Every number in the error's text, as errors of parallel servers and of connecting wrap their cause.

    >>> codes_of(Exception("ORA-12801: error in parallel server P000\nORA-01476: divisor is equal to zero"))
    ['ORA-12801', 'ORA-01476']
    """
    return re.findall(r"\b(?:ORA-\d{5}|DPY-\d{4})\b", str(error))


_WRAPPER = "DPY-6005"
"""Whatever keeps a session from being made; what that was comes behind it."""

STOPPED_CODE = "ORA-01013"
_TNS_NUMBERS = range(12150, 12700)
"""The numbers of Oracle Net."""

_MEMORY = "The query needs more memory than one query may use"
_DATE = "The query met text that is not a timestamp"
_AWAY = "The database closed the connection"
_BUSY = "The database has no room for another query"
_LOGIN = "The database does not accept the service's account"

_HINTS: Mapping[str, str] = {_LOGIN: "Mend VO_ORACLE_USER and VO_ORACLE_PASSWORD."}

_FAULTS: Mapping[str, tuple[type[VOError], str]] = {
    STOPPED_CODE: (CancelledError, "The query was stopped"),
    **dict.fromkeys(("DPY-4024", "ORA-00040"), (TimeLimitError, "The query used up its time")),
    "ORA-01476": (UsageError, "The query divides by zero"),
    "ORA-01722": (UsageError, "The query met text that is not a number"),
    **dict.fromkeys(
        ("ORA-01426", "ORA-01438", "DPY-4036", "DPY-4037", "DPY-4038", "DPY-4039", "DPY-4042"),
        (UsageError, "The query met a number that is too large for its type"),
    ),
    "ORA-01428": (UsageError, "The query calls a function with a number outside its domain"),
    "ORA-01489": (UsageError, "The query makes a text that is too long"),
    "ORA-01427": (UsageError, "A subquery that stands for one value gives several rows"),
    **dict.fromkeys(
        ("ORA-01830", "ORA-01839", "ORA-01841", "ORA-01843", "ORA-01847", "ORA-01858", "ORA-01861"),
        (UsageError, _DATE),
    ),
    **dict.fromkeys(("ORA-01652", "ORA-04030", "ORA-04036"), (UsageError, _MEMORY)),
    "ORA-01555": (TransientError, "The tables changed for longer than the database remembers"),
    **dict.fromkeys(
        ("DPY-4005", "ORA-00018", "ORA-00020", "ORA-02391", "ORA-04031"), (TransientError, _BUSY)
    ),
    **dict.fromkeys(
        ("DPY-1001", "DPY-4011", "DPY-4033", "ORA-00028", "ORA-01012", "ORA-03113", "ORA-03114", "ORA-03135"),
        (TransientError, _AWAY),
    ),
    **dict.fromkeys(
        ("ORA-01033", "ORA-01034", "ORA-01089", "ORA-01109"),
        (TransientError, "The database is starting or stopping"),
    ),
    **dict.fromkeys(
        ("ORA-01017", "ORA-01045", "ORA-28000", "ORA-28001", "DPY-4001", "DPY-3015"), (ConfigError, _LOGIN)
    ),
    _WRAPPER: (TransientError, "The database cannot be reached"),
    **dict.fromkeys(
        ("DPY-6001", "DPY-6003"),
        (TransientError, "The database cannot be reached: its listener knows no such service"),
    ),
}
"""What known numbers mean; anything else is a fault of the service (ORA-00904, ORA-00942, …)."""
