"""Answers are encoded as the client asks, as they stream, and are the same bytes behind it."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import zstandard
from asgi import Client, serving
from hypothesis import given
from hypothesis import strategies as st
from service import Service
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from vo.compression import ENCODINGS, Compression, chosen

TEXT = b"All these worlds are yours, except Europa. " * 100


async def whole(request: Request) -> Response:
    """A text of known size, with what the query asks for."""
    headers = {"ETag": '"1"', "Vary": "Accept", **dict(request.query_params)}
    return PlainTextResponse(TEXT, headers=headers)


async def streamed(_: Request) -> Response:
    """The same in pieces."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield TEXT

    return StreamingResponse(pieces(), media_type="text/csv")


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A client of an application that answers in several ways."""
    app = Starlette(middleware=[Middleware(Compression)])
    app.add_route("/whole", whole, methods=["GET", "HEAD"])
    app.add_route("/streamed", streamed)
    app.add_route("/small", lambda _: PlainTextResponse("x"))
    app.add_route("/packed", lambda _: Response(TEXT, media_type="image/png"))
    app.add_route("/failed", lambda _: PlainTextResponse(TEXT, 404))
    with serving(app) as client:
        yield client


def decoded(name: str, content: bytes) -> bytes:
    """What an independent decoder makes of it."""
    if name == "gzip":
        return gzip.decompress(content)
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(content)).read()


@pytest.mark.parametrize("name", ["gzip", "zstd"])
@pytest.mark.parametrize("path", ["/whole", "/streamed"])
def test_what_is_decoded_is_what_was_sent(client: Client, name: str, path: str) -> None:
    """The same bytes, fewer on the way, and headers that say so."""
    plain = client("GET", path, headers={"accept-encoding": "identity"})
    answer = client("GET", path, headers={"accept-encoding": name})
    assert answer.headers["content-encoding"] == name
    assert "Accept-Encoding" in answer.headers["vary"]
    assert "content-encoding" not in plain.headers
    assert answer.content == plain.content  # httpx has decoded it
    assert answer.num_bytes_downloaded < len(plain.content) / 5
    assert "content-length" not in answer.headers


def test_every_piece_can_be_read_when_it_comes() -> None:
    """A stream that waits for its next piece holds nothing back."""
    for name, decoder in (
        ("gzip", zlib.decompressobj(31)),
        ("zstd", zstandard.ZstdDecompressor().decompressobj()),
    ):
        encoding = ENCODINGS[name]()
        for _ in range(3):
            assert decoder.decompress(encoding.encoded(TEXT, more=True)) == TEXT
        assert decoder.decompress(encoding.encoded(b"", more=False)) == b""


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/whole", {}),
        ("/whole", {"accept-encoding": "br"}),
        ("/whole", {"accept-encoding": "gzip;q=0"}),
        ("/whole", {"accept-encoding": "gzip;q=0.5, identity"}),
        ("/whole", {"accept-encoding": "gzip", "range": "bytes=0-10"}),
        ("/whole?Accept-Ranges=bytes", {"accept-encoding": "gzip"}),
        ("/whole?Content-Encoding=br", {"accept-encoding": "gzip"}),
        ("/small", {"accept-encoding": "gzip"}),
        ("/packed", {"accept-encoding": "gzip"}),
        ("/failed", {"accept-encoding": "gzip"}),
    ],
)
def test_what_nobody_asked_for_stays_as_it_is(client: Client, path: str, headers: dict[str, str]) -> None:
    """Parts, packed types, short answers and errors too."""
    answer = client("GET", path, headers={"accept-encoding": "identity", **headers})
    assert answer.headers.get("content-encoding") in (None, "br")


def test_the_tag_of_an_encoded_answer_is_weak(client: Client) -> None:
    """It stands for other bytes than the plain answer's (RFC 9110, 8.8.1)."""
    assert client("GET", "/whole", headers={"accept-encoding": "gzip"}).headers["etag"] == 'W/"1"'
    assert client("GET", "/whole", headers={"accept-encoding": "identity"}).headers["etag"] == '"1"'


@given(st.text(st.sampled_from("gzipstd,;q=0.1* identy"), max_size=40))
def test_any_header_is_understood_or_ignored(header: str) -> None:
    """Nothing that a client sends breaks the answer."""
    assert chosen(header) in (None, *ENCODINGS)


@pytest.mark.parametrize("name", ["gzip", "zstd"])
def test_results_of_a_service_are_encoded(service: Service, name: str) -> None:
    """A sync result streams through the encoder and is the same table."""
    query = "SELECT coadd_object_id, ra, dec FROM sim1.main ORDER BY 1"
    url = f"{service.url}/tap/sync"
    params = {"QUERY": query, "LANG": "ADQL", "FORMAT": "csv"}
    plain = httpx.get(url, params=params, headers={"accept-encoding": "identity"})
    with httpx.stream("GET", url, params=params, headers={"accept-encoding": name}) as answer:
        assert answer.headers["content-encoding"] == name
        assert decoded(name, b"".join(answer.iter_raw())) == plain.content
