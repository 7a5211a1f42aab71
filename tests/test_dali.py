"""Parameters, timestamps and error documents of DALI."""

from __future__ import annotations

import io
import logging
import urllib.parse
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from asgi import Client, failing_app, serving
from astropy.io.votable import parse
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from vo import errors
from vo.config import Config
from vo.dali import EXCEPTION_HANDLERS, Params, parse_instant, read_params
from vo.uws.job import JobError

LIMIT = 2000
FORM = {"content-type": "application/x-www-form-urlencoded"}
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)


async def echo(request: Request) -> JSONResponse:
    """Answer with the parameters as they were understood."""
    params = await read_params(request, file_bytes=LIMIT)
    with closing(params):
        files = [(f.name, f.filename, f.content_type, f.content.read().decode()) for f in params.files]
    return JSONResponse({"pairs": params.pairs, "files": files})


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A client of an application that echoes its parameters."""
    app = Starlette(exception_handlers=dict(EXCEPTION_HANDLERS))
    app.add_route("/echo", echo, methods=["GET", "POST"])
    app.state.context = type("Context", (), {"config": Config(request_bytes=LIMIT)})
    with serving(app) as client:
        yield client


def query_status(response: httpx.Response) -> tuple[str, str]:
    """The status and the message of an error document, as astropy reads them."""
    assert response.headers["content-type"] == "application/x-votable+xml"
    (resource,) = parse(io.BytesIO(response.content)).resources
    assert resource.type == "results"
    (info,) = [info for info in resource.infos if info.name == "QUERY_STATUS"]
    return info.value, info.content


@pytest.mark.parametrize(
    ("method", "url", "content", "pairs"),
    [
        ("GET", "/echo", {}, []),
        ("GET", "/echo?a=1&A=2&b", {}, [["a", "1"], ["A", "2"], ["b", ""]]),
        ("GET", "/echo?q=a%2Bb+c%20%C3%A9", {}, [["q", "a+b c é"]]),
        ("POST", "/echo", {}, []),
        ("POST", "/echo", {"data": {"q": "a+b c é&=", "e": ""}}, [["q", "a+b c é&="], ["e", ""]]),
        ("POST", "/echo", {"content": "q=é <ü>".encode(), "headers": FORM}, [["q", "é <ü>"]]),
        ("POST", "/echo?lang=ADQL", {"data": {"q": "1"}}, [["lang", "ADQL"], ["q", "1"]]),
        ("POST", "/echo", {"data": {"q": "é"}, "files": {"t": b""}}, [["q", "é"]]),
        (
            "POST",
            "/echo",
            {
                "content": b"a=1",
                "headers": {"content-type": "Application/X-WWW-Form-Urlencoded; charset=UTF-8"},
            },
            [["a", "1"]],
        ),
    ],
)
def test_parameters_are_read_from_everywhere(
    client: Client, method: str, url: str, content: dict[str, Any], pairs: list[list[str]]
) -> None:
    """URL, form and multipart body are understood alike (DALI 2), also raw UTF-8 as `curl -d` sends it."""
    response = client(method, url, **content)
    assert response.status_code == 200
    assert response.json()["pairs"] == pairs


def test_files_are_kept(client: Client) -> None:
    """A file part comes with its names, type and content."""
    response = client("POST", "/echo", files={"up": ("tablé.xml", "<é/>", "application/x-votable+xml")})
    assert response.json() == {
        "pairs": [],
        "files": [["up", "tablé.xml", "application/x-votable+xml", "<é/>"]],
    }


@settings(max_examples=40, deadline=None)
@given(pairs=st.lists(st.tuples(st.from_regex(r"[A-Za-z_]{1,5}", fullmatch=True), TEXT), max_size=5))
def test_any_text_comes_through(client: Client, pairs: list[tuple[str, str]]) -> None:
    """Names, values, order and repeats survive, in the URL and in the body."""
    encoded = urllib.parse.urlencode(pairs)
    for response in (
        client("GET", f"/echo?{encoded}"),
        client("POST", "/echo", content=encoded.encode(), headers=FORM),
    ):
        assert [tuple(pair) for pair in response.json()["pairs"]] == pairs


async def _in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), 100):
        yield body[start : start + 100]


MULTIPART = {"content-type": "multipart/form-data; boundary=XX"}


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (413, {"data": {"q": "x" * LIMIT}}),
        (413, {"content": _in_pieces(b"q=" + b"x" * LIMIT), "headers": FORM}),
        (413, {"files": {"t": b"x" * 2 * LIMIT}}),
        (413, {"content": _in_pieces(b"--XX\r\n" + b"x" * 2 * LIMIT), "headers": MULTIPART}),
        (413, {"content": _in_pieces(b"x" * (LIMIT + 1))}),
        (413, {"content": b"&".join([b"a"] * 1001)[:LIMIT], "headers": FORM}),
        (400, {"content": b"q=\xe9", "headers": FORM}),
        (400, {"content": b"q=%E9", "headers": FORM}),
        (400, {"content": b"a%00b=1", "headers": FORM}),
        (400, {"content": b"{}", "headers": {"content-type": "application/json"}}),
        (400, {"content": b"q=1"}),
        (400, {"content": b"--XX\r\nnonsense", "headers": MULTIPART}),
        (400, {"content": b"q=1", "headers": {"content-type": "multipart/form-data"}}),
        (
            400,
            {
                "content": b"--XX\r\nContent-Disposition: form-data\r\n\r\n1\r\n--XX--\r\n",
                "headers": MULTIPART,
            },
        ),
    ],
)
def test_bad_bodies_are_refused(client: Client, status: int, content: dict[str, Any]) -> None:
    """Bodies too large, announced or not, and those that cannot be read, are answered with a document."""
    response = client("POST", "/echo", **content)
    assert response.status_code == status
    assert query_status(response)[0] == "ERROR"


def test_the_largest_body_is_taken(client: Client) -> None:
    """A body of exactly the limit passes."""
    assert client("POST", "/echo", data={"q": "x" * (LIMIT - 2)}).status_code == 200


def test_names_are_found_in_any_case() -> None:
    """Look-ups ignore case and keep the order of repeated values (DALI 4.1)."""
    params = Params((("Pos", "1"), ("maxRec", " 7 "), ("POS", "2"), ("x", "y")))
    assert params.all("pos") == ("1", "2")
    assert params.integer("MAXREC") == 7
    assert params.single("absent") is params.integer("absent") is params.instant("absent") is None
    assert params.without("POS", "MAXREC").pairs == (("x", "y"),)


def test_a_single_parameter_is_given_once() -> None:
    """A repeated single-valued parameter is an error that names it, equal values or not (DALI 4.2)."""
    with pytest.raises(errors.UsageError, match="LANG was given 2 times"):
        Params((("LANG", "ADQL"), ("lang", "ADQL"))).single("LANG")


@pytest.mark.parametrize(
    "text", ["", "x", "1.5", "1e3", "0x10", "1_000", "٣", "--1", "9" * 19, "9" * 5000, "-1"]
)
def test_bad_integers_are_refused(text: str) -> None:
    """Anything but decimal digits with a sign, or a number below the minimum, is an error that names it."""
    with pytest.raises(errors.UsageError, match="MAXREC"):
        Params((("MAXREC", text),)).integer("MAXREC", minimum=0)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2015", datetime(2015, 1, 1, tzinfo=UTC)),
        ("2015-10", datetime(2015, 10, 1, tzinfo=UTC)),
        ("2015-10-26", datetime(2015, 10, 26, tzinfo=UTC)),
        ("2015-10-26Z", datetime(2015, 10, 26, tzinfo=UTC)),
        ("2015-10-26T09:00", datetime(2015, 10, 26, 9, tzinfo=UTC)),
        (" 2015-10-26T09:00Z ", datetime(2015, 10, 26, 9, tzinfo=UTC)),
        ("2015-10-26T09:00:01", datetime(2015, 10, 26, 9, 0, 1, tzinfo=UTC)),
        ("2015-10-26T09:00:01.5Z", datetime(2015, 10, 26, 9, 0, 1, 500_000, tzinfo=UTC)),
        ("2015-10-26T09:00:01.1234567899Z", datetime(2015, 10, 26, 9, 0, 1, 123_456, tzinfo=UTC)),
    ],
)
def test_times_may_be_cut_short(text: str, instant: datetime) -> None:
    """A timestamp may end after the year, the day or the minute, with Z or without; it is UTC."""
    assert parse_instant(text) == instant


@pytest.mark.parametrize(
    "text",
    [
        *[
            "",
            "yesterday",
            "15",
            "2015-1-1",
            "20151026",
            "2015-W01",
            "2015-13-01",
            "2015-02-29",
            "0000-01-01",
        ],
        *["2015-10-26 09:00", "2015-10-26T09", "2015-10-26T24:00", "2015-10-26T09:60", "2015-10-26T09:00:61"],
        *["2015-10-26T09:00:00.", "2015-10-26T09:00:00+01:00", "2015-10-26T09:00:00ZZ", "\uff12015"],
    ],
)
def test_bad_times_are_refused(text: str) -> None:
    """What is no UTC time of the calendar is an error that names the parameter."""
    with pytest.raises(errors.UsageError, match="AFTER"):
        parse_instant(text, "AFTER")


ERRORS: list[tuple[Exception, int, str]] = [
    (errors.UsageError("No <b>.", hint="Do & see."), 400, "No <b>. Do & see."),
    (errors.QueryError(errors.Problem("No column x", 1, 8, "x")), 400, "No column x at line 1, column 8."),
    (errors.TooLargeError("Too large."), 413, "Too large."),
    (errors.ForbiddenError("Not yours."), 403, "Not yours."),
    (errors.NotFoundError("Not here."), 404, "Not here."),
    (errors.ConflictError("Not now."), 403, "Not now."),
    (errors.TransientError("Later.", retry_after_s=7), 503, "Later."),
    (errors.CancelledError("Aborted."), 499, "Aborted."),
    (errors.ConfigError("Wrong."), 500, "Wrong."),
    (errors.ReportedError("There.", code="UsageFault", status=418), 418, "There."),
    (HTTPException(404), 404, "There is no resource /page."),
    (HTTPException(405, headers={"Allow": "POST"}), 405, "/page does not take GET."),
    (HTTPException(401, "Who?", headers={"WWW-Authenticate": "Bearer"}), 401, "Who?"),
]


@pytest.mark.parametrize(("error", "status", "message"), ERRORS, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("accept", ["*/*", "text/html, image/gif, *; q=.2, */*; q=.2"], ids=["any", "java"])
def test_errors_are_documents(error: Exception, status: int, message: str, accept: str) -> None:
    """Each error has its status and a VOTable with the message, for programs of any kind (DALI 4.4)."""
    with serving(failing_app(Config(), lambda: error)) as client:
        response = client("GET", "/page", headers={"accept": accept})
    assert (response.status_code, query_status(response)) == (status, ("ERROR", message))


@pytest.mark.parametrize(
    ("error", "header", "value"),
    [
        (errors.TransientError("Later.", retry_after_s=7), "retry-after", "7"),
        (JobError.of(errors.TransientError("Later.", retry_after_s=7)).as_error(), "retry-after", "7"),
        (HTTPException(405, headers={"Allow": "POST"}), "allow", "POST"),
        (HTTPException(401, headers={"WWW-Authenticate": "Bearer"}), "www-authenticate", "Bearer"),
    ],
)
def test_errors_keep_their_headers(error: Exception, header: str, value: str) -> None:
    """A client learns when to come back, what is allowed, and how to say who it is."""
    with serving(failing_app(Config(), lambda: error)) as client:
        assert client("GET", "/page").headers[header] == value


def test_a_browser_gets_a_page() -> None:
    """A browser is shown the same message as a short page, escaped."""
    with serving(failing_app(Config(), lambda: errors.NotFoundError("No <b>."))) as client:
        response = client("GET", "/page", headers={"accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert response.status_code == 404
    assert response.headers["content-type"].startswith("text/html")
    assert "<h1>404 Not Found</h1><p>No &lt;b&gt;.</p>" in response.text


def test_a_fault_tells_only_its_reference(caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected exception is a 500 whose reference leads to the logged traceback, and no more."""
    with (
        caplog.at_level(logging.ERROR, logger="vo.dali.told"),
        serving(failing_app(Config(), lambda: ZeroDivisionError("secret"))) as client,
    ):
        response = client("GET", "/page")
    assert response.status_code == 500
    status, message = query_status(response)
    assert status == "ERROR"
    assert "secret" not in response.text
    (record,) = [record for record in caplog.records if "ZeroDivisionError" in record.message]
    assert message.rstrip(".").rpartition(" ")[2] in record.message
