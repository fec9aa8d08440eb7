"""Takes docs/console.png: the console with scikit-image's astronaut, a public-domain photograph by NASA."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from tests import pictures
from tests.browser.conftest import DESKTOP, FLAGS, chromium
from tests.browser.console import Console
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import local_stack

TARGET = Path(__file__).parents[2] / "docs" / "console.png"
NAME = "Eileen Collins"


def main() -> None:
    program = chromium()
    if program is None:
        raise SystemExit("Chromium is needed, and was not found.")
    with TemporaryDirectory() as folder, local_stack(Path(folder) / "state") as stack, sync_playwright() as playwright:
        api = HttpApi(stack.port)
        # Variants of her face, as other photographs might show it.
        for picture in (pictures.jpeg(pictures.astronaut()[:, ::-1].copy(), 60), darker()):
            api.added(picture, NAME)
        api.post("/face_sets", face_set="crew")
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        console = Console(browser.new_page(**DESKTOP | {"viewport": {"width": 1280, "height": 820}}), api.url)
        console.open()
        console.choose(pictures.jpeg(pictures.astronaut()))
        expect(console.matches.first).to_contain_text(NAME)
        console.page.wait_for_function(
            "() => [...document.querySelectorAll('.matches img')].every((image) => image.naturalWidth)"
        )
        console.page.mouse.move(5, 5)
        screen = Image.open(BytesIO(console.page.screenshot()))
        # 256 dithered colours look the same in a photograph of this size and take half the bytes.
        colours = screen.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=3)
        screen.convert("RGB").quantize(palette=colours, dither=Image.Dither.FLOYDSTEINBERG).save(TARGET, optimize=True)
        browser.close()


def darker() -> bytes:
    picture = pictures.astronaut()[:360, 60:420]
    return pictures.jpeg(cv2.convertScaleAbs(cv2.resize(picture, (256, 256)), alpha=0.7))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
