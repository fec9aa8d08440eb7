"""YuNet: its decoding, its levels and tiles, and the published network beside OpenCV's detector."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from chalicelib.faces import Box
from chalicelib.vision.model_pack import DetectorCard
from chalicelib.vision.yunet import SHARED, TILE, Yunet, decode
from tests.packs import YUNET, needs_yunet, yunet
from tests.pictures import astronaut, scaled

CARD = DetectorCard("yunet", {"yunet": "yunet.onnx"}, smallest_face=30, pyramid_factor=0.25, thresholds=(0.8,))


def _cells(height: int, width: int) -> NDArray[np.float32]:
    """Return the network's output for a picture in which it sees no face."""
    return np.zeros((height * width // 64 + height * width // 256 + height * width // 1024, 16), np.float32)


class TestDecoding:
    @pytest.mark.parametrize(
        ("stride", "row", "column", "first_cell"),
        [(8, 2, 5, 0), (16, 1, 3, 96), (32, 0, 2, 96 + 24), (32, 1, 3, 96 + 24)],
    )
    def test_a_cell_becomes_a_face(self, stride: int, row: int, column: int, first_cell: int) -> None:
        """On 64 x 96 px there are 8 x 12 cells of stride 8, 4 x 6 of stride 16 and 2 x 3 of stride 32."""
        column = min(column, 96 // stride - 1)
        cells = _cells(64, 96)
        points = np.arange(10) / 10
        cells[first_cell + row * (96 // stride) + column] = [0.81, 1.0, 0.5, 0.25, np.log(2), np.log(3), *points]

        [face] = decode(cells, 64, 96, 0.8)

        x, y = (column + 0.5) * stride, (row + 0.25) * stride
        assert face[:4] == pytest.approx([x - stride, y - 1.5 * stride, x + stride, y + 1.5 * stride])
        assert face[4:14].reshape(5, 2) == pytest.approx((points.reshape(5, 2) + np.array([column, row])) * stride)
        assert face[14] == pytest.approx(0.9)

    def test_less_probable_faces_are_dropped(self) -> None:
        cells = _cells(32, 32)
        cells[:, :2] = 0.79

        assert len(decode(cells, 32, 32, 0.8)) == 0
        assert len(decode(cells, 32, 32, 0.78)) == len(cells)


class TestLevelsAndTiles:
    """The test network takes bright rectangles that fit for faces, and sees only the visible part of a cut one."""

    @pytest.mark.parametrize(
        "box",
        [
            (5, 5, 45, 60),  # small, in the corner
            (0, 300, 200, 560),
            (TILE - SHARED + 10, 100, TILE - 10, 300),  # inside the strip that two tiles share
            (TILE - 120, TILE - 130, TILE + 90, TILE + 100),  # across the edges of tiles
            (300, 200, 1500, 1700),  # too large for the first level
            (0, 0, 1800, 2000),  # fills the picture
        ],
    )
    def test_every_face_is_found_once_and_in_the_right_place(self, box: tuple[int, int, int, int]) -> None:
        left, top, right, bottom = box
        picture = np.zeros((2000, 1800, 3), np.uint8)
        picture[top:bottom, left:right] = 255

        [face] = Yunet(CARD, _rectangles).detect(picture)

        # A rectangle's edges are known to within a pixel of the level on which it is found.
        tolerance = 1 + max(right - left, bottom - top) / 30
        assert [face.box.left, face.box.top, face.box.right, face.box.bottom] == pytest.approx(box, abs=tolerance)
        centre = np.array([left + right, top + bottom]) / 2 - 0.5
        assert face.landmarks == pytest.approx(np.tile(centre, (5, 1)), abs=tolerance)

    def test_faces_clearly_below_the_cards_smallest_size_are_dropped(self) -> None:
        picture = np.zeros((200, 300, 3), np.uint8)
        picture[20:60, 20:43] = 255
        picture[100:140, 100:130] = 255

        found = Yunet(CARD, _rectangles).detect(picture)

        assert [face.box for face in found] == [Box(100, 100, 130, 140)]

    def test_a_large_smallest_face_still_finds_a_face_that_fills_a_small_picture(self) -> None:
        picture = np.full((90, 80, 3), 255, np.uint8)

        [face] = Yunet(CARD._replace(smallest_face=75), _rectangles).detect(picture)

        assert face.box.right - face.box.left == pytest.approx(80, abs=3)

    def test_the_network_sees_at_most_one_tile_at_a_time(self) -> None:
        seen = []

        def network(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
            seen.append(pixels.shape)
            return _rectangles(pixels)

        Yunet(CARD, network).detect(np.zeros((4096, 4096, 3), np.uint8))

        assert max(max(shape) for shape in seen) == TILE
        assert all(side % 32 == 0 for shape in seen for side in shape[1:3])


def _rectangles(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return YuNet's output if every connected bright area were a face, with all landmarks at its centre."""
    height, width = pixels.shape[1:3]
    cells = _cells(height, width)
    bright = (pixels[0, ..., 0] > 127).astype(np.uint8)
    for left, top, w, h, _ in cv2.connectedComponentsWithStats(bright)[2][1:]:
        centre = np.array([left + w / 2, top + h / 2])
        column, row = np.minimum(centre // 8, (width // 8 - 1, height // 8 - 1)).astype(int)
        offset = centre / 8 - (column, row)
        points = np.tile(offset - 0.5 / 8, 5)  # a landmark's integer coordinates are pixel centres
        cells[row * (width // 8) + column] = [1, 1, *offset, np.log(w / 8), np.log(h / 8), *points]
    return cells[None]


@needs_yunet
class TestThePublishedNetwork:
    @pytest.mark.parametrize(("width", "height"), [(512, 512), (300, 280), (500, 333)])
    def test_it_finds_the_same_faces_as_opencvs_detector(self, width: int, height: int) -> None:
        """Uses one level. OpenCV searches the picture unscaled, padded with black to a multiple of 32."""
        picture = scaled(astronaut(), width, height)
        reference = cv2.FaceDetectorYN.create(str(YUNET), "", (width, height), 0.8, 0.3, 5000)
        [expected] = reference.detect(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1]

        [face] = yunet().detect(picture)

        box = [face.box.left, face.box.top, face.box.right, face.box.bottom]
        assert box == pytest.approx([*expected[:2], *(expected[:2] + expected[2:4])], abs=0.01)
        assert face.landmarks.reshape(-1) == pytest.approx(expected[4:14], abs=0.01)
        assert face.confidence == pytest.approx(expected[14], abs=1e-4)
