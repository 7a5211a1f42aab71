"""Who asks, and what a user may see: names come from a trusted proxy, the service keeps no passwords."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network
from typing import Protocol

from starlette.requests import Request

from vo.errors import UsageError


@dataclass(frozen=True, slots=True)
class User:
    """Whoever sent a request, from where; `name` is None for the anonymous public."""

    name: str | None = None
    address: str | None = field(default=None, compare=False)

    @property
    def account(self) -> str:
        """Whose quotas count: the user's own, or those of the address; IPv6 gives 64 bits to each customer.

        >>> User("bob", "192.0.2.7").account, User(None, "192.0.2.7").account
        ('user:bob', 'from:192.0.2.7')
        >>> User(None, "2001:db8:1:2:3:4:5:6").account, User(None, "::ffff:192.0.2.7").account
        ('from:2001:db8:1:2::/64', 'from:192.0.2.7')
        """
        if self.name is not None:
            return f"user:{self.name}"
        if self.address is None:
            return "anonymous"
        try:
            address = IPv6Address(self.address)
        except ValueError:
            return f"from:{self.address}"
        return f"from:{address.ipv4_mapped or IPv6Network((address.packed, 64), strict=False)}"


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
    address = None if request.client is None else request.client.host
    return User((names[0] or None) if names else None, address)


def may_see(user: User, thing: Owned) -> bool:
    """Whether `user` may read and change `thing`: its owner may, and everybody if it has none.

    What has no owner is public: anybody may find it on the list, read it and end it.
    """
    return thing.owner is None or thing.owner == user.name
