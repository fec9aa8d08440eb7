"""The template of a stage with a container image, and the stage's parameter."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from infra.deploy.layers import __main__ as layers
from infra.deploy.package import __main__ as package
from infra.deploy.package import stage
from infra.deploy.package.errors import PackageError
from infra.deploy.package.gallery import references
from infra.deploy.package.image import LAYERS, for_image
from tests.template.conftest import IMAGE
from tests.template.resolved import Template

FUNCTION = "AWS::Lambda::Function"


def _functions(template: Template) -> dict[str, dict[str, Any]]:
    return {name: each["Properties"] for name, each in template["Resources"].items() if each["Type"] == FUNCTION}


def test_the_functions_with_the_service_run_the_handlers_of_the_zips(template: Template, with_image: Template) -> None:
    zips, images = _functions(template), _functions(with_image)
    changed = {name for name in zips if images[name] != zips[name]}

    assert changed == {name for name, each in zips.items() if {"Ref": "DepsLayer"} in each.get("Layers", [])}
    assert {"APIHandler", "Compact", "Migrate"} <= changed
    for name in changed:
        packaged = images[name]
        [handler] = packaged["ImageConfig"]["Command"]
        module, function = handler.rsplit(".", 1)
        assert callable(getattr(importlib.import_module(module), function))
        assert handler == zips[name]["Handler"]
        assert (packaged["PackageType"], packaged["Code"]) == ("Image", {"ImageUri": {"Ref": "ImageUri"}})
        assert packaged["Architectures"] == zips[name]["Architectures"]
        # CloudFormation refuses these for an image.
        assert packaged.keys() & {"Handler", "Layers", "Runtime"} == set()


def test_the_layers_are_gone_and_everything_else_is_as_before(template: Template, with_image: Template) -> None:
    assert template["Resources"].keys() - with_image["Resources"].keys() == set(LAYERS)
    assert with_image["Resources"].keys() <= template["Resources"].keys()
    assert template["Parameters"].keys() ^ with_image["Parameters"].keys() == {*LAYERS.values(), "ImageUri"}
    assert references(with_image["Resources"]) & {*LAYERS, *LAYERS.values()} == set()


def test_make_package_builds_no_layers_for_an_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(stage, "parameters", lambda _: IMAGE)
    monkeypatch.setattr(package, "write", lambda *_: tmp_path / "template.json")
    monkeypatch.setattr(layers, "build_layers", None)  # a call would fail

    package.main(["mine", "dlib"])

    assert f"The functions run from the image {IMAGE['ImageUri']}" in capsys.readouterr().out


def test_only_the_zip_of_the_other_functions_is_uploaded_for_an_image(with_image: Template, tmp_path: Path) -> None:
    zipped = tmp_path / "function.zip"
    keys = {name for name in with_image["Parameters"] if name.endswith("Key")}

    assert package.artifacts(IMAGE, zipped) == {"FunctionKey": zipped}
    assert package.artifacts(IMAGE | {"Identity": "jwt"}, zipped).keys() == keys == {"FunctionKey", "IdentityLayerKey"}
    assert package.artifacts({"ImageUri": ""}, zipped).keys() == {"FunctionKey", *LAYERS.values()}


@pytest.mark.parametrize(
    "uri",
    [
        "face-search",
        IMAGE["ImageUri"].partition("@")[0],
        IMAGE["ImageUri"].partition("@")[0] + ":latest",
        IMAGE["ImageUri"].replace("amazonaws.com", "example.com"),
        IMAGE["ImageUri"] + "0",
    ],
)
def test_an_image_must_be_in_ecr_and_named_by_its_digest(template: Template, uri: str) -> None:
    with pytest.raises(PackageError, match=r"the stage sets ImageUri to .*: it must be <account>"):
        for_image(template, {"ImageUri": uri})
