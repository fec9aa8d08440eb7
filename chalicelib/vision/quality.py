"""Measures how well a face can be recognised, before it is compared with other faces."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import DetectedFace, Image, Landmarks, Quality
from chalicelib.vision.alignment import align

# Quality is measured on a separate chip, so that it means the same for every model: ArcFace's template and size, px.
TEMPLATE = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)]
)
CHIP_SIDE = 112
# The rows and columns of the chip that show the face and little else.
FACE = np.s_[20:105, 20:92]
# The width of the blur in `sharpness`, in pixels, as in the paper.
BLUR = 11

# The five landmarks of a head that faces the camera: x to the right, y down, z away from the camera. The unit is the
# distance between the eyes. They are the mean of 7,699 faces of LFW, found by factorization (Tomasi and Kanade, "Shape
# and Motion from Image Streams under Orthography", 1992) of the landmarks and the mirrored landmarks:
# `tests/harness/benchmarks/quality.py`.
HEAD = np.array([(-0.5, -0.54, -0.01), (0.5, -0.54, -0.01), (0, 0.03, -0.43), (-0.45, 0.53, 0.22), (0.45, 0.53, 0.22)])

# The limits beyond which a face is called poor. There, the true match rate at a false match rate of 1e-3 begins to
# fall: by 1 percentage point at the smallest size, and by about 5 to 15 at the other limits (docs/quality.md).
SMALLEST_PX = 32.0
LEAST_SHARPNESS = 0.36
DARKEST, BRIGHTEST = 0.1, 0.8
MOST_YAW, MOST_PITCH = 40.0, 30.0  # degrees
# A share of LFW's faces, in percent. Faces with masks and dark glasses are below it.
LEAST_RECOGNISABILITY = 2.0


def judge(image: Image, face: DetectedFace, recognisability: float | None = None) -> Quality:
    """Measure one face of an upright RGB image; `recognisability` is the embedder's value for the face."""
    chip = align(image, face.landmarks, TEMPLATE, CHIP_SIDE)
    luma = cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY)[FACE] / np.float32(255)
    yaw, pitch, roll = pose(face.landmarks)
    return Quality(
        size=min(face.box.right - face.box.left, face.box.bottom - face.box.top),
        sharpness=sharpness(luma),
        brightness=float(luma.mean()),
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        recognisability=recognisability,
    )


def reasons(quality: Quality) -> list[str]:
    """Return why a face is poor for recognition, one sentence per reason; an empty list if it is not."""
    found = []
    if quality.size < SMALLEST_PX:
        found.append(f"the face is too small: {quality.size:.0f} px, at least {SMALLEST_PX:.0f} px are needed")
    if quality.sharpness < LEAST_SHARPNESS:
        found.append("the face is blurred")
    if quality.brightness < DARKEST:
        found.append("the face is too dark")
    if quality.brightness > BRIGHTEST:
        found.append("the face is too bright")
    if abs(quality.yaw) > MOST_YAW:
        found.append("the face is turned to the side")
    if quality.recognisability is not None and quality.recognisability < LEAST_RECOGNISABILITY:
        found.append("the face is unrecognisable: covered or unclear")
    if abs(quality.pitch) > MOST_PITCH:
        found.append(f"the face looks {'up' if quality.pitch > 0 else 'down'}")
    return found


def sharpness(luma: NDArray[np.float32]) -> float:
    """Return the sharpness of an image: 1 if it is all edges, 0 if blurring does not change it.

    Sharpness is one minus the blur effect of Crete et al., "The blur effect: perception and estimation with a new
    no-reference perceptual blur metric", 2007. It is the share of the differences between neighbouring pixels that a
    further blur removes.
    """
    kept = []
    for x, y in ((1, 0), (0, 1)):
        blurred = cv2.blur(luma, (BLUR, 1) if x else (1, BLUR), borderType=cv2.BORDER_REFLECT)
        edges, rest = (np.abs(cv2.Sobel(values, cv2.CV_32F, x, y)) for values in (luma, blurred))
        total = float(edges.sum())
        kept.append(float(np.minimum(edges, rest).sum()) / total if total else 1.0)
    return 1 - max(kept)


def pose(landmarks: Landmarks, head: NDArray[np.float64] = HEAD) -> tuple[float, float, float]:
    """Return yaw, pitch and roll in degrees.

    Yaw is positive if the nose points to the right of the picture, pitch if it points upwards, roll if the head leans
    clockwise.

    The pose is the rotation of `head` with the parallel projection, at any scale, that is nearest to the landmarks
    (DeMenthon and Davis, "Model-Based Object Pose in 25 Lines of Code", 1995). Five points determine it to about 5 to
    10 degrees.
    """
    points = (landmarks - landmarks.mean(axis=0)).astype(np.float64)
    projection = points.T @ np.linalg.pinv((head - head.mean(axis=0)).T)
    left, scales, right = np.linalg.svd(projection, full_matrices=False)
    if scales[1] <= 0:  # the points lie on a line: no face
        return 0.0, 0.0, 0.0
    across, down = left @ right
    away = np.cross(across, down)
    yaw = np.degrees(np.arctan2(away[0], np.hypot(across[0], down[0])))
    pitch = -np.degrees(np.arctan2(away[1], away[2]))
    roll = np.degrees(np.arctan2(down[0], across[0]))
    return float(yaw), float(pitch), float(roll)
