"""Tables fetched for UPLOAD: from hosts that the service allows, never from its own network by surprise."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import SplitResult, urljoin, urlsplit

from vo.config import Config
from vo.errors import TooLargeError, UsageError

PUBLIC = "public"
"""The value of VO_UPLOAD_FROM that allows every address of the public Internet."""

_TIMEOUT_S = 10.0
_MOST_REDIRECTS = 5
_CHUNK = 1 << 18
_REDIRECTS = (301, 302, 303, 307, 308)
_SEND = "Send the table with the request."
_PORTS = {"http": 80, "https": 443}

Fetch = Callable[[str], Path]


@contextmanager
def fetched(config: Config, check: Callable[[], None]) -> Iterator[Fetch]:
    """A function from URLs to files with what they hold, which are gone behind the block.

    `check` is called between reads, and raises what ends the job. All tables together may have
    `upload_bytes`.
    """
    with tempfile.TemporaryDirectory(prefix="vo-upload-") as folder:
        left = config.upload_bytes
        count = 0

        def fetch(url: str) -> Path:
            nonlocal left, count
            count += 1
            path = Path(folder) / f"upload.{count}"
            left -= _written(url, path, left, config, check)
            return path

        yield fetch


def _written(url: str, path: Path, limit: int, config: Config, check: Callable[[], None]) -> int:
    size = 0
    try:
        with _response(url, config) as response, path.open("wb") as file:
            while chunk := response.read(_CHUNK):
                check()
                size += file.write(chunk)
                if size > limit:
                    raise TooLargeError(f"Uploaded tables may have {config.upload_bytes:,} bytes in all.")
    except (OSError, http.client.HTTPException) as error:
        raise UsageError(f"{url[:200]} cannot be read: {error}.") from error
    return size


@contextmanager
def _response(url: str, config: Config) -> Iterator[http.client.HTTPResponse]:
    """The answer of status 200 at the end of the redirections, each of which is judged like the first."""
    for _ in range(_MOST_REDIRECTS + 1):
        parts = urlsplit(url)
        connection = _connected(parts, config)
        try:
            connection.request("GET", parts._replace(scheme="", netloc="", fragment="").geturl() or "/")
            response = connection.getresponse()
            if response.status not in _REDIRECTS:
                if response.status != http.client.OK:
                    raise UsageError(f"{url[:200]} answers {response.status} {response.reason}.")
                yield response
                return
            url = urljoin(url, response.headers.get("Location", ""))
        finally:
            connection.close()
    raise UsageError(f"{url[:200]} is redirected too often.")


def _connected(parts: SplitResult, config: Config) -> http.client.HTTPConnection:
    """A connection to an address that was judged itself: a name may stand for another one a moment later."""
    host = parts.hostname
    if parts.scheme not in _PORTS or not host:
        raise UsageError(f"{parts.geturl()[:200]} is no URL of http or https.")
    port = parts.port or _PORTS[parts.scheme]
    address = _allowed_address(host, port, config.upload_from)
    plain = socket.create_connection(address, timeout=_TIMEOUT_S)
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        connection.sock = plain
        if parts.scheme == "https":
            connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise
    return connection


def _allowed_address(host: str, port: int, allowed: str) -> tuple[str, int]:
    named = {name.strip().lower() for name in allowed.split(",")}
    is_named = host.lower() in named or f"{host.lower()}:{port}" in named
    if not is_named and PUBLIC not in named:
        raise UsageError(f"This service fetches no tables from {host[:100]}.", hint=_SEND)
    for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        numbers = str(address[0])
        if is_named or ipaddress.ip_address(numbers.partition("%")[0]).is_global:
            return numbers, port
    raise UsageError(f"{host[:100]} has no public address.", hint=_SEND)
