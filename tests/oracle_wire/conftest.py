"""The double needs the driver, and what it brings along; without them there is nothing to collect here."""

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("oracledb") else ["*.py"]
