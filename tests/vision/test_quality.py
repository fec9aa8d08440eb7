"""Measuring how well a face can be recognised, with reasons."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.measure import blur_effect

from chalicelib.faces import Image, Quality
from chalicelib.vision import quality
from tests.packs import detector
from tests.pictures import astronaut, scaled


def _judged(picture: Image) -> Quality:
    [face, *_] = detector().detect(picture)
    return quality.judge(picture, face)


def _rotation(yaw: float, pitch: float, roll: float) -> NDArray[np.float64]:
    """Rotate about the axes x to the right, y down and z away from the camera. Signs follow `Quality`."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)


class TestPose:
    @given(yaw=st.floats(-60, 60), pitch=st.floats(-40, 40), roll=st.floats(-170, 170), scale=st.floats(5, 2000))
    def test_the_pose_of_a_turned_head_is_measured(self, yaw: float, pitch: float, roll: float, scale: float) -> None:
        landmarks = (quality.HEAD @ _rotation(yaw, pitch, roll).T)[:, :2] * scale + (300, 200)

        assert quality.pose(landmarks.astype(np.float32)) == pytest.approx((yaw, pitch, roll), abs=0.5)

    def test_signs_are_right_up_and_clockwise(self) -> None:
        straight = quality.HEAD[:, :2].astype(np.float32)
        nose_right, nose_up = straight.copy(), straight.copy()
        nose_right[2, 0] += 0.2
        nose_up[2, 1] -= 0.2
        leaning = straight @ np.array([[np.cos(0.3), np.sin(0.3)], [-np.sin(0.3), np.cos(0.3)]], np.float32)

        assert quality.pose(nose_right)[0] > 10
        assert quality.pose(nose_up)[1] > 10
        assert leaning[1, 1] > leaning[0, 1]  # the right eye in the picture is lower
        assert quality.pose(leaning)[2] == pytest.approx(np.degrees(0.3), abs=0.1)

    def test_a_mirrored_face_has_the_opposite_yaw_and_roll(self) -> None:
        picture = astronaut()

        there, back = _judged(picture), _judged(np.ascontiguousarray(picture[:, ::-1]))

        assert there.yaw == pytest.approx(-back.yaw, abs=8)
        assert there.roll == pytest.approx(-back.roll, abs=3)
        assert there.pitch == pytest.approx(back.pitch, abs=5)

    def test_a_turned_picture_rolls_the_head(self) -> None:
        turn = cv2.getRotationMatrix2D((240, 150), -20, 1)  # clockwise
        turned = np.asarray(cv2.warpAffine(astronaut(), turn, (512, 512)), np.uint8)

        assert _judged(turned).roll - _judged(astronaut()).roll == pytest.approx(20, abs=3)

    def test_coinciding_points_do_not_fail(self) -> None:
        assert quality.pose(np.full((5, 2), 7, np.float32)) == (0, 0, 0)


class TestSharpness:
    @pytest.mark.parametrize("sigma", [0, 0.7, 1.5, 3, 6])
    def test_sharpness_is_one_minus_scikit_images_blur_effect(self, sigma: float) -> None:
        luma = cv2.cvtColor(astronaut()[100:200, 170:280], cv2.COLOR_RGB2GRAY) / np.float32(255)
        if sigma:
            luma = np.asarray(cv2.GaussianBlur(luma, (0, 0), sigma), np.float32)

        # scikit-image excludes the outermost pixels from its sums.
        assert quality.sharpness(luma) == pytest.approx(1 - blur_effect(luma, h_size=11), abs=0.02)

    def test_a_flat_image_has_no_sharpness(self) -> None:
        assert quality.sharpness(np.full((50, 50), 0.5, np.float32)) == 0


def _light(factor: float) -> Callable[[Image], Image]:
    return lambda picture: np.clip(picture * factor, 0, 255).astype(np.uint8)


class TestReasons:
    def test_a_good_photograph_has_no_reasons(self) -> None:
        judged = _judged(astronaut())

        assert quality.reasons(judged) == []
        assert judged.size > 80
        assert 0.3 < judged.brightness < 0.7
        assert 0.4 < judged.sharpness < 0.7

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            (lambda picture: scaled(picture, 150, 150), "the face is too small: 25 px, at least 32 px are needed"),
            (lambda picture: np.asarray(cv2.GaussianBlur(picture, (0, 0), 4), np.uint8), "the face is blurred"),
            (_light(0.12), "the face is too dark"),
            (_light(1.6), "the face is too bright"),
        ],
    )
    def test_the_reason_for_poor_quality_is_named(self, change: Callable[[Image], Image], reason: str) -> None:
        assert reason in quality.reasons(_judged(change(astronaut())))

    @pytest.mark.parametrize(
        ("yaw", "pitch", "expected"),
        [
            (45, 0, ["the face is turned to the side"]),
            (-45, 0, ["the face is turned to the side"]),
            (0, 35, ["the face looks up"]),
            (0, -35, ["the face looks down"]),
            (39, 29, []),
        ],
    )
    def test_extreme_poses_are_reasons(self, yaw: float, pitch: float, expected: list[str]) -> None:
        judged = Quality(size=100, sharpness=0.5, brightness=0.5, yaw=yaw, pitch=pitch, roll=170)

        assert quality.reasons(judged) == expected
