"""With a CA file in the URL, the client connects only to the named server, and always encrypted."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from chalicelib.errors import ServiceError
from chalicelib.stores.database.connect import connect
from tests.conftest import absent
from tests.services import mysql_program, own_mysql

CIPHER = "SHOW STATUS LIKE 'Ssl_cipher'"


def write_certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """Write a self-signed certificate for `host` and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / f"{host}.pem", folder / f"{host}.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


def test_only_the_named_server_is_accepted(tmp_path: Path) -> None:
    if mysql_program() is None:
        absent("there is no mariadbd or mysqld to start a server with a certificate")
    certificate, key = write_certificate(tmp_path, "localhost")
    another_ca, _ = write_certificate(tmp_path, "another.test")

    with own_mysql(f"--ssl-cert={certificate}", f"--ssl-key={key}") as port:
        [(_, cipher)] = connect(f"mysql://root@localhost:{port}/mysql?ca={certificate}").read(CIPHER)
        with pytest.raises(ServiceError) as another_host:
            connect(f"mysql://root@127.0.0.1:{port}/mysql?ca={certificate}").read(CIPHER)
        with pytest.raises(ServiceError) as unknown_ca:
            connect(f"mysql://root@localhost:{port}/mysql?ca={another_ca}").read(CIPHER)

    assert cipher
    assert (another_host.value.status, unknown_ca.value.status) == (503, 503)


def test_tls_is_used_when_offered_without_reading_certificates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if mysql_program() is None:
        absent("there is no mariadbd or mysqld to start a server with a certificate")
    certificate, key = write_certificate(tmp_path, "localhost")
    read: list[object] = []
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", lambda context, *_: read.append(context))

    with own_mysql(f"--ssl-cert={certificate}", f"--ssl-key={key}") as port:
        [(_, cipher)] = connect(f"mysql://root@127.0.0.1:{port}/mysql").read(CIPHER)

    assert cipher
    assert read == []


def test_a_server_without_tls_is_refused(mysql_server: int, tmp_path: Path) -> None:
    url = f"mysql://root@127.0.0.1:{mysql_server}/mysql"
    if connect(url).read(CIPHER) != [("Ssl_cipher", "")]:
        pytest.skip("this server has TLS")

    with pytest.raises(ServiceError):
        connect(f"{url}?ca={write_certificate(tmp_path, 'localhost')[0]}").read(CIPHER)
