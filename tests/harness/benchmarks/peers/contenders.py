"""The contenders: our own packs in the project's environment, and all others in the peers' environment.

Each environment lacks some packages, so imports happen only when a contender is requested.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

Boxes = list[list[float]]
"""One [left, top, right, bottom] per face, in pixels."""

SMALLEST_FACE_PX = 30
# mtcnn 1.0.0 finds no faces at all with a smallest face of 26 px or more.
MTCNN_SMALLEST_FACE_PX = 25
YUNET = Path(__file__).parents[5] / "shared" / "models" / "face_detection_yunet_2023mar.onnx"


class Contender(NamedTuple):
    """`detect` and `embed` take an RGB picture, height x width x 3, uint8; `embed` detects and embeds all faces."""

    detect: Callable[[Any], Boxes]
    embed: Callable[[Any], object] | None


def ours(pack: str) -> Contender:
    from chalicelib.vision.embedder import Embedder
    from chalicelib.vision.model_pack import ModelPack
    from chalicelib.wiring import detector as build_detector
    from models.build import BUILD

    model = ModelPack(BUILD / pack)
    detector = build_detector(model)
    embedder = Embedder(model.embedder, model.network(model.embedder.file))

    def detect(picture: Any) -> Boxes:
        return [[f.box.left, f.box.top, f.box.right, f.box.bottom] for f in detector.detect(picture)]

    return Contender(detect, lambda picture: embedder.embed(picture, [f.landmarks for f in detector.detect(picture)]))


def facenet_pytorch(last_threshold: float) -> Contender:
    import facenet_pytorch as package
    import torch

    torch.set_num_threads(1)
    thresholds = [0.6, 0.7, last_threshold]
    mtcnn = package.MTCNN(keep_all=True, min_face_size=SMALLEST_FACE_PX, thresholds=thresholds)
    # Random weights take the same time as trained ones.
    resnet = package.InceptionResnetV1(pretrained=None).eval()

    def detect(picture: Any) -> Boxes:
        boxes, _ = mtcnn.detect(picture)
        return [] if boxes is None else boxes.tolist()

    def embed(picture: Any) -> object:
        faces = mtcnn(picture)
        with torch.inference_mode():
            return None if faces is None else resnet(faces)

    return Contender(detect, embed)


def mtcnn() -> Contender:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    from mtcnn import MTCNN

    detector = MTCNN(device="CPU:0")

    def detect(picture: Any) -> Boxes:
        found = [face["box"] for face in detector.detect_faces(picture, min_face_size=MTCNN_SMALLEST_FACE_PX)]
        return [[x, y, x + width, y + height] for x, y, width, height in found]

    return Contender(detect, None)


def face_recognition() -> Contender:
    import face_recognition as package

    def detect(picture: Any) -> Boxes:
        return [[left, top, right, bottom] for top, right, bottom, left in package.face_locations(picture)]

    return Contender(detect, lambda picture: package.face_encodings(picture, package.face_locations(picture)))


def yunet() -> Contender:
    import cv2

    # YuNet's default score; it searches the full picture for faces of any size.
    detector = cv2.FaceDetectorYN.create(str(YUNET), "", (320, 320), score_threshold=0.8)

    def detect(picture: Any) -> Boxes:
        detector.setInputSize(picture.shape[1::-1])
        _, faces = detector.detect(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        found = [] if faces is None else faces[:, :4].tolist()
        return [[x, y, x + width, y + height] for x, y, width, height in found]

    return Contender(detect, None)


class Named(NamedTuple):
    """A contender; `peer` is whether it runs in the peers' environment."""

    title: str
    peer: bool
    make: Callable[[], Contender]


CONTENDERS = {
    "ours": Named("this project, default pack: YuNet, O-Net", False, lambda: ours("retail-0095")),
    "ours-dlib": Named("this project, dlib pack: MTCNN", False, lambda: ours("dlib")),
    "facenet-pytorch": Named("facenet-pytorch", True, lambda: facenet_pytorch(0.7)),
    "facenet-pytorch-0.9": Named("facenet-pytorch, last threshold 0.9", True, lambda: facenet_pytorch(0.9)),
    "mtcnn": Named("mtcnn (TensorFlow)", True, mtcnn),
    "face_recognition": Named("face_recognition (dlib HOG, ResNet)", True, face_recognition),
    "yunet": Named("YuNet (OpenCV)", True, yunet),
}
