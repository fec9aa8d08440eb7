"""What callers with signed tokens may see and change, over every route, with events as API Gateway sends them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

import app
from chalicelib.api.permissions import NEEDED
from chalicelib.identity import authorizer
from chalicelib.identity.bearer_token import TokenVerifier
from chalicelib.identity.issuer_keys import IssuerKeys
from chalicelib.service import cursors
from chalicelib.settings import current_settings
from tests import identity
from tests.e2e import pictures
from tests.e2e.api import Query, Reply, form
from tests.e2e.lambda_api import LambdaApi, context, event, lasting_handler
from tests.identity import AUDIENCE, ISSUER, Issuer, signed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

KEY = identity.ec_key()
ARN = "arn:aws:execute-api:eu-central-1:123456789012:abcdefghij/api/GET/faces"
ROUTES = [
    (method, path)
    for path, methods in app.app.routes.items()
    for method, route in methods.items()
    if route.api_key_required
]
READING = [
    (method, path) for method, path in ROUTES if NEEDED[app.app.routes[path][method].view_function.__name__] == "read"
]
# The arguments of a valid request to a route. The other routes need at most a face set.
ARGUMENTS: dict[tuple[str, str], tuple[str, ...]] = {
    ("POST", "/detect"): ("image_file",),
    ("POST", "/search"): ("image_file", "threshold", "face_set"),
    ("GET", "/search"): ("face_token", "threshold", "face_set"),
    ("HEAD", "/search"): ("face_token", "threshold", "face_set"),
    ("POST", "/identify"): ("image_file", "face_set"),
    ("POST", "/compare"): ("face_token1", "image_file2"),
    ("POST", "/groups"): ("face_tokens",),
    **{(method, "/addface"): ("face_token", "face_set") for method in ("GET", "POST")},
    **{(method, "/removeface"): ("face_token",) for method in ("GET", "POST")},
    ("PUT", "/faces/{face_token}"): ("face_name",),
    ("PUT", "/people/{person}"): ("name", "face_set"),
}
IN_ADDRESS: dict[str, tuple[str, ...]] = dict.fromkeys(
    ("/faces/{face_token}", "/faces/{face_token}/crop", "/face_sets/{face_set}", "/info"), ()
)


class Caller(LambdaApi):
    """Sends requests as API Gateway does for a token; replies are not compared with the document of the keys."""

    def __init__(self, permitted: dict[str, str] | None) -> None:
        super().__init__()
        self.permitted = permitted

    def send(
        self, method: str, path: str, query: Query = (), content_type: str | None = None, body: bytes | None = None
    ) -> Reply:
        headers = {} if content_type is None else {"Content-Type": content_type}
        sent = event(method, path, query, headers, body)
        if self.permitted is not None:
            sent["requestContext"]["authorizer"] = self.permitted
        reply = app.app(sent, context())
        answered = {name.lower(): text for name, text in reply["headers"].items()}
        return Reply(reply["statusCode"], answered, str(reply["body"]))


AsCaller = Callable[..., Caller]


@pytest.fixture(scope="module")
def stores(dynamodb: DynamoDBClient, s3: S3Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    url = f"sqlite:///{tmp_path_factory.mktemp('callers') / 'face_set.sqlite'}"
    with lasting_handler(dynamodb, s3, url, "memory"):
        yield


@pytest.fixture
def as_caller(stores: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[AsCaller]:
    """Return a caller with a token of these claims that the authorizer accepted."""
    verifier = TokenVerifier(ISSUER, AUDIENCE, IssuerKeys(ISSUER, Issuer(KEY).read))
    monkeypatch.setattr(authorizer, "_verifier", lambda: verifier)

    def let_through(**claims: Any) -> Caller:
        token = signed(KEY, "ES256", **claims)
        answer = authorizer.authorize({"authorizationToken": f"Bearer {token}", "methodArn": ARN}, None)
        return Caller({"principalId": answer["principalId"], **answer["context"]})

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IDENTITY", "jwt")
        current_settings.cache_clear()
        yield let_through
    current_settings.cache_clear()


@pytest.fixture
def owner(as_caller: AsCaller) -> Iterator[Caller]:
    """Return a caller with all rights. The sets staff and guests exist."""
    everyone = as_caller(face_sets="*", access="write")
    for name in ("staff", "guests"):
        assert everyone.post("/face_sets", face_set=name).status == 200
    yield everyone
    for name in ("staff", "guests"):
        everyone.send("DELETE", f"/face_sets/{name}")


@pytest.fixture
def token(owner: Caller) -> str:
    """Return the token of Ada's face in the set staff."""
    return owner.added(pictures.drawing(), "Ada", face_set="staff")


def _request(api: Caller, method: str, path: str, token: str, face_set: str) -> Reply:
    """Send a valid request to a route, about one face and one face set."""
    values: dict[str, bytes | str] = {
        **dict.fromkeys(("face_token", "face_token1", "face_tokens"), token),
        **dict.fromkeys(("image_file", "image_file2"), pictures.drawing()),
        "face_set": face_set,
        "threshold": "0.5",
        "face_name": "Grace",
        "name": "Ada",
    }
    fields = [(name, values[name]) for name in ARGUMENTS.get((method, path), IN_ADDRESS.get(path, ("face_set",)))]
    place = path.replace("{face_token}", token).replace("{face_set}", face_set).replace("{person}", "Ada")
    if method in ("POST", "PUT"):
        return api.send(method, place, (), *form(*fields))
    return api.send(method, place, [(name, str(value)) for name, value in fields])


def test_every_route_with_a_key_has_an_access_and_no_other() -> None:
    assert {app.app.routes[path][method].view_function.__name__ for method, path in ROUTES} == set(NEEDED)
    assert set(NEEDED.values()) == {"read", "write"}


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_a_token_a_route_is_refused(owner: Caller, token: str, method: str, path: str) -> None:
    """Even if API Gateway let the request through."""
    stale = str(int(time.time()) - 1)
    for permitted in (
        None,
        {},
        {"face_sets": "*", "access": "write", "expires_at": "9999999999"},
        {"principalId": "ada", "face_sets": "*", "access": "write", "expires_at": stale},
        {"principalId": "ada", "face_sets": "*", "access": "write"},
        {"principalId": "ada", "face_sets": "*", "access": "write", "expires_at": "never"},
    ):
        reply = _request(Caller(permitted), method, path, token, "staff")

        assert reply.status == 401
        assert reply.headers["www-authenticate"] == "Bearer"
        if method != "HEAD":
            assert reply.body["error_code"] == "1001"


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_a_route_needs_its_access(as_caller: AsCaller, owner: Caller, token: str, method: str, path: str) -> None:
    statuses = {
        access: _request(as_caller(face_sets="*", access=access), method, path, token, "staff").status
        for access in ("", "read", "write")
    }

    writes = (method, path) not in READING
    assert statuses[""] == 403
    assert (statuses["read"] == 403) == writes
    assert statuses["write"] in (200, 302)


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_another_face_set_is_out_of_reach(
    as_caller: AsCaller, owner: Caller, token: str, method: str, path: str
) -> None:
    """A route that names a face or a face set refuses, changes nothing and shows nothing."""
    guest = as_caller(face_sets=["guests"], access="write")

    reply = _request(guest, method, path, token, "staff")

    if path in ("/detect", "/info") or (path == "/face_sets" and method != "POST"):
        assert reply.status == 200
    elif "{face_token}" in path:
        assert reply.status == 404
    else:
        assert reply.status in (403, 404)
    if path != "/groups":  # the error names the tokens that the client sent
        assert token not in reply.text
    assert "Ada" not in reply.text
    face = owner.get(f"/faces/{token}").body
    assert (face["face_name"], face["face_set"]) == ("Ada", "staff")


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_the_own_face_set_is_within_reach(
    as_caller: AsCaller, owner: Caller, token: str, method: str, path: str
) -> None:
    reply = _request(as_caller(face_sets="staff", access="write"), method, path, token, "staff")

    assert reply.status in (200, 302), reply.text


def test_a_hidden_face_is_answered_like_one_that_does_not_exist(as_caller: AsCaller, owner: Caller, token: str) -> None:
    guest, unknown = as_caller(face_sets="guests", access="write"), "A" * 24

    for method, path in ROUTES:
        if path in ("/removeface", "/compare") or "{face_token}" in path:
            hidden, absent = (_request(guest, method, path, one, "guests") for one in (token, unknown))
            assert (hidden.status, hidden.text) == (absent.status, absent.text), path
    hidden, absent = (
        guest.get("/search", face_token=one, threshold="1", face_set="guests") for one in (token, unknown)
    )
    assert (hidden.status, hidden.text) == (absent.status, absent.text)


def test_lists_show_only_permitted_face_sets(as_caller: AsCaller, owner: Caller) -> None:
    def listed(**claims: Any) -> list[str]:
        return [one["face_set"] for one in as_caller(access="read", **claims).get("/face_sets").body["face_sets"]]

    assert listed(face_sets="*") == ["default", "guests", "staff"]
    assert listed(face_sets=["guests", "absent"]) == ["guests"]
    assert listed() == []


def test_a_group_with_one_hidden_face_is_refused(as_caller: AsCaller, owner: Caller, token: str) -> None:
    guest = as_caller(face_sets="guests", access="read")
    own = guest.token(pictures.drawing())

    reply = guest.post_json("/groups", {"face_tokens": [own, token]})

    assert (reply.status, reply.body["error_code"]) == (404, "1006")
    assert reply.body["detail"].startswith("1 of 2")


def test_a_hidden_face_is_no_cover(as_caller: AsCaller, owner: Caller, token: str) -> None:
    guest = as_caller(face_sets="guests", access="write")
    guest.added(pictures.drawing(), "Grace", face_set="guests")

    assert guest.put("/people/Grace", cover=token, face_set="guests").status == 404


def test_a_cursor_of_another_face_set_shows_none_of_its_faces(as_caller: AsCaller, owner: Caller, token: str) -> None:
    """Cursors are readable, so a client may write one."""
    guest = as_caller(face_sets="guests", access="read")
    other = owner.added(pictures.drawing(), "Ada", face_set="staff")
    first = owner.get("/faces", face_set="staff", name="ada", limit="1").body["next_cursor"]
    [person, _] = cursors.decode(first, 2) or (0, 0)

    def shown(api: Caller, face_set: str) -> list[str]:
        reply = api.get("/faces", face_set=face_set, name="no such name", cursor=cursors.encode(person, 0))
        return [face["face_token"] for face in reply.body["faces"]]

    assert shown(owner, "staff") == [token, other]
    assert shown(guest, "guests") == []


def test_a_face_set_that_is_not_permitted_cannot_be_created(as_caller: AsCaller, owner: Caller) -> None:
    guest = as_caller(face_sets=["guests", "visitors"], access="write")

    assert guest.post("/face_sets", face_set="others").status == 403
    assert guest.post("/face_sets", face_set="visitors").status == 200
    assert guest.send("DELETE", "/face_sets/visitors").status == 200


def test_a_detected_face_belongs_to_no_face_set(as_caller: AsCaller, owner: Caller) -> None:
    """Its token is the secret of the caller who sent the picture."""
    found = as_caller(face_sets="guests", access="read").token(pictures.drawing())

    assert (
        as_caller(face_sets="staff", access="read")
        .get("/search", face_token=found, threshold="1", face_set="staff")
        .status
        == 200
    )


def test_open_routes_need_no_token() -> None:
    assert [Caller(None).get(path).status for path in ("/health", "/openapi.json", "/")] == [200] * 3


def test_callers_without_limits_cost_no_query(owner: Caller, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(app.app, "sets_of", asked.append)

    assert owner.get(f"/faces/{token}").status == 200
    assert asked == []


def test_a_signed_request_is_accepted_and_an_unsigned_one_refused(
    stores: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY", "iam")
    current_settings.cache_clear()
    statuses = []
    for found_out in (
        {"userArn": "arn:aws:sts::123456789012:assumed-role/reader/session"},
        {"userArn": None, "apiKeyId": "k1"},
        {},
    ):
        sent = event("GET", "/face_sets", (), {}, None)
        sent["requestContext"]["identity"] |= found_out
        statuses.append(app.app(sent, context())["statusCode"])
    monkeypatch.undo()
    current_settings.cache_clear()

    assert statuses == [200, 403, 403]
