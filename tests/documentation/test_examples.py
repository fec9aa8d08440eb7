"""The examples do what docs/examples/README.md shows, and treat the service's errors as it says."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.scripted_server import Answer, scripted_server
from tests.documentation.commands import ROOT
from tests.documentation.conftest import needed
from tests.documentation.pages import Reader
from tests.e2e import pictures

FOLDER = ROOT / "docs" / "examples"
PROGRAMS = {
    "curl": "bash docs/examples/curl.sh ada.jpg Ada",
    "node": "node docs/examples/javascript/identify.mjs ada.jpg",
    "python": "python docs/examples/python/door.py ada.jpg",
}
SUCCESS = {"sucess": True, "success": True}
FACE: dict[str, Any] = {"face_token": "t" * 24, "quality": {"reasons": []}, "matches": []}
NAMED = [{"face_name": "Ada", "distance": 0.1}]
IDENTIFIED = {"face_num": 1, "faces": [FACE | {"matches": NAMED}], "thresholds": {"1e-4": 0.6}}
# What each program receives when all goes well.
REPLIES: dict[str, list[Answer]] = {
    "curl": [
        (200, {}, SUCCESS | {"faces": [FACE]}),
        (200, {}, SUCCESS | {"face_name": "Ada"}),
        (200, {}, SUCCESS | {"cmp_result": NAMED}),
    ],
    "node": [(200, {}, SUCCESS | IDENTIFIED)],
    "python": [(200, {}, SUCCESS | IDENTIFIED)],
}

Try = Callable[..., tuple[int, str, list[float]]]


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    needed(name)
    return name


@pytest.fixture
def attempt(reader: Reader, program: str) -> Try:
    """Return a function that runs the program against answers: its exit code, its output, the times of its requests."""

    def attempt(*answers: Answer) -> tuple[int, str, list[float]]:
        with scripted_server(*answers) as server:
            reader.environment = {"FACE_SEARCH_URL": server.url}
            done = reader.run(PROGRAMS[program])
            return done.returncode, done.stdout, [request.at for request in server.requests]

    return attempt


def test_the_page_shows_the_real_outputs(reader: Reader) -> None:
    needed("curl", "jq", "node")

    reader.follow(FOLDER / "README.md")


def test_a_broken_photograph_does_not_stop_the_others(reader: Reader) -> None:
    (reader.folder / "photos" / "a.jpg").write_bytes(b"no picture")

    done = reader.run("python docs/examples/python/photo_library.py suggest photos")

    assert done.returncode == 0
    assert "photos/a.jpg: 1004: " in done.stdout
    assert ",photos/portrait.jpg," in done.stdout


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("bash docs/examples/curl.sh photos/cat.jpg Cat", "The picture shows no face."),
        ("python docs/examples/python/registrations.py add Cat photos/cat.jpg", "The picture must show one face"),
    ],
)
def test_a_picture_without_a_face_is_not_added(reader: Reader, command: str, said: str) -> None:
    done = reader.run(command)

    assert done.returncode == 1
    assert done.stdout.startswith(said)


def test_the_door_stays_closed_if_two_people_are_equally_near(reader: Reader) -> None:
    matches = [{"face_name": "Ada", "distance": 0.30}, {"face_name": "Eve", "distance": 0.31}]
    body = SUCCESS | IDENTIFIED | {"faces": [FACE | {"matches": matches}]}
    with scripted_server((200, {}, body)) as server:
        reader.environment = {"FACE_SEARCH_URL": server.url}
        done = reader.run(PROGRAMS["python"])

    assert (done.returncode, done.stdout) == (1, "Call the guard: Ada or Eve.\n")


def test_every_example_is_on_the_page_and_short() -> None:
    page = (FOLDER / "README.md").read_text("utf-8")
    files = [path for path in FOLDER.rglob("*.*") if path.suffix in (".html", ".mjs", ".py", ".sh")]

    assert len(files) == 9
    for path in files:
        assert f"({path.relative_to(FOLDER).as_posix()})" in page
        assert len(path.read_text("utf-8").splitlines()) <= 60, path


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_asked_again_after_the_time_it_names(attempt: Try, program: str, status: int) -> None:
    busy: Answer = (status, {"Retry-After": "2"}, {"message": "Too Many Requests"})

    code, output, times = attempt(busy, *REPLIES[program])

    assert (code, "Ada" in output) == (0, True), output
    assert times[1] - times[0] >= 2


def test_a_service_that_stays_busy_is_asked_a_few_times(attempt: Try) -> None:
    busy: Answer = (503, {"Retry-After": "1"}, refusal("1003", "the database cannot be reached"))

    code, output, times = attempt(*[busy] * 4)

    assert code == 1
    assert "1003: the database cannot be reached" in output
    assert len(times) == 4


def test_a_refusal_is_shown_and_not_repeated(attempt: Try) -> None:
    code, output, times = attempt((400, {}, refusal("1004", "the picture is broken")))

    assert code == 1
    assert "1004: the picture is broken" in output
    assert len(times) == 1


def test_a_wrong_key_is_shown(attempt: Try) -> None:
    code, output, _ = attempt((403, {}, {"message": "Forbidden"}))

    assert code == 1
    assert "Forbidden" in output


def test_an_internal_error_is_shown(attempt: Try, program: str) -> None:
    failed: Answer = (500, {}, refusal("1003", "internal error"))

    code, output, times = attempt(*[failed] * 4)

    assert code == 1
    assert "1003: internal error" in output
    assert len(times) == (4 if program == "curl" else 1)  # as the page says


def test_a_service_that_is_not_there_is_an_error(reader: Reader, program: str) -> None:
    reader.environment = {"FACE_SEARCH_URL": "http://127.0.0.1:1"}

    done = reader.run(PROGRAMS[program])

    assert done.returncode == 1
    assert "Traceback" not in done.stdout


def test_a_service_that_never_answers_is_an_error(reader: Reader, program: str) -> None:
    """The examples wait for a minute, which the copies shorten to a second."""
    for path in FOLDER.rglob("*.*"):
        copy = reader.folder / "copies" / path.relative_to(FOLDER)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".mjs", ".py", ".sh"):
            text, shortened = re.subn(
                r"(TIMEOUT_SECONDS = |timeoutSeconds \?\? |--max-time )60", r"\g<1>1", path.read_text()
            )
            assert shortened or path.name not in ("face_search.mjs", "face_search.py", "curl.sh")
            copy.write_text(text)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        reader.environment = {"FACE_SEARCH_URL": f"http://127.0.0.1:{silent.getsockname()[1]}"}

        done = reader.run(PROGRAMS[program].replace("docs/examples", "copies"))

    assert done.returncode == 1
    assert re.search("timed out|timeout", done.stdout)


def refusal(code: str, detail: str) -> dict[str, Any]:
    return {"sucess": False, "success": False, "error_code": code, "error_msg": "…", "detail": detail}


@pytest.mark.parametrize("example", ["door", "photo_library", "registrations"])
def test_a_python_example_without_arguments_explains_itself(reader: Reader, example: str) -> None:
    done = reader.run(f"python docs/examples/python/{example}.py")

    assert done.returncode == 1
    assert f"python {example}.py" in done.stdout
    assert "Traceback" not in done.stdout


def test_a_folder_without_photographs_is_named(reader: Reader) -> None:
    (reader.folder / "empty" / "deep").mkdir(parents=True)

    done = reader.run("python docs/examples/python/photo_library.py suggest empty")

    assert (done.returncode, done.stdout.splitlines()[-1]) == (1, "There is no .jpg or .png in empty or its folders.")


def test_a_missing_file_is_named(reader: Reader) -> None:
    done = reader.run('python docs/examples/python/registrations.py add "Ada Lovelace" nothing.jpg')

    assert (done.returncode, done.stdout) == (1, "[Errno 2] No such file or directory: 'nothing.jpg'\n")


def test_photographs_in_folders_are_found_in_any_format(reader: Reader) -> None:
    photographs = reader.folder / "holidays" / "sea"
    photographs.mkdir(parents=True)
    (photographs / "eileen.JPEG").write_bytes(pictures.astronaut())
    (photographs / "portrait.png").write_bytes(pictures.astronaut_png())

    done = reader.run("python docs/examples/python/photo_library.py suggest holidays")

    lines = [line.split(",")[1] for line in done.stdout.splitlines()]
    assert lines == ["photograph", "holidays/sea/eileen.JPEG", "holidays/sea/portrait.png"]
