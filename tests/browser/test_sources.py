"""Pictures of every kind, from every source that the page accepts."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from playwright.sync_api import Locator, expect

from chalicelib.faces import Image
from chalicelib.settings import CONTRACT_IMAGE_BYTES
from tests import pictures
from tests.browser.console import Console
from tests.browser.gateway import Gateway

ASTRONAUT = pictures.jpeg(pictures.astronaut())
# Delay the page's first JPEG until `handOut()`; `made` resolves once the JPEG exists.
HOLD_THE_FIRST = """() => {
    const { toBlob } = HTMLCanvasElement.prototype;
    window.made = new Promise((resolve) => {
        HTMLCanvasElement.prototype.toBlob = function (done, ...how) {
            HTMLCanvasElement.prototype.toBlob = toBlob;
            toBlob.call(this, (blob) => {
                window.handOut = () => done(blob);
                resolve();
            }, ...how);
        };
    });
}"""


def taken(upright: Image, orientation: int) -> bytes:
    """Return a rotated picture's file as a camera saves it: pixels as the sensor sees them, plus EXIF orientation."""
    seen = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: np.rot90(upright, 2).transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    picture = pictures.jpeg(np.ascontiguousarray(seen))
    tiff = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    exif = b"Exif\0\0" + tiff
    return picture[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + picture[2:]


def encoded(suffix: str, picture: Image) -> bytes:
    _, file = cv2.imencode(suffix, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return file.tobytes()


def noisy(width: int, height: int) -> bytes:
    """Return a photograph with a face that no JPEG quality compresses well."""
    picture = pictures.scaled(pictures.astronaut(), width, height).astype(np.int16)
    noise = np.random.default_rng(1).integers(-40, 40, picture.shape, dtype=np.int16)
    return pictures.jpeg(np.clip(picture + noise, 0, 255).astype(np.uint8), 98)


def size_and_place(face: Locator) -> tuple[float, float, float]:
    box, stage = face.bounding_box(), face.locator("..").bounding_box()
    assert box is not None
    assert stage is not None
    return (
        box["width"] / stage["width"],
        (box["x"] - stage["x"]) / stage["width"],
        (box["y"] - stage["y"]) / stage["height"],
    )


class TestWays:
    def test_paste(self, desktop: Console) -> None:
        desktop.open()
        desktop.paste(pictures.png(pictures.astronaut()))

        expect(desktop.faces).to_have_count(1)

    @pytest.mark.parametrize("onto", ["#find-drop", "#find-title"])
    def test_drop(self, desktop: Console, onto: str) -> None:
        desktop.open()
        desktop.drop(ASTRONAUT, onto)

        expect(desktop.faces).to_have_count(1)

    def test_drop_onto_the_previous_picture(self, desktop: Console) -> None:
        desktop.open()
        desktop.choose(pictures.jpeg(pictures.cat()))
        expect(desktop.text("No face found")).to_be_visible()
        desktop.drop(ASTRONAUT, "#find-stage img")

        expect(desktop.faces).to_have_count(1)

    def test_pasted_pictures_fill_empty_places(self, desktop: Console) -> None:
        desktop.open("compare")
        desktop.paste(ASTRONAUT)
        expect(desktop.page.locator("#first-stage img")).to_be_visible()
        desktop.paste(ASTRONAUT)

        expect(desktop.page.locator("#second-stage img")).to_be_visible()

    def test_the_camera(self, console: Console) -> None:
        console.open()
        console.page.get_by_role("button", name="Use the camera").click()
        take = console.page.get_by_role("button", name="Take picture")
        expect(take).to_be_enabled()
        take.click()

        # The browser's test picture shows no face.
        expect(console.text("No face found")).to_be_visible()
        assert not console.page.evaluate("document.getElementById('camera-picture').srcObject")

    def test_a_camera_that_is_not_allowed(self, desktop: Console) -> None:
        desktop.open()
        desktop.page.evaluate(
            """() => {
                navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("", "NotAllowedError"); };
            }"""
        )
        desktop.page.get_by_role("button", name="Use the camera").click()

        expect(desktop.dialog).to_contain_text("The camera is not allowed here.")
        expect(desktop.page.get_by_role("button", name="Take picture")).to_be_disabled()
        desktop.page.keyboard.press("Escape")
        expect(desktop.page.get_by_role("button", name="Choose a picture")).to_be_visible()

    def test_the_last_of_two_pictures_wins(self, desktop: Console) -> None:
        """The first picture is still being scaled down when the second picture's answer arrives."""
        desktop.open()
        desktop.page.evaluate(HOLD_THE_FIRST)
        desktop.choose(noisy(3000, 3000))
        desktop.page.evaluate("() => made")
        desktop.choose(pictures.jpeg(pictures.cat()))
        expect(desktop.text("No face found (451 × 300 px)")).to_be_visible()
        desktop.page.evaluate("() => handOut()")
        desktop.page.wait_for_timeout(1500)

        expect(desktop.page.locator("#find-stage img")).to_have_js_property("naturalHeight", 300)
        expect(desktop.faces).to_have_count(0)
        expect(desktop.text("No face found (451 × 300 px)")).to_be_visible()


class TestKinds:
    # Upside down, mirrored and turned, turned.
    @pytest.mark.parametrize("orientation", [3, 5, 6])
    def test_exif_orientation(self, desktop: Console, orientation: int) -> None:
        upright = np.ascontiguousarray(pictures.astronaut()[:400])
        desktop.open()
        desktop.choose(pictures.jpeg(upright))
        expect(desktop.faces).to_have_count(1)
        expected = size_and_place(desktop.faces)

        desktop.choose(taken(upright, orientation), "turned.jpg")

        expect(desktop.page.locator("#find-stage img")).to_have_js_property("naturalHeight", 400)
        expect(desktop.faces).to_have_count(1)
        assert size_and_place(desktop.faces) == pytest.approx(expected, abs=0.02)

    @pytest.mark.parametrize(
        ("picture", "name", "mime", "note"),
        [
            pytest.param(
                lambda: pictures.jpeg(pictures.scaled(pictures.astronaut(), 5000, 5000), 60),
                "large.jpg",
                "image/jpeg",
                "Scaled down to 4096 × 4096 pixels",
                id="too many pixels",
            ),
            pytest.param(
                lambda: noisy(2400, 2400), "noisy.jpg", "image/jpeg", "Sent as a JPEG of under 2 MB", id="many bytes"
            ),
            pytest.param(
                lambda: noisy(4000, 4000), "noisy.jpg", "image/jpeg", "Scaled down to", id="far too many bytes"
            ),
            pytest.param(
                lambda: encoded(".webp", pictures.astronaut()), "face.webp", "image/webp", "Sent as a JPEG,", id="WebP"
            ),
            pytest.param(
                lambda: encoded(".bmp", pictures.astronaut()), "face.bmp", "image/bmp", "Sent as a JPEG,", id="BMP"
            ),
        ],
    )
    def test_pictures_that_the_service_refuses_are_converted(
        self, deployed: Console, front: Gateway, picture: Callable[[], bytes], name: str, mime: str, note: str
    ) -> None:
        deployed.open()
        deployed.choose(picture(), name, mime)

        expect(deployed.faces).to_have_accessible_name(re.compile("face 1 of 1"))
        expect(deployed.page.locator("#find-note")).to_contain_text(note)
        assert 10_000 < max(len(body) for body in front.bodies) < CONTRACT_IMAGE_BYTES + 2000

    def test_accepted_pictures_are_sent_unchanged(self, deployed: Console, front: Gateway) -> None:
        deployed.open()
        deployed.choose(ASTRONAUT)

        expect(deployed.faces).to_have_count(1)
        expect(deployed.page.locator("#find-note")).to_have_text("")
        assert any(ASTRONAUT in body for body in front.bodies)
