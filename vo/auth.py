"""Who asks, and what a user may see: names come from a trusted proxy, the service keeps no passwords."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request

from vo.errors import UsageError


@dataclass(frozen=True, slots=True)
class User:
    """Whoever sent a request; `name` is None for the anonymous public."""

    name: str | None = None


class Owned(Protocol):
    """Something that may belong to somebody, such as a job."""

    @property
    def owner(self) -> str | None:
        """The name of the owner; None: everybody's."""
        ...


def user_of(request: Request) -> User:
    """The user whom the proxy names in the header `Config.user_header`; anonymous without one.

    Two such headers are an error: one of them is the client's own, and nothing tells which.
    """
    header = request.app.state.context.config.user_header
    names = [name.strip() for name in request.headers.getlist(header)] if header else []
    if len(names) > 1:
        raise UsageError(f"The request names {len(names)} users; the header {header} may be sent once.")
    return User(names[0] or None) if names else User()


def may_see(user: User, thing: Owned) -> bool:
    """Whether `user` may read and change `thing`: its owner may, and everybody if it has none.

    What has no owner is public: anybody may find it on the list, read it and end it.
    """
    return thing.owner is None or thing.owner == user.name
