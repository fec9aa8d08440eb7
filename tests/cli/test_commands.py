"""The effects, outputs and exit codes of every command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from face_search_cli import api, commands, pictures
from tests.cli.conftest import Run
from tests.cli.scripted_server import scripted_server
from tests.e2e import pictures as shown
from tests.e2e.local_stack import ROOT, LocalStack, environment
from tests.services import free_port


def added(run: Run, picture: str, name: str, *options: str) -> str:
    token: str = json.loads(run("add", picture, "--name", name, *options, "--json").stdout)["face_token"]
    return token


def rows(table: str) -> list[list[str]]:
    """Return the words of each row of a table, without its head."""
    return [line.split() for line in table.splitlines()[3:] if line.strip()]


def test_a_face_is_added_found_renamed_listed_and_removed(run: Run) -> None:
    token = added(run, "eileen.jpg", "Eileen")

    assert "Eileen" in run("search", "eileen.jpg").stdout
    assert "Eileen Collins" in run("rename", token, "Eileen Collins").stdout
    [face] = json.loads(run("list", "--json").stdout)["faces"]
    assert (face["face_token"], face["face_name"]) == (token, "Eileen Collins")
    assert "Eileen Collins" in run("list", "--name", "coll").stdout
    assert "Eileen" not in run("list", "--name", "coll", "--match", "start").stdout
    assert "Eileen" not in run("list", "--name", "ada").stdout
    assert run("remove", token).stdout == f"Removed {token}\n"
    assert run("search", "eileen.jpg", code=1).stdout == "no match\n"
    assert "1006" in run("remove", token, code=3).stderr


def test_people_are_listed_renamed_merged_and_removed(run: Run) -> None:
    eileen, ada = added(run, "eileen.jpg", "Eileen"), added(run, "ada.jpg", "AC/DC 100%41")
    second = added(run, "eileen.jpg", " eileen")

    [first, other] = json.loads(run("people", "list", "--json").stdout)["people"]
    assert (first["name"], first["faces"], first["cover"], other["cover"]) == (" eileen", 2, eileen, ada)
    assert run("people", "cover", "Eileen", second).stdout == f" eileen is shown by {second}\n"
    assert second in run("people", "list", "--name", "LEE").stdout
    assert run("people", "rename", "AC/DC 100%41", "..").stdout == "Renamed AC/DC 100%41 to ..; faces: 1\n"
    assert "merge=true" in run("people", "rename", "..", "EILEEN", code=3).stderr
    assert ada in run("people", "faces", "..").stdout
    assert run("people", "merge", "..", "EILEEN").stdout == "Renamed .. to EILEEN; faces: 1\n"
    assert "raise --limit" in run("people", "faces", "Eileen", "--limit", "2").stderr
    run("people", "remove", "eileen", code=1)  # not confirmed
    assert run("people", "remove", "eileen", "--yes").stdout == "Removed eileen; faces: 3\n"
    assert "1006" in run("people", "faces", "eileen", code=3).stderr


def test_json_output_is_the_services_reply(run: Run) -> None:
    reply = json.loads(run("detect", "eileen.jpg", "--json").stdout)

    assert reply["sucess"] is True
    assert reply["face_num"] == len(reply["faces"]) == 1


def test_a_picture_without_a_face_ends_with_code_1(run: Run) -> None:
    assert run("detect", "cat.jpg", code=1).stdout == "no face\n"
    assert json.loads(run("detect", "cat.jpg", "--json", code=1).stdout)["faces"] == []
    assert "no face in the picture" in run("add", "cat.jpg", code=1).stderr
    assert "1007" in run("search", "cat.jpg", code=3).stderr


@pytest.mark.parametrize(
    ("limit", "warning"),
    [
        (0.5, "In some groups of people, 1 in 200 pairs of strangers is within the distance 0.5."),
        (0.4, "In some groups of people, 1 in 200 pairs of strangers is within the distance 0.5."),
        (0.6, None),
        (0.7, None),
    ],
)
def test_a_threshold_that_is_far_off_for_some_people_gives_a_warning(limit: float, warning: str | None) -> None:
    thresholds, worst = {"1e-3": 0.6, "1e-4": 0.5}, {"1e-3": 0.009, "1e-4": 0.005}

    assert commands.caution(limit, thresholds, worst) == warning


def test_the_people_of_a_picture_are_listed(run: Run, folder: Path) -> None:
    (folder / "both.jpg").write_bytes(shown.two_faces())
    added(run, "eileen.jpg", "Eileen")

    [drawn, astronaut] = rows(run("identify", "both.jpg").stdout)
    assert (drawn[0], drawn[2:]) == ("1", ["no", "match"])
    assert (astronaut[0], astronaut[2]) == ("2", "Eileen")
    assert [row[2:] for row in rows(run("identify", "ada.jpg", code=1).stdout)] == [["no", "match"]]
    assert run("identify", "cat.jpg", code=1).stdout == "no face\n"
    [face, _] = json.loads(run("identify", "both.jpg", "--threshold", "9", "--limit", "1", "--json").stdout)["faces"]
    assert [match["face_name"] for match in face["matches"]] == ["Eileen"]


def test_an_addition_warns_of_another_name_for_the_same_face(run: Run) -> None:
    added(run, "eileen.jpg", "Eileen")

    assert run("add", "eileen.jpg", "--name", "Aileen").stdout.splitlines()[-1] == "looks like Eileen"
    assert "looks like" not in run("add", "ada.jpg", "--name", "Ada").stdout


def test_several_faces_get_one_name(run: Run, folder: Path) -> None:
    found = json.loads(run("detect", "eileen.jpg", "--json").stdout)["faces"][0]["face_token"]
    added(run, "eileen.jpg", "Aileen")

    said = run("add", found, "eileen.jpg", "ada.jpg", "--name", "Eileen Collins").stdout

    assert [row[1:] for row in rows(said)[:3]] == [["Eileen", "Collins"]] * 3
    assert rows(said)[0][0] == found
    assert said.splitlines()[-1] == "looks like Aileen"
    assert "Eileen Collins   3" in run("people", "list").stdout
    lines = run("add", found, "ada.jpg", "--name", "Eileen", "--json").stdout.splitlines()
    assert [json.loads(line)["face_name"] for line in lines] == ["Eileen", "Eileen"]


def test_the_faces_before_one_that_cannot_be_added_are_listed(run: Run) -> None:
    done = run("add", "eileen.jpg", "cat.jpg", "ada.jpg", "--name", "Eileen", code=1)

    assert len(rows(done.stdout)) == 1
    assert done.stderr == "face-search: no face in the picture cat.jpg\n"
    assert "Eileen   1" in run("people", "list").stdout


def test_files_and_tokens_can_be_compared(run: Run) -> None:
    token = added(run, "eileen.jpg", "Eileen")

    assert run("compare", "eileen.jpg", token).stdout.startswith("same person: ")
    assert run("compare", token, "ada.jpg", code=1).stdout.startswith("different people: ")
    assert run("compare", "eileen.jpg", "ada.jpg", "--threshold", "2").stdout.startswith("same person: ")


def test_face_sets_are_separate(run: Run) -> None:
    assert run("face-sets", "create", "staff").stdout == "Created staff\n"
    assert run("face-sets", "create", "staff").stdout == "staff already exists\n"
    added(run, "ada.jpg", "Ada", "--face-set", "staff")

    assert "Ada" in run("search", "ada.jpg", "--face-set", "staff", "--group", "name").stdout
    assert run("search", "ada.jpg", code=1).stdout == "no match\n"
    assert ["staff", "1"] in [line.split() for line in run("face-sets", "list").stdout.splitlines()]
    assert "staff" in run("face-sets", "delete", "staff", code=1).stderr  # not confirmed
    assert run("face-sets", "delete", "staff", "--yes").stdout == "Deleted staff; faces removed: 1\n"
    assert "1001" in run("search", "ada.jpg", "--face-set", "staff", code=3).stderr


def test_a_list_reads_several_pages_and_says_if_it_is_incomplete(run: Run) -> None:
    for name in ("one", "two", "three"):
        added(run, "eileen.jpg", name)

    short = run("list", "--limit", "2")

    assert "two" in short.stdout
    assert "three" not in short.stdout
    assert "raise --limit" in short.stderr
    assert run("list").stderr == ""
    assert "raise --limit" in run("search", "eileen.jpg", "--limit", "1").stderr


def test_control_characters_in_names_do_not_reach_the_terminal(run: Run) -> None:
    added(run, "eileen.jpg", "\x1b[2J[bold]Eileen[/bold]\x07")

    assert "\N{REPLACEMENT CHARACTER}[2J[bold]Eileen[/bold]\N{REPLACEMENT CHARACTER}" in run("list").stdout


def test_the_annotated_picture_shows_the_face(run: Run, folder: Path) -> None:
    run("detect", "eileen.jpg", "--annotate", "out.png")

    before, after = (np.asarray(cv2.imread(str(folder / name))) for name in ("eileen.jpg", "out.png"))
    changed = np.argwhere(np.any(before != after, axis=2))
    assert before.shape == after.shape
    assert 100 < len(changed) < before[..., 0].size / 10


def test_a_picture_that_is_too_large_is_scaled_down(run: Run, folder: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 60, (5000, 4500, 3), np.uint8)
    noise[1000:3000, 1000:3000] = cv2.cvtColor(shown.scaled(shown.astronaut_pixels(), 2000 / 512), cv2.COLOR_RGB2BGR)
    cv2.imwrite("phone.jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 95])
    assert (folder / "phone.jpg").stat().st_size > pictures.LEAST_LIMITS.image_bytes

    reply = json.loads(run("detect", "phone.jpg", "--json").stdout)

    assert reply["face_num"] >= 1


def test_files_within_the_limits_are_sent_unchanged() -> None:
    for file in (shown.astronaut(), shown.astronaut_png(), b"no picture", b""):
        assert pictures.prepare(file, pytest.fail) is file


def test_the_service_tells_its_limits() -> None:
    """Two pictures share one request, so each has the limits that every service has."""
    large = shown.blank(5000, 48)
    limits = {"image_bytes": 4_400_000, "image_side_px": [48, 5000]}
    with scripted_server((200, {}, {"success": True, "limits": limits}), *[(200, {}, {"success": True})] * 2) as server:
        service = api.Api(server.url)
        assert service.prepared(large) is large
        smaller = cv2.imdecode(np.frombuffer(service.prepared(large, pair=True), np.uint8), cv2.IMREAD_COLOR)
        assert smaller is not None
        assert max(smaller.shape) == 4096
        service.call("POST", "/detect", pictures={"image_file": large})
        service.call("POST", "/compare", pictures={"image_file1": large, "image_file2": large})

    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("search", "nothing"), "nothing is neither a file nor a token"),
        (("detect", "nothing.jpg"), "there is no file nothing.jpg"),
        (("rename", "eileen.jpg", "Ada"), "is not a token"),
        (("--url", "http://example.com", "--key", "s3cret", "info"), "the key is sent only over https"),
        (("--url", "https://example.com", "--key", "s3cret\nКлюч", "info"), "printable ASCII"),
        (("--url", "http://[::1", "info"), "Invalid IPv6 URL"),
        (("--url", "example.com", "info"), "the URL must begin with http"),
        (("search", "x" * 5000), "File name too long"),
        (("detect", "x" * 5000), "File name too long"),
    ],
)
def test_an_invalid_command_line_is_explained(run: Run, arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments, code=2)

    assert said in result.stderr
    assert "s3cret" not in result.output


def test_an_unreachable_service_ends_with_code_4(run: Run) -> None:
    url = f"http://localhost:{free_port()}"
    said = run("--url", url, "info", code=4).stderr
    assert said.startswith(f"face-search: {url} cannot be reached (")
    assert said.endswith(": FACE_SEARCH_URL or --url names another service\n")


LISTED: Any = (200, {}, {"success": True, "face_sets": []})


class TestAnotherServer:
    def test_a_busy_service_is_asked_again_after_the_time_it_names(self, run: Run) -> None:
        busy: Any = (503, {"Retry-After": "1"}, {"error_code": "1003", "detail": "try again"})
        with scripted_server(busy, (429, {}, {"message": "Too Many Requests"}), LISTED) as server:
            run("--url", server.url, "--key", "s3cret", "face-sets", "list")

        assert [request.headers["x-api-key"] for request in server.requests] == ["s3cret"] * 3
        assert server.requests[1].at - server.requests[0].at >= 1

    def test_a_token_is_sent_as_a_bearer(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FACE_SEARCH_TOKEN", "a.b.c")
        with scripted_server(LISTED) as server:
            run("--url", server.url, "face-sets", "list")

        [request] = server.requests
        assert request.headers["Authorization"] == "Bearer a.b.c"
        assert "x-api-key" not in request.headers

    def test_a_token_is_not_sent_unencrypted(self, run: Run) -> None:
        said = run("--url", "http://example.com", "--token", "a.b.c", "info", code=2).stderr

        assert "the token is sent only over https" in said
        assert "a.b.c" not in said

    def test_a_form_is_sent_again_too(self) -> None:
        busy: Any = (503, {}, {"error_code": "1003", "detail": "try again"})
        with scripted_server(busy, (200, {}, {"success": True, "created": True})) as server:
            reply = api.Api(server.url).call("POST", "/face_sets", {"face_set": "staff"})

        assert reply.body["created"]
        assert len(server.requests) == 2

    def test_a_service_that_stays_busy_is_unavailable(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(api, "MAX_RETRIES", 1)
        with scripted_server(*[(503, {}, {"error_code": "1003", "detail": "a store is away"})] * 2) as server:
            assert "1003: a store is away" in run("--url", server.url, "info", code=4).stderr

    def test_a_wrong_key_is_named_as_a_possible_cause(self, run: Run) -> None:
        with scripted_server((403, {}, {"message": "Forbidden"})) as server:
            assert "is the key right?" in run("--url", server.url, "info", code=3).stderr

    @pytest.mark.parametrize(("status", "code"), [(400, 3), (404, 3), (500, 4)])
    @pytest.mark.parametrize("body", [{}, {"detail": None}, {"message": ""}])
    def test_an_error_without_a_reason_is_reported_as_such(
        self, run: Run, status: int, code: int, body: object
    ) -> None:
        with scripted_server((status, {}, body)) as server:
            assert f"{status}: no reason given" in run("--url", server.url, "info", code=code).stderr

    def test_the_key_is_not_sent_to_another_address_after_a_redirect(self, run: Run) -> None:
        with scripted_server() as other, scripted_server((302, {"Location": other.url}, {})) as server:
            run("--url", server.url, "--key", "s3cret", "face-sets", "list", code=4)

        assert other.requests == []

    @pytest.mark.parametrize("body", ["<html>", {}, [], {"success": False}])
    def test_another_kind_of_service_is_recognised(self, run: Run, body: object) -> None:
        with scripted_server((200, {}, body)) as server:
            assert "is not a face search service" in run("--url", server.url, "info", code=4).stderr


def test_the_command_line_runs_when_installed_without_the_service(stack: LocalStack, tmp_path: Path) -> None:
    install = ["install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target"]
    source = tmp_path / "source"
    shutil.copytree(ROOT / "infra" / "cli", source)
    subprocess.run([sys.executable, "-m", "pip", *install, tmp_path / "site", source], check=True)
    script = (
        "import sys; from face_search_cli.__main__ import main; main(['info'], standalone_mode=False)\n"
        "assert not {'chalicelib', 'infra', 'onnxruntime', 'boto3'} & set(sys.modules)"
    )

    said = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={
            **environment(FACE_SEARCH_URL=f"http://localhost:{stack.port}"),
            "PYTHONPATH": os.fspath(tmp_path / "site"),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.returncode == 0, said.stderr
    assert "model" in said.stdout
    assert (tmp_path / "site" / "bin" / "face-search").exists()
