"""The parameters of SIA 2.0 (2.1): what each demands of a row of ivoa.obscore."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from vo.errors import UsageError
from vo.literals import interval
from vo.sia.shapes import meets
from vo.votable.descriptor import Input

Condition = Callable[[str, str], str]
"""The ADQL that the name of a parameter and one of its values become."""

_STATES = ("I", "Q", "U", "V", "RR", "LL", "RL", "LR", "XX", "YY", "XY", "YX", "POLI", "POLA")
_TYPES = (
    "image", "cube", "spectrum", "sed", "timeseries", "visibility", "event", "measurements",
)  # fmt: skip
_LEVELS = ("0", "1", "2", "3", "4")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter: values of one are alternatives, and several must all be met (SIA 2.0, 2.1).

    No condition is met by a row whose value is not known, as NULL fails every comparison. `listed` is the
    column of obscore of which the service tells what values there are.
    """

    condition: Condition
    input: Input
    listed: str | None = None

    @property
    def name(self) -> str:
        """Its name in capitals."""
        return self.input.name


def _overlaps(low: str, high: str) -> Condition:
    """The interval and that of the columns `low` and `high` have a value in common."""

    def condition(name: str, value: str) -> str:
        first, last = interval(value, name)
        terms = [f"{low} IS NOT NULL", f"{high} IS NOT NULL"]
        terms += [f"{high} >= {first!r}"] if math.isfinite(first) else []
        terms += [f"{low} <= {last!r}"] if math.isfinite(last) else []
        return " AND ".join(terms)

    return condition


def _holds(column: str) -> Condition:
    """The interval holds the value of the column."""

    def condition(name: str, value: str) -> str:
        first, last = interval(value, name)
        terms = [f"{column} IS NOT NULL"]
        terms += [f"{column} >= {first!r}"] if math.isfinite(first) else []
        terms += [f"{column} <= {last!r}"] if math.isfinite(last) else []
        return " AND ".join(terms)

    return condition


def _equals(term: str, clean: Callable[[str], str] = str.strip) -> Condition:
    def condition(name: str, value: str) -> str:
        return f"{term} = {_text(name, clean(value))}"

    return condition


def _one_of(options: tuple[str, ...], template: str) -> Condition:
    known = {option.lower(): option for option in options}

    def condition(name: str, value: str) -> str:
        found = known.get(value.strip().lower())
        if found is None:
            raise UsageError(f"{name} must be one of {', '.join(options)}, not {value[:40]!r}.")
        return template.format(found)

    return condition


def _text(name: str, value: str) -> str:
    """`value` as a literal of ADQL (2.1.4), its quotes doubled."""
    if not value:
        raise UsageError(f"{name} has no value.")
    if not value.isprintable():
        raise UsageError(f"{name} must be one line of text.")
    return "'" + value.replace("'", "''") + "'"


def _media_type(value: str) -> str:
    """A media type; a + that was not escaped in a URL came as a blank."""
    return "; ".join(part.strip().replace(" ", "+") for part in value.split(";")).replace("; ", ";")


def _interval(name: str, unit: str | None, ucd: str | None, description: str) -> Input:
    return Input(name, description, "double", "2", xtype="interval", unit=unit, ucd=ucd)


_POS = Input(
    "POS",
    "Images that meet CIRCLE lon lat radius, RANGE lon lon lat lat or POLYGON lon lat ... (ICRS, degrees)",
    ucd="pos.outline;obs.field",
)

PARAMETERS = (
    Parameter(meets, _POS),
    Parameter(
        _overlaps("em_min", "em_max"),
        _interval("BAND", "m", "em.wl;stat.interval", "Wavelengths, of which the image has some"),
    ),
    Parameter(
        _overlaps("t_min", "t_max"),
        _interval("TIME", "d", "time.interval;obs.exposure", "Times (MJD, UTC), of which the image has some"),
    ),
    Parameter(
        _one_of(_STATES, "pol_states LIKE '%/{}/%'"),
        Input(
            "POL",
            "State of polarization that was measured",
            ucd="meta.code;phys.polarization",
            options=_STATES,
        ),
    ),
    Parameter(
        _holds("s_fov"), _interval("FOV", "deg", "phys.angSize;instr.fov", "Size of the field of view")
    ),
    Parameter(
        _holds("s_resolution"), _interval("SPATRES", "arcsec", "pos.angResolution", "Spatial resolution")
    ),
    Parameter(
        _holds("em_res_power"), _interval("SPECRP", None, "spect.resolution", "Spectral resolving power")
    ),
    Parameter(_holds("t_exptime"), _interval("EXPTIME", "s", "time.duration;obs.exposure", "Exposure time")),
    Parameter(_holds("t_resolution"), _interval("TIMERES", "s", "time.resolution", "Resolution in time")),
    Parameter(
        _equals("LOWER(obs_publisher_did)", lambda value: value.strip().lower()),
        Input("ID", "Identifier of the image, in any case", ucd="meta.ref.ivoid"),
    ),
    Parameter(
        _equals("obs_collection"),
        Input("COLLECTION", "Name of the collection", ucd="meta.id"),
        listed="obs_collection",
    ),
    Parameter(
        _equals("facility_name"),
        Input("FACILITY", "Telescope", ucd="meta.id;instr.tel"),
        listed="facility_name",
    ),
    Parameter(
        _equals("instrument_name"),
        Input("INSTRUMENT", "Instrument", ucd="meta.id;instr"),
        listed="instrument_name",
    ),
    Parameter(
        _one_of(_TYPES, "dataproduct_type = '{}'"),
        Input("DPTYPE", "Kind of the data product", ucd="meta.code.class", options=_TYPES),
    ),
    Parameter(
        _one_of(_LEVELS, "calib_level = {}"),
        Input("CALIB", "Level of calibration", ucd="meta.code;obs.calib", options=_LEVELS),
    ),
    Parameter(_equals("target_name"), Input("TARGET", "Target of the observation", ucd="meta.id;src")),
    Parameter(
        _equals("access_format", _media_type),
        Input("FORMAT", "Media type of what access_url gives", ucd="meta.code.mime"),
        listed="access_format",
    ),
)
"""All that constrain; MAXREC and RESPONSEFORMAT are those of DALI."""
