"""The exchange by which both sides prove that they know the password (the verifier of Oracle 12c)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from oracle_wire.wire import Request, number, text

VERIFIER_12C = 0x4815
ROUNDS = 64
"""Rounds of the key derivation; a real server asks for thousands, a test has no secret to guard."""


class Login:
    """One login; `challenge` answers the first request of the client, `accepts` judges the second."""

    def __init__(self, password: str) -> None:
        self._password = password.encode()
        self._salt = secrets.token_bytes(16)
        self._session_salt = secrets.token_bytes(16)
        self._server_half = secrets.token_bytes(32)
        key = hashlib.pbkdf2_hmac(
            "sha512", self._password, self._salt + b"AUTH_PBKDF2_SPEEDY_KEY", ROUNDS, 64
        )
        self._hash = hashlib.sha512(key + self._salt).digest()[:32]
        self._session_key = b""

    def challenge(self) -> bytes:
        """The salts, and the server's half of the session key under the hash of the password."""
        return _pairs(
            {
                "AUTH_SESSKEY": _encrypted(self._hash, self._server_half).hex().upper(),
                "AUTH_VFR_DATA": self._salt.hex().upper(),
                "AUTH_PBKDF2_CSK_SALT": self._session_salt.hex().upper(),
                "AUTH_PBKDF2_VGEN_COUNT": str(ROUNDS),
                "AUTH_PBKDF2_SDER_COUNT": str(ROUNDS),
            }
        )

    def accepts(self, given: Mapping[str, str]) -> bool:
        """Whether the client's half of the session key and its password are right."""
        client_half = _decrypted(self._hash, bytes.fromhex(given["AUTH_SESSKEY"]))[:32]
        both = (client_half + self._server_half).hex().upper().encode()
        self._session_key = hashlib.pbkdf2_hmac("sha512", both, self._session_salt, ROUNDS, 32)
        plain = _decrypted(self._session_key, bytes.fromhex(given["AUTH_PASSWORD"]))
        return plain[16 : -plain[-1]] == self._password

    def welcome(self, session_id: int, release: int) -> bytes:
        """Who the server is, with its own proof."""
        proof = _encrypted(self._session_key, secrets.token_bytes(16) + b"SERVER_TO_CLIENT")
        return _pairs(
            {
                "AUTH_VERSION_NO": str(release),
                "AUTH_SESSION_ID": str(session_id),
                "AUTH_SERIAL_NUM": "1",
                "AUTH_SC_SERVICE_NAME": "double",
                "AUTH_INSTANCENAME": "double",
                "AUTH_MAX_OPEN_CURSORS": "300",
                "AUTH_SVR_RESPONSE": proof.hex().upper(),
            }
        )


def credentials(request: Request) -> tuple[str, dict[str, str]]:
    """The user and the key-value pairs of either request of a login."""
    request.byte()
    request.numbers(2)
    request.byte()
    count = request.number()
    request.raw(2)
    user = (request.octets() or b"").decode()
    pairs = {}
    for _ in range(count):
        key, value = request.text(), request.text()
        request.number()
        pairs[key] = value
    return user, pairs


def _pairs(values: Mapping[str, str]) -> bytes:
    flags = {"AUTH_VFR_DATA": VERIFIER_12C}
    written = (text(key) + text(value) + number(flags.get(key, 0)) for key, value in values.items())
    return b"\x08" + number(len(values)) + b"".join(written)


def _cipher(key: bytes) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES(key), modes.CBC(bytes(16)))


def _encrypted(key: bytes, plain: bytes) -> bytes:
    return _cipher(key).encryptor().update(plain)


def _decrypted(key: bytes, secret: bytes) -> bytes:
    return _cipher(key).decryptor().update(secret)
