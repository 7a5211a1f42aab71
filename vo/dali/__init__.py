"""What DALI 1.1 asks of every service: its parameters, its timestamps and its error documents."""

from vo.dali.params import File, Params, parse_instant
from vo.dali.reading import (
    NOT_XML,
    media_type_of,
    read_body,
    read_params,
    read_text,
    without_body,
)
from vo.dali.told import (
    ERROR_FORMS,
    EXCEPTION_HANDLERS,
    HTML_TYPE,
    VOTABLE_TYPE,
    accepted_form,
    error_as,
    json_body,
    prefers_page,
    tell_errors_as,
    text_body,
)

__all__ = [
    "ERROR_FORMS",
    "EXCEPTION_HANDLERS",
    "HTML_TYPE",
    "NOT_XML",
    "VOTABLE_TYPE",
    "File",
    "Params",
    "accepted_form",
    "error_as",
    "json_body",
    "media_type_of",
    "parse_instant",
    "prefers_page",
    "read_body",
    "read_params",
    "read_text",
    "tell_errors_as",
    "text_body",
    "without_body",
]
