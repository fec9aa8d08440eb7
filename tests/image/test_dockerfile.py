"""What infra/image/Dockerfile copies and sets, and the command that builds from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from infra.deploy.layers.target import target
from infra.image import __main__ as image
from infra.image import contents
from tests.image.dockerfile import stages

ROOT = Path(__file__).parents[2]
IMAGES = ("lambda", "local")


def test_the_stages_are_the_targets_and_the_last_is_local() -> None:
    """Docker builds the last stage if no target is named."""
    assert list(stages()) == ["prepared", "contents", "lambda", "local"]
    assert set(image.TARGETS) == set(IMAGES)


@pytest.mark.parametrize("name", ["prepared", *IMAGES])
def test_base_images_are_pinned_to_a_version_and_a_system(name: str) -> None:
    base = stages()[name].base

    assert re.fullmatch(r"(public\.ecr\.aws/lambda/python:\$\{PYTHON\}|python:\$\{PYTHON\}-slim-[a-z]+)", base)
    assert base.startswith("public.ecr.aws/lambda/") == (name == "lambda")


@pytest.mark.parametrize("name", IMAGES)
def test_images_are_only_copied_together(name: str) -> None:
    """An image for another architecture then needs no emulator, and has no tools or caches of a build."""
    stage = stages()[name]

    assert stage.texts("RUN") + stage.texts("ADD") == []
    assert all("--from=contents" in options for options, _, _ in stage.copies())


def test_the_stage_from_a_clone_writes_the_files_that_make_image_prepares() -> None:
    [options, _, destination] = stages()["contents"].copies()[0]
    command = stages()["prepared"].texts("RUN")[-1].split()

    assert options == ["--from=prepared"]
    assert destination == Path("/")
    assert command[:3] == ["python", "-m", "infra.image"]
    assert command[-2:] == ["--contents", "/contents"]


def test_lambdas_image_names_a_handler_and_leaves_user_and_paths_to_lambda() -> None:
    stage = stages()["lambda"]

    assert stage.words("CMD") == ["app.app"]
    assert stage.texts("USER") + stage.texts("ENTRYPOINT") + stage.texts("ENV") == []
    assert {source: destination for _, source, destination in stage.copies()} == {
        Path("opt"): Path("/opt"),
        Path("task"): Path("/var/task"),
    }


def test_the_local_image_runs_as_a_user_who_owns_only_the_state() -> None:
    stage = stages()["local"]
    [user] = stage.texts("USER")
    [volume] = stage.texts("VOLUME")
    owned = [destination for options, _, destination in stage.copies() if any("--chown" in each for each in options)]

    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user)
    assert owned == [Path("/data")]
    assert Path(volume).parent == Path("/data")
    assert stage.words("ENTRYPOINT")[-2:] == ["--state", volume]
    assert f"--chown={user}" in stage.copies()[-1][0]
    # After the copies, which need root.
    assert [name for name, _ in stage.instructions].index("USER") > [name for name, _ in stage.instructions].index(
        "COPY"
    )


def test_the_health_check_asks_the_port_that_is_served() -> None:
    stage = stages()["local"]
    [port], [check] = stage.texts("EXPOSE"), stage.texts("HEALTHCHECK")
    entry = stage.words("ENTRYPOINT")

    assert entry[entry.index("--port") + 1] == port
    assert f"http://127.0.0.1:{port}/health" in check


def test_nothing_of_the_clone_is_sent_to_docker_but_what_the_images_need() -> None:
    rules = image.DOCKERFILE.with_name("Dockerfile.dockerignore").read_text("utf-8").splitlines()
    rules = [rule for rule in rules if not rule.startswith("#")]

    assert rules[0] == "*"
    admitted = [rule[1:] for rule in rules if rule.startswith("!")]
    for path in ("app.py", *contents.SERVICE, *contents.FILES, "infra/requirements.txt", "models"):
        assert any(path == each or path.startswith(f"{each}/") for each in admitted), path
    assert [each for each in admitted if not (ROOT / each).exists()] == []
    assert {".git", ".venv", ".local", "build", "tests", "docs"} & set(admitted) == set()


@pytest.mark.parametrize("name", IMAGES)
def test_the_command_names_one_platform_and_no_attestations(name: str) -> None:
    command = image.command(name, target("arm64", "python3.13"), Path("/somewhere"))

    assert command[:2] == ["docker", "build"]
    assert command[command.index("--target") + 1] == name
    assert command[command.index("--platform") + 1] == "linux/arm64"
    assert {"--provenance=false", "PYTHON=3.13", "contents=/somewhere"} <= set(command)
    assert stages()[name]


def test_without_docker_the_command_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    said = image.docker(["docker", "build", "a folder"])

    assert said == "The files are ready, but no Docker answers here. Where one does, run:\n  docker build 'a folder'"


def test_dockers_exit_code_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "docker"
    program.write_text('#!/bin/sh\n[ "$1" = info ] || exit 7\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    assert image.docker(["docker", "build"]) == 7


def test_a_local_image_with_two_packs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="The image was not built: the image local has one model pack"):
        image.main(["local", "dlib", "sface", "--contents", str(tmp_path / "contents")])


def test_pins_of_other_systems_are_left_out() -> None:
    pins = contents.pins(contents.REQUIREMENTS.read_text("utf-8"), target("x86_64", "python3.13"))
    listed = re.findall(r"^(\S+)==", contents.REQUIREMENTS.read_text("utf-8"), re.MULTILINE)
    kept = re.findall(r"^(\S+)==", pins, re.MULTILINE)

    assert set(listed) - set(kept) == {"ansicon", "pywin32"}
    assert {"boto3", "cffi", "chalice", "moto", "onnxruntime"} <= set(kept)
    assert " ; " not in pins
    assert pins.count("--hash=sha256:") >= len(kept)


def test_the_packages_are_the_ones_of_make_run() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")

    assert f"$(VENV)/.run: {contents.REQUIREMENTS.relative_to(ROOT)}\n" in makefile
