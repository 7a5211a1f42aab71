"""The servers that the double can be: what they announce, and how their answers end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Personality:
    """A release of the server.

    `protocol` is the version of Oracle Net, `fields` that of the records inside; with `says_end` every
    answer ends with a message and a flag that say so, which servers have had since 23ai.
    """

    protocol: int
    fields: int
    release: int
    says_end: bool

    @property
    def is_modern(self) -> bool:
        """Whether requests carry a token, and descriptions and errors the fields of 23ai."""
        return self.fields >= _FIELDS_23AI


_FIELDS_23AI = 24

ORACLE_19C = Personality(protocol=318, fields=12, release=(19 << 24) | (3 << 16), says_end=False)
ORACLE_23AI = Personality(protocol=319, fields=_FIELDS_23AI, release=(23 << 24) | (4 << 16), says_end=True)
PERSONALITIES = {"19c": ORACLE_19C, "23ai": ORACLE_23AI}
