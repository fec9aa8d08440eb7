"""The files for GitHub are valid, and the pre-commit hooks run the commands of `make check`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from tests.documentation.commands import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# What single jobs may do: sign in to AWS, and write a release.
MORE_PERMISSIONS = {
    "deploy.yml": {"deploy": {"contents": "read", "id-token": "write"}},
    "release.yml": {"release": {"contents": "write"}},
}
TEMPLATES = ROOT / ".github" / "ISSUE_TEMPLATE"
FORMS = sorted(path for path in TEMPLATES.glob("*.yml") if path.name != "config.yml")


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_only_reads_and_pins_its_actions(path: Path) -> None:
    workflow = read(path)
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]

    assert workflow["permissions"] == {"contents": "read"}
    own = {name: job["permissions"] for name, job in workflow["jobs"].items() if "permissions" in job}
    assert own == MORE_PERMISSIONS.get(path.name, {})
    assert all(job["timeout-minutes"] for job in workflow["jobs"].values())
    assert [step["uses"] for step in steps if "uses" in step and not re.search(r"@v\d+$", step["uses"])] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_no_command_of_a_workflow_contains_an_expression(path: Path) -> None:
    """An input or the name of a branch or tag would be read as part of the command."""
    steps = [step for job in read(path)["jobs"].values() for step in job["steps"]]

    assert [step["run"] for step in steps if "${{" in step.get("run", "")] == []


def test_the_checks_fetch_the_previous_release() -> None:
    [workflow] = [read(path) for path in WORKFLOWS if path.name == "ci.yml"]
    checkouts = [step for step in workflow["jobs"]["run"]["steps"] if "checkout" in step.get("uses", "")]

    assert [step["with"]["fetch-depth"] for step in checkouts] == [0]


def test_the_deployment_is_on_demand_measures_and_deletes_the_stage() -> None:
    [workflow] = [read(path) for path in WORKFLOWS if path.name == "deploy.yml"]
    steps = workflow["jobs"]["deploy"]["steps"]
    commands = [step["run"] for step in steps if "run" in step]

    # YAML reads the key `on` as true.
    assert list(workflow[True]) == ["workflow_dispatch"]
    assert workflow[True]["workflow_dispatch"]["inputs"].keys() == {"stage", "region", "keep"}
    assert workflow["jobs"]["deploy"]["environment"] == "aws"
    assert commands[:2] == [
        'make deploy STAGE="$STAGE"',
        '.venv/bin/python -m infra.deploy.smoke "$STAGE" --repeats 50',
    ]
    # Also after a failure, and when the run is cancelled.
    assert steps[-1]["run"] == 'make destroy STAGE="$STAGE" CONFIRM="$STAGE" DATA=delete'
    assert steps[-1]["if"] == "${{ always() && !inputs.keep }}"


def test_ci_runs_the_projects_own_script_on_the_oldest_and_newest_python() -> None:
    [workflow] = [read(path) for path in WORKFLOWS if path.name == "ci.yml"]
    job = workflow["jobs"]["run"]

    assert "bash .ci/run" in [step.get("run") for step in job["steps"]]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.13"]
    assert job["services"]["mysql"]["ports"] == ["3306:3306"]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_an_issue_form_has_what_github_asks_for(path: Path) -> None:
    form = read(path)
    fields = [field for field in form["body"] if field["type"] != "markdown"]

    assert form["name"]
    assert form["description"]
    assert {field["type"] for field in fields} <= {"checkboxes", "dropdown", "input", "textarea"}
    assert len({field["id"] for field in fields}) == len(fields) > 0
    assert len({field["attributes"]["label"] for field in fields}) == len(fields)


def test_the_issue_chooser_is_configured() -> None:
    assert read(TEMPLATES / "config.yml") == {"blank_issues_enabled": False}


def test_the_hooks_run_the_commands_of_make_check() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert recipe
    checks = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[1].splitlines()]
    hooks = [hook for repository in read(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repository["hooks"]]

    # The hooks leave the audit out, because it asks a server.
    assert [hook["entry"] for hook in hooks] == [check for check in checks if "infra.audit" not in check]
    assert {(hook["language"], hook["pass_filenames"]) for hook in hooks} == {("system", False)}
