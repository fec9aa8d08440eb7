"""YuNet as it is converted: the published network's answers, at any size, in one output."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from models import yunet
from models.onnx_graph import serialize
from tests.models.stand_in import stand_in_for_sface
from tests.packs import YUNET, needs_yunet
from tests.pictures import astronaut, scaled


@needs_yunet
@pytest.mark.parametrize(("width", "height"), [(640, 640), (320, 192), (96, 512)])
def test_it_gives_the_published_networks_answers(width: int, height: int) -> None:
    picture = scaled(astronaut(), width, height)
    published = onnx.load(str(YUNET))
    for size, free in zip(published.graph.input[0].type.tensor_type.shape.dim[2:], (height, width), strict=True):
        size.dim_value = free
    for value in published.graph.output:
        value.type.tensor_type.shape.dim[1].dim_param = "cells"
    bgr = np.ascontiguousarray(picture[..., ::-1].transpose(2, 0, 1)[None], np.float32)
    names = [f"{kind}_{stride}" for stride in (8, 16, 32) for kind in ("cls", "obj", "bbox", "kps")]
    parts = _run(serialize(published), "input", bgr, names)
    expected = np.concatenate([np.concatenate(parts[i : i + 4], axis=2) for i in (0, 4, 8)], axis=1)

    [answers] = _run(serialize(yunet.convert(YUNET.read_bytes())), "pixels", picture[None], ["faces"])

    assert answers.shape == (1, width * height // 64 + width * height // 256 + width * height // 1024, 16)
    np.testing.assert_allclose(answers, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("data", [b"<!doctype html>", stand_in_for_sface()])
def test_another_file_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"no ONNX file|not YuNet"):
        yunet.convert(data)


def test_an_older_yunet_is_refused() -> None:
    """That of 2022 has other outputs, and needs other decoding."""
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
