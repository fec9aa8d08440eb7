"""The layers contain everything that the function imports, compiled."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from tests.lambda_runtime.container import Container, namespaces_work
from tests.lambda_runtime.deployment import ROOT, Deployment
from tests.packs import deployed_pack
from tests.pictures import astronaut, png

# Import the function's dependencies and recognise the face in a picture, with only layers and project on the path.
RECOGNISE = """
import json, sys
deps, project, pack, picture = sys.argv[1:]
sys.path[:0] = [deps, project]
import cv2, multipart, numpy, onnxruntime, pymysql, simplejpeg
from pathlib import Path
from chalicelib import wiring
from chalicelib.images import decoding
from chalicelib.vision.model_pack import ModelPack
model = wiring.model(ModelPack(Path(pack)))
image = decoding.decode(Path(picture).read_bytes())
faces = model.detector.detect(image)
embeddings = model.embedder.embed(image, [face.landmarks for face in faces])
cached = [module.__cached__ for module in (numpy, pymysql, onnxruntime)]
places = [module.__file__ for module in (cv2, multipart, numpy, onnxruntime, pymysql, simplejpeg)]
print(json.dumps([embeddings.tolist(), places, cached]))
"""

# Import the SDK as a function does. Print its folder, the members of S3 Vectors' reply to a query, and what EventBridge
# can do.
SDK = """
import json
from pathlib import Path
import botocore
from chalicelib.stores.aws import sdk
members = sdk.client("s3vectors").meta.service_model.operation_model("QueryVectors").output_shape.members
events = sdk.client("events", 1, 2.0).meta.service_model.operation_names
print(json.dumps([str(Path(botocore.__file__).parents[1]), sorted(members), events]))
"""


def test_the_layers_recognise_a_face_in_a_bare_python(deployment: Deployment, tmp_path: Path) -> None:
    (tmp_path / "face.png").write_bytes(png(astronaut()))
    deps = deployment.opt / "python"

    # Isolated, without site-packages and without writing byte code.
    command = [*deployment.python, "-I", "-S", "-B", "-c", RECOGNISE]
    arguments = [deps, ROOT, deployment.opt / "models" / deployed_pack().name, tmp_path / "face.png"]
    done = subprocess.run([*command, *arguments], capture_output=True, check=False)

    assert done.returncode == 0, done.stderr.decode()
    embeddings, places, cached = json.loads(done.stdout)
    assert [len(embedding) for embedding in embeddings] == [deployed_pack().embedder.dimension]
    assert all(Path(place).is_relative_to(deps) for place in places)
    assert all(Path(path).is_file() for path in cached)


def test_the_sdk_is_the_layers_and_knows_the_pages_of_a_query(deployment: Deployment) -> None:
    """An older SDK drops `nextToken`: a query's first page would pass for its whole result."""
    with Container(deployment, command=["-c", SDK]) as container:
        assert container.exit_code() == 0, container.log()
        folder, members, events = json.loads(container.log())

    assert Path(folder).is_relative_to("/opt/python" if namespaces_work() else deployment.opt)
    assert "nextToken" in members
    assert "PutEvents" in events


def test_the_tests_use_the_layers_packages() -> None:
    shipped, tested = (
        dict(re.findall(r"^([A-Za-z0-9-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements.txt", "tests/requirements.txt")
    )

    assert "botocore" in shipped
    assert shipped.items() <= tested.items()
