"""Verifying real signed tokens, and the rights that they grant."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from chalicelib.identity.bearer_token import MAX_TOKEN_CHARACTERS, Grant, RefusedTokenError, TokenVerifier
from chalicelib.identity.issuer_keys import IssuerKeys
from tests import identity
from tests.identity import AUDIENCE, ISSUER, Issuer, claims, signed

RSA, EC = identity.rsa_key(), identity.ec_key()


def verify(token: str, issuer: Issuer | None = None) -> Grant:
    keys = IssuerKeys(ISSUER, (issuer or Issuer(RSA, EC)).read)
    return TokenVerifier(ISSUER, AUDIENCE, keys).verify(token)  # a new one, without keys in memory


def plain(part: dict[str, Any] | bytes) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256")], ids=["RS256", "ES256"])
def test_a_signed_token_is_accepted(key: identity.SigningKey, algorithm: str) -> None:
    expires = int(time.time()) + 900

    granted = verify(signed(key, algorithm, face_sets=["staff", "guests"], access="write", exp=expires))

    assert granted == Grant("ada", ("guests", "staff"), "write", expires)


@pytest.mark.parametrize(
    "other",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"iss": f"{ISSUER}/"},
        {"aud": "another service"},
        {"aud": None},
        {"aud": ["a", "b"]},
        {"aud": None, "client_id": "another client"},
        {"aud": "another service", "client_id": AUDIENCE},
        {"aud": f"other {AUDIENCE}"},
        {"exp": None},
        {"exp": 1_000_000_000},
        {"exp": "tomorrow"},
        {"exp": float("inf")},
        {"nbf": 4_000_000_000},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "x" * 257},
        {"sub": "a\nb"},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_is_refused(other: dict[str, Any]) -> None:
    with pytest.raises(RefusedTokenError):
        verify(signed(RSA, **other))


@pytest.mark.parametrize(
    "other",
    [
        {"aud": ["another service", AUDIENCE]},
        {"aud": None, "client_id": AUDIENCE},  # as in access tokens of Cognito
        {"exp": -10},  # within the leeway
        {"nbf": 10},
        {"nbf": None, "iat": None},
    ],
    ids=str,
)
def test_a_token_may_differ_in_these(other: dict[str, Any]) -> None:
    """Numbers are seconds from now."""
    claims: dict[str, Any] = {
        name: int(time.time()) + value if isinstance(value, int) else value for name, value in other.items()
    }

    assert verify(signed(RSA, **claims)).subject == "ada"


def test_a_token_without_a_signature_is_refused() -> None:
    for algorithm in ("none", "None", "NONE"):
        with pytest.raises(RefusedTokenError):
            verify(f"{plain({'alg': algorithm, 'kid': 'rsa'})}.{plain(claims())}.")


def test_a_public_key_is_not_taken_for_a_secret() -> None:
    """The issuer's public key is known to all, so a signature with HMAC and that key proves nothing."""
    for secret in (
        RSA.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        json.dumps(RSA.as_dict(private=False)).encode(),
    ):
        text = f"{plain({'alg': 'HS256', 'kid': 'rsa'})}.{plain(claims())}"
        forged = f"{text}.{plain(hmac.digest(secret, text.encode(), 'sha256'))}"
        with pytest.raises(RefusedTokenError):
            verify(forged)


def test_other_algorithms_of_the_same_key_are_refused() -> None:
    for algorithm in ("RS512", "PS256"):
        with pytest.raises(RefusedTokenError):
            verify(signed(RSA, algorithm))


def test_a_token_of_another_key_is_refused() -> None:
    stranger = identity.rsa_key("rsa")

    with pytest.raises(RefusedTokenError, match="BadSignatureError"):
        verify(signed(stranger))
    with pytest.raises(RefusedTokenError, match="names no key"):
        verify(signed(stranger, key_id="unknown"))


def test_a_changed_token_is_refused() -> None:
    head, body, signature = signed(RSA, access="read").split(".")
    changed = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))) | {"access": "write"}

    with pytest.raises(RefusedTokenError, match="BadSignatureError"):
        verify(f"{head}.{plain(changed)}.{signature}")


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a",
        "a.b.c",
        "..",
        "é.é.é",
        f"{plain(b'[]')}.{plain(b'{}')}.AA",
        f"{plain({'alg': 'RS256', 'kid': 'rsa'})}.{plain(b'[]')}.AA",
        f"{plain({'alg': 'RS256', 'kid': ['rsa']})}.{plain(claims())}.AA",
        f"{plain({'alg': 'RS256', 'kid': 'rsa', 'crit': ['exp'], 'exp': 1})}.{plain(claims())}.AA",
        plain(b"[" * 5000),
        "a" * (MAX_TOKEN_CHARACTERS + 1),
    ],
    ids=lambda token: token[:20],
)
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(RefusedTokenError):
        verify(token)


@pytest.mark.parametrize(
    ("claim", "granted"),
    [
        (None, ()),
        ([], ()),
        ("", ()),
        ("staff", ("staff",)),
        ("staff guests,visitors", ("guests", "staff", "visitors")),
        (["staff", "staff"], ("staff",)),
        (["staff guests", "a,b", "* "], ()),  # no face set has such a name, and none may become two names
        ("*", ("*",)),
        (["staff", "*"], ("*",)),
        ({"staff": True}, ()),
        ([1, None, ["staff"]], ()),
        (True, ()),
    ],
    ids=str,
)
def test_the_face_sets_of_a_token(claim: Any, granted: tuple[str, ...]) -> None:
    assert verify(signed(RSA, face_sets=claim)).face_sets == granted


@pytest.mark.parametrize(
    ("other", "access"),
    [
        ({}, ""),
        ({"access": "read"}, "read"),
        ({"access": ["read", "write"]}, "write"),
        ({"access": "admin"}, ""),
        ({"access": True}, ""),
        ({"scope": "openid faces:read"}, "read"),
        ({"scope": "faces/write"}, "write"),
        ({"scp": ["faces:read"]}, "read"),
        ({"access": "read", "scope": "faces:write"}, "read"),  # the claim is the narrower word
        ({"scope": "faces:writer"}, ""),
    ],
    ids=str,
)
def test_the_access_of_a_token(other: dict[str, Any], access: str) -> None:
    assert verify(signed(RSA, **other)).access == access


def test_the_claims_can_have_other_names() -> None:
    token = signed(RSA, **{"custom:sets": "staff", "custom:access": "read", "face_sets": "*", "access": "write"})

    keys = IssuerKeys(ISSUER, Issuer(RSA).read)
    granted = TokenVerifier(ISSUER, AUDIENCE, keys, sets_claim="custom:sets", access_claim="custom:access").verify(
        token
    )

    assert (granted.face_sets, granted.access) == (("staff",), "read")


class TestUnusableKeys:
    """Such a key of an issuer signs nothing here, and does not spoil the others."""

    @pytest.mark.parametrize(
        "spoilt",
        [
            {**RSA.as_dict(private=False), "use": "enc"},
            {**RSA.as_dict(private=False), "alg": "PS256"},
            {**RSA.as_dict(private=False), "n": "AQAB"},
            {**RSA.as_dict(private=False), "n": 5},
            {**RSA.as_dict(private=False), "kty": "oct"},
            {key: value for key, value in RSA.as_dict(private=False).items() if key != "e"},
            "text",
            None,
        ],
        ids=lambda key: str(key)[-30:],
    )
    def test_a_spoilt_key(self, spoilt: Any) -> None:
        issuer = Issuer(EC)
        issuer.keys.insert(0, spoilt)

        with pytest.raises(RefusedTokenError, match="names no key"):
            verify(signed(RSA), issuer)
        assert verify(signed(EC, "ES256"), issuer).subject == "ada"

    def test_a_short_key(self) -> None:
        short = identity.rsa_key("short", 1024)

        with pytest.raises(RefusedTokenError, match="names no key"):
            verify(signed(short), Issuer(short))

    def test_another_curve(self) -> None:
        other = identity.ec_key("other", "P-384")

        with pytest.raises(RefusedTokenError, match="names no key"):
            verify(signed(other, "ES384"), Issuer(other))
