"""Take pictures of the web page: ``python docs/make_app_images.py``.

Asks the shipped recogniser about its portrait, and saves what a wide and a narrow browser show, side by side, light and
dark, in ``docs/images``. Needs the extra ``app``, selenium, and chromium with its driver.
"""

from __future__ import annotations

import io
import shutil
from pathlib import Path

from PIL import Image
from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

import ferembed as fe
from ferembed.app import served

IMAGES = Path(__file__).parent / "images"
HEIGHT, WIDE, NARROW = 1340, 1100, 390
PATIENCE = 120


def main() -> None:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars"):
        options.add_argument(argument)
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    with served(fe.load()) as address:
        for theme, ground in (("light", "#d5d8dd"), ("dark", "#3a3f47")):
            feature = {"name": "prefers-color-scheme", "value": theme}
            chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
            shots = [answered(chrome, address, width) for width in (WIDE, NARROW)]
            sheet = Image.new("RGB", (WIDE + NARROW + 12, HEIGHT), ground)
            sheet.paste(shots[0], (0, 0))
            sheet.paste(shots[1], (WIDE + 12, 0))
            sheet.quantize(112).save(IMAGES / f"app-{theme}.png", optimize=True)
        chrome.quit()


def answered(chrome: webdriver.Chrome, address: str, width: int) -> Image.Image:
    """The page once it has named the portrait and drawn its map."""
    size = {"width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": width == NARROW}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    chrome.get(address)
    for button, answer in (("#portrait", "#details .answer"), ("#explain", "#occlusion .note")):
        shown(chrome, button).click()
        shown(chrome, answer)
    chrome.execute_script("document.activeElement.blur(); scrollTo(0, 0)")
    return Image.open(io.BytesIO(chrome.get_screenshot_as_png())).convert("RGB")


def shown(chrome: webdriver.Chrome, selector: str) -> webdriver.remote.webelement.WebElement:
    """The part of the page, when it is there and drawn."""
    found = WebDriverWait(chrome, PATIENCE).until(lambda _: chrome.find_elements("css selector", selector))[0]
    WebDriverWait(chrome, PATIENCE).until(lambda _: found.is_displayed())
    return found


if __name__ == "__main__":
    main()
