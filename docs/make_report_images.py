"""Take pictures of the reports of two runs on drawn faces: ``python docs/make_report_images.py [FOLDER]``.

Trains both runs in FOLDER (a temporary one where not given), writes ``report.html`` and ``comparison.html`` there, and
saves what a browser shows of them in ``docs/images``. Needs selenium and chromium with its driver.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from selenium import webdriver

import ferembed as fe

IMAGES = Path(__file__).parent / "images"
SIZE = (1180, 1560)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    faces = fe.drawn_faces(3000, label_noise=0.05)
    recipe = fe.Recipe.named("drawn").override({"epochs": 20})
    plain = recipe.override({"losses": [{"name": "cross_entropy", "label_smoothing": 0.1}]})
    for name, each in {"cross-entropy": plain, "with-supcon": recipe}.items():
        fe.train(each, faces.split("train"), faces.split("validation"), folder / name)
    fe.write_report(folder / "with-supcon", faces, folder / "report.html", split="test")
    runs = folder / "cross-entropy", folder / "with-supcon"
    fe.write_comparison(*runs, faces, folder / "comparison.html", split="test")

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars", f"--window-size={SIZE[0]},{SIZE[1]}"):
        options.add_argument(argument)
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    for page, start in {"report": "figures", "comparison": "confusion-matrix"}.items():
        for theme in ("light", "dark"):
            feature = {"name": "prefers-color-scheme", "value": theme}
            chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
            chrome.get((folder / f"{page}.html").resolve().as_uri())
            sad, neutral = (faces.classes.index(name) for name in ("sad", "neutral"))
            chrome.find_element("css selector", f".matrix a[href='#cell-{sad}-{neutral}']").click()
            chrome.execute_script("document.getElementById(arguments[0]).scrollIntoView()", start)
            shot = Image.open(io.BytesIO(chrome.get_screenshot_as_png())).convert("RGB")
            shot.quantize(128).save(IMAGES / f"{page}-{theme}.png", optimize=True)
    chrome.quit()


if __name__ == "__main__":
    main()
