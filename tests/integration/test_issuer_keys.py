"""The keys of an issuer: how often they are read, and which replies over HTTPS are accepted."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from chalicelib.identity import authorizer, issuer_keys
from chalicelib.identity.authorizer import UnauthorizedError
from chalicelib.identity.issuer_keys import IssuerKeys, KeysUnavailableError, read_json
from tests import identity
from tests.identity import ISSUER, Issuer, https_server, signed

FIRST, SECOND = identity.ec_key("first"), identity.ec_key("second")
ARN = "arn:aws:execute-api:eu-central-1:123456789012:abcdefghij/api/GET/faces/x"


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class TestReadings:
    """How often the issuer is asked."""

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def issuer(self) -> Issuer:
        return Issuer(FIRST)

    @pytest.fixture
    def keys(self, issuer: Issuer, clock: Clock) -> IssuerKeys:
        return IssuerKeys(ISSUER, issuer.read, clock)

    def test_keys_are_kept_for_an_hour(self, keys: IssuerKeys, issuer: Issuer, clock: Clock) -> None:
        for _ in range(3):
            assert keys.key("first")
        assert issuer.readings == 1

        clock.now += issuer_keys.FRESH_SECONDS + 1
        assert keys.key("first")
        assert issuer.readings == 2

    def test_unknown_ids_cause_one_reading_a_minute(self, keys: IssuerKeys, issuer: Issuer, clock: Clock) -> None:
        keys.key("first")
        for number in range(100):
            assert keys.key(f"made-up-{number}") is None
        assert issuer.readings == 1

        clock.now += issuer_keys.REREAD_SECONDS
        for number in range(100):
            assert keys.key(f"made-up-{number}") is None
        assert issuer.readings == 2

    def test_a_new_key_is_found_within_a_minute(self, keys: IssuerKeys, issuer: Issuer, clock: Clock) -> None:
        keys.key("first")
        issuer.keys = [SECOND.as_dict(private=False)]

        clock.now += issuer_keys.REREAD_SECONDS

        assert keys.key("second")
        assert keys.key("first") is None

    def test_keys_stay_in_use_for_a_day_while_the_issuer_is_away(
        self, keys: IssuerKeys, issuer: Issuer, clock: Clock
    ) -> None:
        keys.key("first")
        issuer.failure = KeysUnavailableError("away")

        clock.now += issuer_keys.USABLE_SECONDS - 1
        assert keys.key("first")
        clock.now += 2
        with pytest.raises(KeysUnavailableError):
            keys.key("first")

        issuer.failure = None
        clock.now += issuer_keys.RETRY_SECONDS
        assert keys.key("first")

    def test_a_new_container_asks_again_after_a_failure(self, keys: IssuerKeys, issuer: Issuer, clock: Clock) -> None:
        issuer.failure = KeysUnavailableError("away")
        for _ in range(2):
            with pytest.raises(KeysUnavailableError):
                keys.key("first")
        issuer.failure = None

        clock.now += issuer_keys.RETRY_SECONDS

        assert keys.key("first")

    @pytest.mark.parametrize("listed", [None, {}, [FIRST.as_dict(private=False)] * (issuer_keys.MAX_KEYS + 1)])
    def test_a_list_that_is_wrong_or_too_long_is_refused(self, keys: IssuerKeys, issuer: Issuer, listed: Any) -> None:
        issuer.keys = listed

        with pytest.raises(KeysUnavailableError):
            keys.key("first")

    def test_a_configuration_of_another_issuer_is_refused(self, issuer: Issuer) -> None:
        issuer.address = f"{ISSUER}/tenant"

        with pytest.raises(KeysUnavailableError):
            IssuerKeys(f"{ISSUER}/tenant/", issuer.read).key("first")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file with a certificate for 127.0.0.1 and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("issuer") / "issuer.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(private + made.public_bytes(Encoding.PEM))
    return file


REPLIES: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/object?a=1": (200, {}, b'{"a": 1}'),
    "/moved": (302, {"Location": "/object?a=1"}, b""),
    "/absent": (404, {}, b"{}"),
    "/list": (200, {}, b"[]"),
    "/text": (200, {}, b"hello"),
    "/deep": (200, {}, b"[" * 100_000),
    "/large": (200, {}, b'{"a": "' + b"a" * issuer_keys.MAX_BYTES + b'"}'),
}


class TestHttps:
    @pytest.fixture
    def trusted(self, certificate: Path) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(certificate))

    @pytest.fixture
    def address(self, certificate: Path) -> Iterator[str]:
        with https_server(REPLIES.__getitem__, str(certificate)) as port:
            yield f"https://127.0.0.1:{port}"

    def test_an_object_is_read(self, address: str, trusted: ssl.SSLContext) -> None:
        assert read_json(f"{address}/object?a=1", trusted) == {"a": 1}

    @pytest.mark.parametrize("path", [path for path in REPLIES if path != "/object?a=1"])
    def test_anything_else_is_refused(self, address: str, trusted: ssl.SSLContext, path: str) -> None:
        with pytest.raises(KeysUnavailableError):
            read_json(f"{address}{path}", trusted)

    def test_a_certificate_that_nothing_vouches_for_is_refused(self, address: str) -> None:
        with pytest.raises(KeysUnavailableError, match="SSLCertVerificationError"):
            read_json(f"{address}/object?a=1")

    @pytest.mark.parametrize("url", ["http://127.0.0.1/keys", "file:///etc/passwd", "https://", "None", ""])
    def test_an_address_without_https_is_refused(self, url: str) -> None:
        with pytest.raises(KeysUnavailableError, match="https://"):
            read_json(url)

    def test_an_issuer_that_never_answers_ends_the_reading(
        self, trusted: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(issuer_keys, "SOCKET_SECONDS", 0.1)
        with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(KeysUnavailableError, match="Timeout"):
            read_json(f"https://127.0.0.1:{silent.getsockname()[1]}/", trusted)


class TestAuthorizer:
    """The function that API Gateway asks, with an issuer over HTTPS."""

    @pytest.fixture(autouse=True)
    def issuer(self, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
        def answer(path: str) -> tuple[int, dict[str, str], bytes]:
            found = published.read(f"{published.address}{path}")
            return 200, {"Content-Type": "application/json"}, json.dumps(found).encode()

        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with https_server(answer, str(certificate)) as port:
            published = Issuer(FIRST, address=f"https://127.0.0.1:{port}")
            for name, value in {
                "TOKEN_ISSUER": published.address,
                "TOKEN_AUDIENCE": identity.AUDIENCE,
                "FACE_SETS_CLAIM": "face_sets",
                "ACCESS_CLAIM": "access",
            }.items():
                monkeypatch.setenv(name, value)
            authorizer._verifier.cache_clear()
            yield published.address
        authorizer._verifier.cache_clear()

    def test_a_valid_token_may_call_the_stage_with_its_rights(self, issuer: str) -> None:
        token = signed(FIRST, "ES256", iss=issuer, face_sets=["staff", "guests"], access="read", exp=9_999_999_999)

        answer = authorizer.authorize({"authorizationToken": f"Bearer {token}", "methodArn": ARN}, None)

        assert answer["principalId"] == "ada"
        assert answer["context"] == {"face_sets": "guests staff", "access": "read", "expires_at": "9999999999"}
        [statement] = answer["policyDocument"]["Statement"]
        assert statement == {
            "Effect": "Allow",
            "Action": "execute-api:Invoke",
            "Resource": "arn:aws:execute-api:eu-central-1:123456789012:abcdefghij/api/*",
        }

    @pytest.mark.parametrize("sent", ["", "Bearer", "Bearer x", "Basic YTpi", "{token}", "Bearer {other}"])
    def test_anything_else_is_unauthorized(self, issuer: str, sent: str) -> None:
        tokens = {"token": signed(FIRST, "ES256", iss=issuer), "other": signed(SECOND, "ES256", iss=issuer)}

        # API Gateway answers 401 to this message only.
        with pytest.raises(UnauthorizedError, match=r"^Unauthorized$"):
            authorizer.authorize({"authorizationToken": sent.format_map(tokens), "methodArn": ARN}, None)
