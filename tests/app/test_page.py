"""The page as ``ferembed app`` serves it and as it is used in a real browser."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from importlib import resources

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from ferembed.app.serving import LARGEST_UPLOAD

pytestmark = pytest.mark.processes

PATIENCE = 120
"""Seconds in which a slow machine answers."""

PORTRAIT = str(resources.files("ferembed.cli").joinpath("portrait.jpg"))
MOUTH = (206, 132, 252, 182)
"""Left, upper, right and lower edge of a round mouth in it."""


@contextmanager
def running(folder, *arguments):
    """The process of ``ferembed app``, whose temporary files go to a folder, and the address that it tells."""
    # As in a terminal: what a shell starts in the background is deaf to Ctrl-C, and so are its children.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    code += "from ferembed.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", code, "app", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )
    try:
        line = process.stdout.readline()
        yield process, re.search(r"http://127\.0\.0\.1:\d+", line).group()
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def address(folder):
    with running(folder) as (_, address):
        yield address


class Page:
    """The page in a browser, as a user sees it."""

    def __init__(self, chrome, address):
        self.chrome = chrome
        chrome.get(address)
        self.element("#photo-drop input[type=file]")

    def wait(self, condition):
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.ui import WebDriverWait

        waiting = WebDriverWait(self.chrome, PATIENCE, ignored_exceptions=[StaleElementReferenceException])
        return waiting.until(lambda _: condition())

    def element(self, selector):
        return self.wait(lambda: self.chrome.find_elements("css selector", selector))[0]

    def give(self, place, *files):
        self.element(f"#{place} input[type=file]").send_keys("\n".join(map(str, files)))

    def click(self, selector):
        element = self.element(selector)
        self.wait(element.is_displayed)
        self.chrome.execute_script("arguments[0].click()", element)

    def tab(self, name):
        tabs = self.chrome.find_elements("css selector", "button[role=tab]")
        next(tab for tab in tabs if tab.text == name).click()

    def reads(self, selector, words):
        """Wait until a part of the page holds the words; its text."""
        return self.wait(lambda: words in (text := self.text(selector)) and text)

    def text(self, selector):
        return "".join(part.text for part in self.chrome.find_elements("css selector", selector))


@pytest.fixture
def page(browser, address):
    return Page(browser, address)


@pytest.fixture(scope="module")
def two_faces(tmp_path_factory):
    """The portrait beside itself with a round mouth."""
    file = tmp_path_factory.mktemp("photos") / "two.png"
    Image.fromarray(np.hstack([Image.open(PORTRAIT), singing()])).save(file)
    return file


def singing():
    """The portrait with a round mouth."""
    portrait = Image.open(PORTRAIT)
    ImageDraw.Draw(portrait).ellipse(MOUTH, fill=(40, 10, 10))
    return portrait


def test_an_uploaded_portrait_is_happy_and_nothing_of_it_is_kept_or_sent(page, folder):
    page.give("photo-drop", PORTRAIT)
    assert page.reads("#details .answer", "happy") == "happy"
    bars = page.chrome.find_elements("css selector", "#details .bars tr")
    assert [bar.text.split()[0] for bar in bars][:4] == ["angry", "disgust", "fear", "happy"]
    assert len(page.chrome.find_elements("css selector", "#details .nearest li")) == 5
    assert "happy" in page.element("#photo-picture img").get_attribute("alt")

    asked = page.chrome.execute_script("return performance.getEntriesByType('resource').map(e => e.name)")
    assert asked
    assert all(each.startswith(("http://127.0.0.1:", "data:", "blob:")) for each in asked)
    (uploads,) = folder.glob("ferembed-app-*")
    assert uploads.stat().st_mode & 0o077 == 0
    assert [file for file in uploads.rglob("*") if file.is_file()] == []


def test_a_file_that_is_no_image_is_told_in_one_sentence(page, tmp_path):
    (tmp_path / "notes.jpg").write_text("no image")
    page.give("photo-drop", tmp_path / "notes.jpg")
    text = page.reads("#photo-picture .say", "notes.jpg")
    assert text == "notes.jpg is no image of a format that can be read, such as JPEG or PNG."
    page.give("photo-drop", PORTRAIT)
    page.reads("#details .answer", "happy")


@pytest.mark.slow
def test_a_photo_without_a_face_is_answered_with_what_to_try(page, tmp_path):
    Image.new("RGB", (300, 200), "grey").save(tmp_path / "wall.png")
    page.give("photo-drop", tmp_path / "wall.png")
    page.reads("#photo-picture", "No face found. What helps")
    assert page.text("#details") == ""


@pytest.mark.slow
def test_a_face_is_unknown_where_the_answer_would_be_wrong_too_often(page, tmp_path):
    singing().save(tmp_path / "singing.png")
    page.give("photo-drop", tmp_path / "singing.png")
    page.reads("#details .answer", "happy")
    page.element("#error input[type=range]").send_keys(19 * "\ue012")
    assert page.reads("#details .answer", "unknown") == "unknown"
    assert "face 1: unknown" in page.element("#photo-picture img").get_attribute("alt")


@pytest.mark.slow
def test_of_several_faces_one_is_chosen_and_its_map_is_drawn(page, two_faces):
    page.give("photo-drop", two_faces)
    page.reads("#photo-face", "2 ")
    first = page.text("#details .bars")
    page.chrome.find_elements("css selector", "#photo-face input")[1].click()
    page.wait(lambda: page.text("#details .bars") not in ("", first))
    assert [each.is_selected() for each in page.chrome.find_elements("css selector", "#photo-face input")] == [0, 1]
    page.click("#explain")
    page.reads("#occlusion", "The lighter a place")
    assert len(page.chrome.find_elements("css selector", "#occlusion img")) == 3


@pytest.mark.slow
def test_two_photos_of_one_face_are_similar(page, two_faces):
    page.tab("Two photos")
    page.give("one-drop", PORTRAIT)
    page.element("#one-picture img")
    page.give("other-drop", two_faces)
    assert page.reads("#similarity b", ".") == "1.000"
    page.chrome.find_elements("css selector", "#other-face input")[1].click()
    page.wait(lambda: page.text("#similarity b") not in ("", "1.000"))
    page.click("#explain-pair")
    page.reads("#similar-parts", "The lighter a place")
    assert len(page.chrome.find_elements("css selector", "#similar-parts img")) == 6


@pytest.mark.slow
def test_an_enrolled_expression_is_recognised_in_this_tab_until_it_is_forgotten(page, tmp_path, address):
    mouth = singing()
    files = [tmp_path / f"{number}.png" for number in range(11)]
    for number, file in enumerate(files[:10]):
        ImageEnhance.Brightness(mouth).enhance(0.8 + 0.04 * number).rotate(0.8 * number - 4).save(file)
    Image.new("RGB", (300, 200), "grey").save(files[10])
    mouth.save(tmp_path / "mouth.png")

    page.tab("Enrol")
    page.give("enrol-drop", *files)
    assert "10.png shows no face" in page.reads("#enrol-faces", "10 faces found.")
    page.element("#enrol-name textarea, #enrol-name input").send_keys("<b>Singing</b>")
    page.click("#enrol")
    page.reads("#enrol-told", "Enrolled from 10 faces")
    page.tab("Photo")
    page.give("photo-drop", tmp_path / "mouth.png")
    assert page.reads("#details .answer", "sing") == "<b>singing</b>"
    page.tab("Enrol")
    page.click("#forget")
    assert "singing" not in page.reads("#enrol-told", "Forgotten.")
    page.tab("Photo")
    assert page.reads("#details .answer", "happy") == "happy"


@pytest.mark.slow
@pytest.mark.parametrize("width", [1200, 390])
def test_nothing_overflows_and_all_is_reached_by_keyboard(page, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    page.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    page.click("#portrait")
    page.reads("#details .answer", "happy")
    wide, room = page.chrome.execute_script("let r = document.documentElement; return [r.scrollWidth, r.clientWidth]")
    assert wide <= room
    reached = set()
    for _ in range(30):
        page.chrome.switch_to.active_element.send_keys("\ue004")
        reached.add(page.chrome.execute_script("return (document.activeElement.closest('[id]') || {}).id"))
    assert {"portrait", "explain"} <= reached
    page.chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def answer_to(address, body=None, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, headers)) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def upload(address, content):
    """The status of an upload of a file."""
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    return answer_to(f"{address}/gradio_api/upload", head + content + b"\r\n--x--\r\n", **kind)


def test_other_pages_and_other_names_of_this_computer_are_refused(address):
    own = address.removeprefix("http://")
    assert answer_to(address) == answer_to(address, Origin=address) == 200
    assert answer_to(address, Host=own.replace("127.0.0.1", "localhost")) == 200
    for headers in ({"Host": "evil.example"}, {"Host": own, "Origin": "http://evil.example"}, {"Origin": "null"}):
        assert answer_to(address, **headers) == 403
        assert answer_to(f"{address}/config", **headers) == 403
    with urllib.request.urlopen(address) as response:
        policy = response.headers["content-security-policy"]
    assert "http" not in policy
    assert policy.startswith("default-src 'self'")


def test_a_file_that_was_not_uploaded_is_neither_read_nor_deleted(address, tmp_path):
    file = shutil.copy(PORTRAIT, tmp_path)
    asked = {"path": file, "orig_name": "portrait.jpg", "meta": {"_type": "gradio.FileData"}}
    with urllib.request.urlopen(f"{address}/config") as response:
        parts = json.load(response)
    look = next(each for each in parts["dependencies"] if each["targets"][0][1] == "input")
    question = json.dumps({"data": [asked, 100], "fn_index": look["id"], "session_hash": "x"}).encode()
    assert answer_to(f"{address}/gradio_api/run/predict", question, **{"Content-Type": "application/json"}) == 500
    assert os.path.exists(file)


def test_an_upload_that_is_too_large_is_refused(address):
    assert upload(address, b"x" * (LARGEST_UPLOAD + 1)) == 413


@pytest.mark.parametrize("how", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_when_it_ends_no_file_is_left(how, tmp_path):
    with running(tmp_path) as (process, address):
        assert upload(address, b"bytes") == 200
        assert [file.read_bytes() for file in tmp_path.rglob("a.png")] == [b"bytes"]
        process.send_signal(how)
        assert process.wait(PATIENCE) == 0
    assert list(tmp_path.glob("ferembed-app-*")) == []


@pytest.mark.slow
def test_a_port_that_is_taken_is_told_in_one_sentence(address):
    port = address.rpartition(":")[2]
    code = "from ferembed.cli import main; main()"
    process = subprocess.run([sys.executable, "-c", code, "app", "--port", port], capture_output=True, text=True)
    assert process.returncode == 1
    assert process.stderr.strip().splitlines() == [
        f"ferembed: port {port} is taken: name another by --port, or none to have a free one."
    ]
