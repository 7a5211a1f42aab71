"""Errors in the form of SCS 1.03 (2, with erratum 1), which is that of DALI 1.1 (4.4) as well."""

from __future__ import annotations

from vo.dali import VOTABLE_TYPE
from vo.errors import VOError
from vo.votable.document import attribute, error_document


def error_votable(error: VOError) -> tuple[str, bytes]:
    """Media type and document: an INFO "Error" below VOTABLE, and that of DALI in the RESOURCE."""
    info = f'<INFO ID="Error" name="Error" value="{attribute(str(error))}"/>\n'
    return VOTABLE_TYPE, error_document(str(error), before=info)
