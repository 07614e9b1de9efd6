"""Data that several tests share."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from filelock import FileLock
from PIL import Image

import ferembed
from ferembed.data import FaceDataset, drawn_faces

hypothesis.settings.register_profile("everywhere", deadline=None, derandomize=True)
hypothesis.settings.load_profile("everywhere")

PORTRAIT = Path(ferembed.__file__).parent / "cli" / "portrait.jpg"
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "fer2013_csv" in fixtures:
            item.add_marker(pytest.mark.slow)
        if "starter" in fixtures:
            item.add_marker(pytest.mark.processes)


@pytest.fixture(autouse=True)
def _one_at_a_time(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whatever starts processes or threads of its own waits for the other worker's to end."""
    if request.node.get_closest_marker("processes"):
        with FileLock(tmp_path_factory.getbasetemp().parent / "processes.lock"):
            yield
    else:
        yield


@pytest.fixture(scope="session")
def fer2013_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FER2013's Training and PublicTest rows in Kaggle's form; ``fer2013new.csv`` (FER+) stands beside it."""
    unpack = SHARED_DATA / "unpack_fer2013.py"
    if not unpack.is_file():
        pytest.skip("FER2013 is not at hand: there is no ../shared/data/unpack_fer2013.py beside this repository")
    folder = tmp_path_factory.mktemp("fer2013")
    subprocess.run([sys.executable, str(unpack), str(folder)], check=True, capture_output=True)
    return folder / "fer2013.csv"


@pytest.fixture(scope="session")
def drawn() -> FaceDataset:
    """350 drawn faces, 50 of each class."""
    return drawn_faces(350)


@pytest.fixture(scope="module")
def portrait() -> Image.Image:
    """The photo that ships: one face, which is happy."""
    with Image.open(PORTRAIT) as opened:
        return opened.convert("RGB")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real browser without a window, for the pages of one module."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("no chromium with chromedriver is installed (Debian: apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--window-size=1200,1000"):
        options.add_argument(argument)
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture
def calls_of() -> Callable[..., int]:
    """Counts the function calls that ``work(...)`` makes in this thread: what it costs, without a clock."""

    def count(work: Callable[..., object], *arguments: object, **options: object) -> int:
        made = 0

        def note(_frame: object, event: str, _argument: object) -> None:
            nonlocal made
            made += event in ("call", "c_call")

        before = sys.getprofile()
        sys.setprofile(note)
        try:
            work(*arguments, **options)
        finally:
            sys.setprofile(before)
        return made

    return count
