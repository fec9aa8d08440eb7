"""Takes the pictures of the console in docs/: a picture's people, everyone known, and many pictures under review.

They show scikit-image's astronaut, a public-domain photograph by NASA, and the face that this project draws.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from infra.local import sample_face
from tests import pictures
from tests.browser.conftest import DESKTOP, FLAGS, chromium
from tests.browser.console import Console
from tests.e2e import pictures as shown
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import local_stack

DOCS = Path(__file__).parents[2] / "docs"
NAME, OTHER = "Eileen Collins", "Ada Lovelace"
SIZE = {"width": 1280, "height": 820}


def main() -> None:
    program = chromium()
    if program is None:
        raise SystemExit("Chromium is needed, and was not found.")
    with TemporaryDirectory() as folder, local_stack(Path(folder) / "state") as stack, sync_playwright() as playwright:
        api = HttpApi(stack.port)
        # Variants of their faces, as other photographs might show them.
        for picture in (pictures.jpeg(pictures.astronaut()[:, ::-1].copy(), 60), darker()):
            api.added(picture, NAME)
        for quality in (60, 90):
            api.added(pictures.jpeg(sample_face.draw(), quality), OTHER)
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        console = Console(browser.new_page(**DESKTOP | {"viewport": SIZE}), api.url)
        for name, show in {"console": opened, "people": everyone, "adding": reviewed}.items():
            show(console)
            save(console, DOCS / f"{name}.png")
        browser.close()


def opened(console: Console) -> None:
    console.open()
    console.choose(shown.two_faces())
    expect(console.matches.first).to_contain_text("Very likely")


def everyone(console: Console) -> None:
    console.open_people()
    expect(console.cards).to_have_count(2)


def reviewed(console: Console) -> None:
    console.go("Add many")
    files = {"Grace.jpg": shown.drawing(), "crew.jpg": shown.two_faces(), "Eileen Collins.jpg": darker()}
    console.add_many({**files, "cat.jpg": shown.cat()})
    expect(console.page.get_by_role("combobox", name="Name for Grace.jpg")).to_be_visible()


def save(console: Console, target: Path) -> None:
    console.page.wait_for_function(
        "() => [...document.querySelectorAll('img')].every((image) => !image.offsetParent || image.naturalWidth)"
    )
    console.page.mouse.move(5, 5)
    screen = Image.open(BytesIO(console.page.screenshot()))
    # 256 dithered colours look the same in a photograph of this size and take half the bytes.
    colours = screen.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=3)
    screen.convert("RGB").quantize(palette=colours, dither=Image.Dither.FLOYDSTEINBERG).save(target, optimize=True)


def darker() -> bytes:
    picture = pictures.astronaut()[:360, 60:420]
    return pictures.jpeg(cv2.convertScaleAbs(cv2.resize(picture, (256, 256)), alpha=0.7))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
