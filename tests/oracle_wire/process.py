"""The double with H2 behind it in a process of its own: no fault of Java or of the driver hits the tests.

`python -m oracle_wire.process 19c|23ai [directory with server.pem]` writes one line of JSON (dsn, user,
password), then obeys the lines of its standard input until that ends: `hang up`, `refuse NUMBER`, `accept`,
`forbid tables`, `allow tables`.
"""

from __future__ import annotations

import json
import ssl
import sys
from functools import partial
from pathlib import Path

from adql.oracle_release import connect

from oracle_wire.h2 import OWNER, H2Backend
from oracle_wire.personality import PERSONALITIES
from oracle_wire.server import OracleDouble


def main(personality: str, directory: str | None = None) -> None:
    """Serve until the standard input ends."""
    OracleDouble.personality = PERSONALITIES[personality]
    backend = H2Backend(partial(connect, "double", OWNER))
    with OracleDouble(backend, tls=_tls(directory)) as double:
        told = {"dsn": double.dsn, "user": double.user, "password": double.password}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()
        for line in sys.stdin:
            match line.split():
                case ["hang", "up"]:
                    double.hang_up()
                case ["refuse", number]:
                    double.refuse_with = int(number)
                case ["accept"]:
                    double.refuse_with = None
                case ["forbid" | "allow" as word, "tables"]:
                    backend.makes_tables = word == "allow"
            sys.stdout.write("done\n")
            sys.stdout.flush()


def _tls(directory: str | None) -> ssl.SSLContext | None:
    if directory is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(directory) / "server.pem")
    return context


if __name__ == "__main__":
    main(*sys.argv[1:])
