"""Errors in the form of SODA 1.0 (5.2), at once or of a job: plain text that begins with a label."""

from __future__ import annotations

from collections.abc import Mapping

from vo.errors import VOError

ERROR_TYPE = "text/plain"
"""The media type of an error."""

_LABELS: Mapping[str, str] = {
    "UsageFault": "UsageError",
    "TransientFault": "ServiceUnavailable",
    "MultiValuedParamNotSupported": "MultiValuedParamNotSupported",
}
_LABELS_BY_STATUS: Mapping[int, str] = {401: "AuthenticationError", 403: "AuthorizationError"}


def error_text(error: VOError) -> tuple[str, bytes]:
    """Media type and document of an error."""
    label = _LABELS_BY_STATUS.get(error.status) or _LABELS.get(error.code, "Error")
    return f"{ERROR_TYPE}; charset=utf-8", f"{label}: {error}\n".encode()
