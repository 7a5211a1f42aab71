"""Whether the process of a container is alive, for its health check: `python -m vo.alive`.

A worker is when it has touched VO_ALIVE_FILE within a minute, a web server when it answers. Nothing of the
service is imported, as this runs every few seconds.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

FRESH_S = 60.0
"""Age of the file up to which a worker is alive."""

PATIENCE_S = 5.0
"""Seconds that a web server has to answer."""


def problem(environ: Mapping[str, str]) -> str | None:
    """What is wrong with the process that runs with `environ`; None: it is alive."""
    name = environ.get("VO_ALIVE_FILE", "")
    return _of_file(Path(name)) if name else _of_web(int(environ.get("VO_PORT", "8000")))


def _of_file(path: Path) -> str | None:
    try:
        age_s = time.time() - path.stat().st_mtime
    except OSError as error:
        return f"{path} cannot be seen: {error.strerror}."
    return None if age_s < FRESH_S else f"{path} was last touched {age_s:.0f} s ago."


def _of_web(port: int) -> str | None:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("GET", "/alive")
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        return f"The web server on port {port} does not answer: {error}."
    finally:
        connection.close()
    return None if status == HTTPStatus.OK else f"The web server answers {status}."


if __name__ == "__main__":
    sys.exit(problem(os.environ))
