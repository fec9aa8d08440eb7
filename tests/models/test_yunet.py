"""The converted YuNet gives the published network's answers, at any size, in one output."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from chalicelib.vision.yunet import Yunet
from chalicelib.wiring import detector, upright_detector
from models import yunet
from models.onnx_graph import serialize
from tests.models.stand_in import stand_in_for_sface, stand_in_for_yunet
from tests.packs import YUNET, build_with, needs_yunet
from tests.pictures import astronaut, scaled


@pytest.fixture(params=["stand-in", pytest.param("published", marks=needs_yunet)])
def file(request: pytest.FixtureRequest) -> bytes:
    return stand_in_for_yunet() if request.param == "stand-in" else YUNET.read_bytes()


@pytest.mark.parametrize(("width", "height"), [(640, 640), (320, 192), (96, 512)])
def test_the_converted_network_gives_the_published_networks_answers(file: bytes, width: int, height: int) -> None:
    picture = scaled(astronaut(), width, height)
    published = onnx.load_from_string(file)
    for size, free in zip(published.graph.input[0].type.tensor_type.shape.dim[2:], (height, width), strict=True):
        size.dim_value = free
    for value in published.graph.output:
        value.type.tensor_type.shape.dim[1].dim_param = "cells"
    bgr = np.ascontiguousarray(picture[..., ::-1].transpose(2, 0, 1)[None], np.float32)
    names = [f"{kind}_{stride}" for stride in (8, 16, 32) for kind in ("cls", "obj", "bbox", "kps")]
    parts = _run(serialize(published), "input", bgr, names)
    expected = np.concatenate([np.concatenate(parts[i : i + 4], axis=2) for i in (0, 4, 8)], axis=1)

    [answers] = _run(serialize(yunet.convert(file)), "pixels", picture[None], ["faces"])

    assert answers.shape == (1, width * height // 64 + width * height // 256 + width * height // 1024, 16)
    np.testing.assert_allclose(answers, expected, rtol=1e-4, atol=1e-4)


def test_its_pack_can_be_built_and_its_detector_runs(file: bytes, tmp_path: Path) -> None:
    (tmp_path / "yunet.onnx").write_bytes(file)

    pack = build_with("dlib-yunet", tmp_path, detector=tmp_path / "yunet.onnx")

    assert isinstance(upright_detector(pack), Yunet)
    assert detector(pack).detect(np.zeros((100, 130, 3), np.uint8)) == []


@pytest.mark.parametrize("data", [b"<!doctype html>", stand_in_for_sface()])
def test_another_file_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not an ONNX file|not YuNet"):
        yunet.convert(data)


def test_an_older_yunet_is_refused() -> None:
    """The YuNet of 2022 has other outputs and needs other decoding."""
    names = ["loc", "conf", "iou"]
    kind = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["input"], [name]) for name in names],
        "older",
        [helper.make_tensor_value_info("input", kind, [1, 3, 64, 64])],
        [helper.make_tensor_value_info(name, kind, [1, 12288]) for name in names],
    )

    with pytest.raises(ValueError, match="not YuNet as OpenCV Zoo published it in March 2023"):
        yunet.convert(helper.make_model(graph).SerializeToString())


def _run(model: bytes, name: str, values: np.ndarray, outputs: list[str]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    answers: list[np.ndarray] = session.run(outputs, {name: values})
    return answers
