"""The tiles of the footprint service, through the door."""

from __future__ import annotations

import io
from collections.abc import Callable

from pyvo.io import vosi as pyvo_vosi
from service import Service


def test_the_service_describes_itself(service: Service, assert_valid: Callable[[bytes], None]) -> None:
    """Capabilities and availability are valid, and pyvo reads them."""
    document = service.get("/footprint/capabilities").content
    assert_valid(document)
    found = pyvo_vosi.parse_capabilities(io.BytesIO(document))
    assert {"ivo://ivoa.net/std/VOSI#capabilities", "ivo://ivoa.net/std/VOSI#availability"} <= {
        each.standardid for each in found
    }
    availability = service.get("/footprint/availability").content
    assert_valid(availability)
    assert pyvo_vosi.parse_availability(io.BytesIO(availability)).available
