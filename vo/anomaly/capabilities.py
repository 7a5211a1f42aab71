"""The capabilities document of anomaly detection: where its job list is, as no standard names more."""

from __future__ import annotations

from vo import vosi

PATH = "/anomaly"

DALI_ASYNC = "ivo://ivoa.net/std/DALI#async"
"""What a job list is called where no standard has a name for the service (DALI 1.1, 2.1)."""


def capabilities(base_url: str) -> bytes:
    """The document; `base_url` is that of the whole service."""
    url = f"{base_url.rstrip('/')}{PATH}"
    jobs = vosi.capability(DALI_ASYNC, vosi.interface(f"{url}/async", use="full", role="std", version="1.1"))
    return vosi.capabilities(url, jobs)
