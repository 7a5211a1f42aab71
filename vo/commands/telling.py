"""What commands say."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Tell a result at once, also to a file or a pipe."""
    sys.stdout.write(text)
    sys.stdout.flush()


def tell(line: str) -> None:
    """Tell how far the work is."""
    sys.stderr.write(f"{line}\n")
