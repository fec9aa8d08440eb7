"""Pictures that arrive in a bucket: each has exactly one effect, however often and wherever it is interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from botocore.exceptions import IncompleteReadError
from botocore.response import StreamingBody

from chalicelib.api import replies
from chalicelib.errors import ServiceError, StoreUnavailableError
from chalicelib.incoming.bucket import Bucket
from chalicelib.incoming.intake import LIMITS
from chalicelib.incoming.messages import take_messages
from chalicelib.service.face_service import FaceService
from chalicelib.settings import Settings
from chalicelib.stores.aws.chosen_tokens import ChosenTokens
from chalicelib.stores.database.base import Database
from chalicelib.telemetry import audit
from chalicelib.wiring import Wiring
from tests.e2e import pictures
from tests.event_listener import Listener
from tests.incoming import PRINCIPAL, TEST_MESSAGE, arrived, event
from tests.integration.incoming_stack import Stack
from tests.services import free_port

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PATH = "incoming/add/default/Ada/1.jpg"
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def stack(database: Database, database_url: str, s3: S3Client, crops_bucket: str) -> Iterator[Stack]:
    stack = Stack(s3, database_url, crops_bucket)
    with closing(stack.parts):
        yield stack


def test_a_picture_is_added_and_found(stack: Stack) -> None:
    path = "incoming/add/default/Ada + Zoë/on holiday/a+b 100%.jpg"

    added = stack.put_and_take(path, pictures.astronaut())

    assert added == replies.added(added["face_token"], "Ada + Zoë", None)
    assert stack.matches(pictures.astronaut_png()) == [(added["face_token"], "Ada + Zoë")]


def test_a_repeated_message_changes_nothing(stack: Stack) -> None:
    first = stack.put_and_take(PATH, pictures.astronaut())
    file = stack.file(PATH)

    assert stack.take(PATH) == "0 of 1 pictures were taken in"
    assert stack.file(PATH) == file
    assert stack.matches(pictures.astronaut()) == [(first["face_token"], "Ada")]


@on_sqlite
def test_one_picture_put_twice_is_added_once_and_another_one_is_added_too(stack: Stack) -> None:
    stack.put_and_take(PATH, pictures.astronaut())
    stack.put_and_take(PATH, pictures.astronaut())
    assert stack.parts.face_set.count() == 1

    stack.put_and_take(PATH, pictures.drawing())
    assert stack.parts.face_set.count() == 2


class CrashError(BaseException):
    """The container ends."""


def stop_after(patch: pytest.MonkeyPatch, owner: type, method: str) -> None:
    """Make the container end when a method has done its work."""
    work: Callable[..., Any] = getattr(owner, method)

    def stopping(*arguments: Any, **named: Any) -> None:
        work(*arguments, **named)
        raise CrashError

    patch.setattr(owner, method, stopping)


STEPS = [
    (FaceService, "detect_largest"),
    (ChosenTokens, "choose"),
    (FaceService, "add"),
    (Bucket, "write"),
]
after_each_step = pytest.mark.parametrize(("owner", "method"), STEPS, ids=[method for _, method in STEPS])


def interrupt(stack: Stack, patch: pytest.MonkeyPatch, owner: type, method: str) -> None:
    stack.put(PATH, pictures.astronaut())
    with patch.context() as patched:
        stop_after(patched, owner, method)
        with pytest.raises(CrashError):
            stack.take(PATH)


@after_each_step
def test_after_a_crash_the_next_message_finishes_the_work(
    stack: Stack, owner: type, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt(stack, monkeypatch, owner, method)

    stack.take(PATH)

    assert stack.matches(pictures.astronaut()) == [(stack.result(PATH)["face_token"], "Ada")]
    assert stack.parts.face_set.count() == 1


@on_sqlite
@pytest.mark.parametrize("result_is_lost", [False, True])
def test_a_removed_face_is_not_added_again(stack: Stack, result_is_lost: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(stack, monkeypatch, *((FaceService, "add") if result_is_lost else (Bucket, "write")))
    [(token, _)] = stack.matches(pictures.astronaut())
    stack.parts.removal.remove(token)

    stack.take(PATH)

    assert stack.parts.face_set.count() == 0
    if result_is_lost:
        assert (stack.result(PATH)["error_code"], stack.result(PATH)["sucess"]) == ("1006", False)
        assert stack.result(PATH)["detail"].startswith("the face was removed after it had been added")
    else:
        assert stack.result(PATH)["face_token"] == token


@on_sqlite
def test_a_renamed_face_keeps_its_new_name(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(stack, monkeypatch, FaceService, "add")
    [(token, _)] = stack.matches(pictures.astronaut())
    stack.parts.face_set.rename(token, "Ada Lovelace")

    stack.take(PATH)

    assert stack.result(PATH)["face_token"] == token
    assert stack.matches(pictures.astronaut()) == [(token, "Ada Lovelace")]


@on_sqlite
def test_two_runs_at_once_add_one_face(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.put(PATH, pictures.astronaut())
    detect = FaceService.detect_largest

    def overtaken(*arguments: Any) -> Any:
        found = detect(*arguments)
        with monkeypatch.context() as patch:
            patch.setattr(FaceService, "detect_largest", detect)
            stack.take(PATH)
        return found

    monkeypatch.setattr(FaceService, "detect_largest", overtaken)
    stack.take(PATH)

    assert stack.matches(pictures.astronaut()) == [(stack.result(PATH)["face_token"], "Ada")]
    assert stack.parts.face_set.count() == 1


@on_sqlite
def test_identification_writes_the_reply_of_identify(stack: Stack) -> None:
    added = stack.put_and_take(PATH, pictures.astronaut())
    path = "incoming/identify/default/gate 3/everyone.jpg"

    found = stack.put_and_take(path, pictures.two_faces())

    service = stack.parts.active_pack.present
    asked = json.loads(json.dumps(replies.identified(service.identify(pictures.two_faces(), None, 10_000))))
    for reply in (found, asked):
        for face in reply["faces"]:  # both requests have tokens of their own
            del face["face_token"], face["face_name"]
    assert found == asked
    assert [match["face_token"] for face in found["faces"] for match in face["matches"]] == [added["face_token"]]
    file = stack.file(path)
    stack.take(path)
    assert stack.file(path) == file


@on_sqlite
@pytest.mark.parametrize(
    ("path", "picture", "code", "detail"),
    [
        (PATH, pictures.cat(), "1007", "no face of at least"),
        (PATH, b"GIF89a", "1004", "the file is neither a JPEG nor a PNG"),
        (PATH, pictures.astronaut()[:9_000], "1004", "the picture is broken or cut off"),
        (PATH, pictures.blank(8193, 60), "1004", "the picture's sides must be 48 to 8192 px; it is 8193 x 60"),
        ("incoming/add/nowhere/Ada/1.jpg", pictures.astronaut(), "1001", "there is no such face_set"),
        ("incoming/identify/nowhere/1.jpg", pictures.astronaut(), "1001", "there is no such face_set"),
        ("incoming/add/a b/Ada/1.jpg", pictures.astronaut(), "1001", "face_set must be 1 to 64 letters"),
        ("incoming/add/default/1.jpg", pictures.astronaut(), "1001", "a picture's path must be incoming/add/"),
        ("incoming/add/default/ /1.jpg", pictures.astronaut(), "1002", "person is required"),
        (f"incoming/add/default/{'a' * 256}/1.jpg", pictures.astronaut(), "1001", "person must have at most 255"),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) == 4 else "",
)
def test_a_refusal_is_a_file_too(stack: Stack, path: str, picture: bytes, code: str, detail: str) -> None:
    refusal = stack.put_and_take(path, picture)

    assert (refusal["sucess"], refusal["success"], refusal["error_code"]) == (False, False, code)
    assert refusal["detail"].startswith(detail)
    assert stack.parts.face_set.count() == 0


@on_sqlite
def test_the_largest_picture_is_taken_and_a_larger_one_is_not_read(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert LIMITS == (20_000_000, 8192)
    largest = pictures.padded(pictures.astronaut(), LIMITS.bytes)
    assert stack.put_and_take(PATH, largest)["success"] is True
    read: list[int] = []
    monkeypatch.setattr(StreamingBody, "read", lambda *_: read.append(1))
    stack.put("incoming/add/default/Ada/2.jpg", largest + b"\0")

    stack.take("incoming/add/default/Ada/2.jpg")

    assert read == []
    monkeypatch.undo()
    refusal = stack.result("incoming/add/default/Ada/2.jpg")
    assert (refusal["error_code"], refusal["detail"]) == ("1004", "the picture may have at most 20000000 bytes")


@on_sqlite
def test_a_picture_that_is_cut_off_on_the_way_is_read_again(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.put(PATH, pictures.astronaut())
    with monkeypatch.context() as patch:
        # The SDK compares the bytes read with the length announced.
        patch.setattr(StreamingBody, "_verify_content_length", lambda _: _cut_off())
        with pytest.raises(StoreUnavailableError):
            stack.take(PATH)
    assert stack.file(PATH) is None

    stack.take(PATH)
    assert len(stack.matches(pictures.astronaut())) == 1


def _cut_off() -> NoReturn:
    raise IncompleteReadError(actual_bytes=1, expected_bytes=2)


@on_sqlite
def test_a_failing_database_leaves_the_message_for_later(stack: Stack) -> None:
    stack.put(PATH, pictures.astronaut())
    url = f"mysql://root@127.0.0.1:{free_port()}/nothing"
    without_database = Wiring(Settings.from_environment({**stack.environment, "DATABASE_URL": url}))

    with closing(without_database), pytest.raises(StoreUnavailableError):
        take_messages(without_database, arrived(PATH))

    assert stack.file(PATH) is None
    # Only the temporary crop and the item of a detected face would expire before the message may come again.
    assert stack.s3.list_objects_v2(Bucket=stack.parts.settings.crops_bucket)["KeyCount"] == 0
    stack.take(PATH)
    assert len(stack.matches(pictures.astronaut())) == 1


@on_sqlite
def test_the_time_for_a_picture_is_limited(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.put(PATH, pictures.astronaut())
    monkeypatch.setattr("chalicelib.deadline.time.monotonic", iter(range(0, 10**6, 1_000)).__next__)

    with pytest.raises(ServiceError, match="1003"):
        stack.take(PATH)


@on_sqlite
def test_additions_and_identifications_are_events_once(
    database_url: str, database: Database, s3: S3Client, crops_bucket: str
) -> None:
    listener = Listener()
    stack = Stack(s3, database_url, crops_bucket, EVENT_BUS=listener.name)
    path = "incoming/identify/default/gate.jpg"
    with closing(stack.parts):
        added = stack.put_and_take(PATH, pictures.astronaut())["face_token"]
        [face] = stack.put_and_take(path, pictures.astronaut_png())["faces"]
        for again in (PATH, path):
            stack.take(again)

    assert [(event["detail-type"], event["detail"]) for event in listener.heard()] == [
        ("Face added", {"face_set": "default", "face_tokens": [added]}),
        (
            "Face identified",
            {"face_set": "default", "face_tokens": [face["face_token"]], "nearest": {face["face_token"]: added}},
        ),
    ]


@on_sqlite
def test_each_picture_is_a_line_of_the_audit_log(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(audit, "_is_on", lambda: True)

    token = stack.put_and_take(PATH, pictures.astronaut())["face_token"]
    stack.put_and_take("incoming/add/default/Ada/2.jpg", pictures.cat())
    stack.take(PATH)

    lines = [vars(record) for record in caplog.records if record.message == audit.MESSAGE]
    assert [(line["caller"], line["action"], line["face_set"], line["status"]) for line in lines] == [
        (PRINCIPAL, "S3 add", "default", 200),
        (PRINCIPAL, "S3 add", "default", 422),
    ]
    assert [line["face_tokens"] for line in lines] == [[token], []]
    assert "Ada" not in str([line["message"] for line in lines])


@on_sqlite
def test_messages_without_a_picture_are_ignored(stack: Stack) -> None:
    stack.put("incoming/add/default/", b"")

    assert take_messages(stack.parts, event(TEST_MESSAGE)) == "0 of 0 pictures were taken in"
    for path in (PATH, "incoming/add/default/", "results/add/default/1.jpg.json", f"incoming/{'a' * 1020}"):
        assert stack.take(path) == "0 of 1 pictures were taken in"
    assert stack.s3.list_objects_v2(Bucket=stack.bucket)["KeyCount"] == 1
