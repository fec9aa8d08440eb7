"""The stages' templates, built once."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from infra.deploy.layers.target import target
from infra.deploy.package import __main__ as package
from infra.deploy.package import gallery, image, stage
from tests.template.resolved import Resolved, Template

STAGES = ("dev", "prod")
IMAGE = {"ImageUri": f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/face-search@sha256:{'0123456789abcdef' * 4}"}
# What a stage may add to the defaults, apart from the gallery.
EXTRAS = {
    "AuditLogDays": "365",
    "Identity": "jwt",
    "TokenIssuer": "https://issuer.example",
    "TokenAudience": "face-search",
    "IdentityLayerKey": "identity.zip",
    "RequestsPerAddress": "1000",
    "DomainName": "faces.example.com",
    "HostedZoneId": "Z0123456789ABC",
    "Tracing": "true",
    "Shift": "canary",
    "ProvisionedContainers": "2",
    "CropEventsDays": "90",
    "Incoming": "true",
    "Events": "true",
    "KmsKeyArn": "arn:aws:kms:eu-central-1:123456789012:key/12345678-1234-1234-1234-123456789012",
}


@pytest.fixture(scope="session")
def packages_and_whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Path], Template, Template]:
    """Return each stage's package folder, without layers, and the template before its gallery is chosen.

    The last is the same template for functions from a container image.
    """
    folder = tmp_path_factory.mktemp("package")
    goal, choose, wholes = target("arm64", "python3.13"), gallery.for_gallery, list[Template]()
    package_as, imaged = image.for_image, list[Template]()

    def seen_before(finished: Template, chosen: Mapping[str, str]) -> Template:
        imaged.append(package_as(finished, IMAGE))
        return package_as(finished, chosen)

    def seen(finished: Template, chosen: str) -> Template:
        wholes.append(copy.deepcopy(finished))
        return choose(finished, chosen)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gallery, "for_gallery", seen)
        patch.setattr(image, "for_image", seen_before)
        folders = {name: package.write(name, goal, ["sface", "dlib"], folder / name).parent for name in STAGES}
    return folders, wholes[0], imaged[0]


@pytest.fixture(scope="session")
def packages(packages_and_whole: tuple[dict[str, Path], Template, Template]) -> dict[str, Path]:
    return packages_and_whole[0]


@pytest.fixture(scope="session")
def whole(packages_and_whole: tuple[dict[str, Path], Template, Template]) -> Template:
    """Return the template of a stage with its gallery in S3 Vectors."""
    return gallery.for_gallery(packages_and_whole[1], "s3vectors")


@pytest.fixture(scope="session")
def with_image(packages_and_whole: tuple[dict[str, Path], Template, Template]) -> Template:
    """Return the template of a stage with functions from a container image."""
    return gallery.for_gallery(packages_and_whole[2], "memory")


@pytest.fixture(scope="session")
def template(packages: dict[str, Path]) -> Template:
    """Return the template. The stages share it and differ only in their parameters."""
    texts = {(folder / "template.json").read_text(encoding="utf-8") for folder in packages.values()}
    assert len(texts) == 1
    read: Template = json.loads(texts.pop())
    return read


@pytest.fixture(scope="session", params=STAGES)
def stack(request: pytest.FixtureRequest, template: Template) -> Resolved:
    """Return the template as CloudFormation resolves it for each stage."""
    return Resolved(template, stage.parameters(request.param))


@pytest.fixture(scope="session")
def dev(template: Template) -> Resolved:
    return Resolved(template, stage.parameters("dev"))


@pytest.fixture(scope="session")
def prod(template: Template) -> Resolved:
    return Resolved(template, stage.parameters("prod"))


@pytest.fixture(scope="session")
def with_proxy(template: Template) -> Resolved:
    return Resolved(template, stage.parameters("prod") | {"UseProxy": "true"})


@pytest.fixture(scope="session")
def with_extras(whole: Template) -> Resolved:
    return Resolved(whole, {"Gallery": "s3vectors"} | EXTRAS)


@pytest.fixture(scope="session")
def with_vectors(whole: Template) -> Resolved:
    return Resolved(whole, stage.parameters("prod") | {"Gallery": "s3vectors"})
