"""Oracle over TLS: the server is believed by its certificate alone."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vo.catalog import Column
from vo.db.oracle import OracleDatabase
from vo.db.oracle_access import OracleAccess
from vo.errors import TransientError
from vo.result import Statement

pytest.importorskip("oracledb", reason="python-oracledb is not installed")

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from oracle_wire import double as wire

COUNT = Statement("SELECT id C1 FROM t", (Column("id", "long"),))


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with server.pem (key and certificate of localhost) and ewallet.pem (whom to believe)."""
    directory = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / "server.pem").write_bytes(private + pem)
    (directory / "ewallet.pem").write_bytes(pem)
    return directory


@pytest.fixture(params=list(wire.PERSONALITIES))
def double(
    request: pytest.FixtureRequest, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[wire.OracleDouble]:
    """A server that speaks nothing but TLS."""
    monkeypatch.setattr(wire.OracleDouble, "personality", wire.PERSONALITIES[request.param])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem")
    with wire.OracleDouble(wire.counting(20_000), tls=context) as server:
        yield server


def rows(server: wire.OracleDouble, wallet: Path | None) -> int:
    """The rows of a statement."""
    access = OracleAccess(
        server.dsn, server.user, server.password, wallet="" if wallet is None else str(wallet)
    )
    database = OracleDatabase(access)
    try:
        with database.stream(COUNT) as result:
            return sum(batch.num_rows for batch in result)
    finally:
        database.close()


def test_a_wallet_says_whom_to_believe(double: wire.OracleDouble, certificates: Path) -> None:
    """With the authority of the certificate in the wallet, statements run as without TLS."""
    assert rows(double, certificates) == 20_000


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # the driver leaves a refused socket open
def test_an_unknown_certificate_is_refused(double: wire.OracleDouble) -> None:
    """Without it nothing is sent to that server, the password least of all."""
    with pytest.raises(TransientError):
        rows(double, None)
    assert double.sessions == []
