"""Who asks, and what a user may see."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from starlette.requests import Request

from vo.auth import User, may_see, user_of
from vo.config import Config
from vo.errors import UsageError


def _request(config: Config, *headers: tuple[bytes, bytes]) -> Request:
    app = SimpleNamespace(state=SimpleNamespace(context=SimpleNamespace(config=config)))
    return Request({"type": "http", "headers": list(headers), "app": app})


@pytest.mark.parametrize(
    ("setting", "headers", "name"),
    [
        ("", [(b"x-user", b"bob")], None),
        ("X-User", [(b"x-user", b"bob")], "bob"),
        ("X-User", [(b"x-user", b" bob ")], "bob"),
        ("X-User", [(b"x-user", b"")], None),
        ("X-User", [(b"x-other", b"bob")], None),
        ("X-User", [], None),
    ],
)
def test_the_proxy_names_the_user(setting: str, headers: list[tuple[bytes, bytes]], name: str | None) -> None:
    """The name comes from the one header that the settings trust, and from no other."""
    assert user_of(_request(Config(user_header=setting), *headers)) == User(name)


def test_two_names_are_refused() -> None:
    """A second header may be the client's own, and is not believed."""
    request = _request(Config(user_header="X-User"), (b"x-user", b"root"), (b"x-user", b"bob"))
    with pytest.raises(UsageError):
        user_of(request)


@pytest.mark.parametrize(
    ("user", "owner", "allowed"),
    [
        (None, None, True),
        ("bob", None, True),
        ("bob", "bob", True),
        ("bob", "eve", False),
        (None, "eve", False),
    ],
)
def test_jobs_belong_to_their_owner(user: str | None, owner: str | None, *, allowed: bool) -> None:
    """A job is seen by its owner, one without an owner by everybody."""
    assert may_see(User(user), SimpleNamespace(owner=owner)) == allowed
