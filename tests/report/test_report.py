"""Reports as files, and as they are seen and clicked in a real browser."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ferembed import DataError, Recognizer, StorageError, audit, drawn_faces, evaluate, write_comparison, write_report
from ferembed.assessment import answer
from ferembed.auditing.copies import find_copies
from ferembed.models import Encoder, Network
from ferembed.pipeline import fingerprint

FACES = drawn_faces(420, image_size=32, label_noise=0.3, seed=2)
TEST = FACES.split("test")
SECTIONS = ("Figures", "Confusion matrix", "Classes", "Confidence", "Retrieval", "Embedding map")


ODD = ("$5", "$a^{$", "top 1", "top-1", "<b>&", "\N{PERFORMING ARTS}", "a class of more than forty letters, all told")


def make_run(folder, seed, collapsed=False, faces=FACES):
    """A run of an untrained encoder, as the pipeline leaves one."""
    torch.manual_seed(seed)
    arguments = {"channels": (8, 8, 8, 8), "stem_width": 8}
    network = Network(Encoder("resnet10t", 16, 32, stem="standard", backbone_args=arguments), 7)
    if collapsed:
        with torch.no_grad():
            *before, last = network.encoder.parameters()
            for parameter in (*before, last):
                parameter.zero_()
            last.fill_(1.0)
    train, validation = faces.split("train"), faces.split("validation")
    info = {
        "recipe": {"description": "Untrained <b>", "epochs": 0, "seed": seed},
        "data": {"train": fingerprint(train), "validation": fingerprint(validation)},
        "versions": {"ferembed": "0"},
    }
    Recognizer.build(network, train, validation, info=info).save(folder / "recognizer")
    log = folder / "logs" / "csv" / "metrics.csv"
    log.parent.mkdir(parents=True)
    log.write_text("epoch,step,train/loss,validation/knn_accuracy\n0,9,,0.5\n0,9,2.0,\n1,19,,0.75\n1,19,1.5,\n")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    return make_run(root / "one", 0), make_run(root / "two", 1)


@pytest.fixture(scope="module")
def report(runs):
    path = runs[0].parent / "report.html"
    evaluation = write_report(runs[0], FACES, path, split="test", resamples=50)
    return path, evaluation


@pytest.fixture(scope="module")
def comparison(runs):
    path = runs[0].parent / "comparison.html"
    return path, write_comparison(*runs, FACES, path, split="test", resamples=50)


@pytest.fixture(scope="module")
def browser():
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


def text(path):
    return path.read_text(encoding="utf-8")


def test_the_file_holds_every_section_and_every_figure(report, runs):
    path, evaluation = report
    html = text(path)
    for title in (*SECTIONS, "Surest mistakes", "Saliency", "Data", "Training"):
        assert f"<h2>{title}</h2>" in html
    assert evaluation == evaluate(Recognizer.load(runs[0]), TEST, resamples=50)
    low, high = evaluation.primary_interval
    assert f"<strong>{evaluation.primary_value:.1%}</strong> (95% interval {low:.1%} to {high:.1%})" in html
    for metrics in evaluation.all_images.values():
        for value in (f"{metrics.accuracy:.1%}", f"{metrics.macro_f1:.1%}", f"{metrics.nll:.3f}", f"{metrics.ece:.3f}"):
            assert value in html
    assert f"{evaluation.retrieval.map_at_r:.1%}" in html
    assert "Untrained &lt;b&gt;" in html


def test_a_run_that_collapsed_has_its_report(tmp_path):
    run = make_run(tmp_path / "collapsed", 0, collapsed=True)
    embeddings = Recognizer.load(run).encode(FACES.images[:20])
    np.testing.assert_array_equal(embeddings, embeddings[[0]].repeat(20, axis=0))
    write_report(run, FACES, tmp_path / "report.html", split="test", resamples=5)
    assert "Embedding map" in text(tmp_path / "report.html")


@pytest.mark.filterwarnings("error:Glyph")
def test_names_may_hold_any_sign(tmp_path):
    faces = FACES.with_labels(FACES.labels, ODD)
    run = make_run(tmp_path / "$a^{$", 0, faces=faces)
    write_report(run, faces, tmp_path / "report.html", split="test", resamples=5)
    html = text(tmp_path / "report.html")
    assert "&lt;b&gt;&amp;" in html
    assert "<b>&" not in html
    anchors = re.findall(r'<div class="cell" id="([^"]*)"', html)
    assert len(set(anchors)) == len(anchors) > 20
    audit(faces.subset(np.arange(100)), out=tmp_path / "audit")
    assert "100 faces" in text(tmp_path / "audit" / "audit.html")


@pytest.mark.parametrize("page", ["report", "comparison"])
def test_nothing_comes_from_elsewhere(page, request):
    html = text(request.getfixturevalue(page)[0])
    sources = re.findall(r'(?:src|href)="([^"]*)"|url\(([^)]*)\)', html)
    assert sources
    for source in ("".join(pair).strip("'\"") for pair in sources):
        assert source.startswith(("data:", "#")), source[:80]
    anchors = set(re.findall(r'id="([^"]*)"', html))
    assert set(re.findall(r'href="#([^"]*)"', html)) <= anchors
    assert len(html) < 10e6


def test_neighbours_are_shown_only_if_the_training_faces_are_at_hand(report, runs, tmp_path):
    assert "sheet-neighbours" in text(report[0])
    others = drawn_faces(210, image_size=32, seed=9)
    write_report(runs[0], others, tmp_path / "other.html", split="test", resamples=5)
    html = text(tmp_path / "other.html")
    assert "sheet-neighbours" not in html
    assert "are not in this data" in html


def test_the_audit_shows_copies_and_doubtful_labels(report, runs, tmp_path):
    assert "were not searched for" in text(report[0])
    assert "the vote contradicts most" in text(report[0])
    rows = np.arange(len(FACES))
    leaking = FACES.subset(np.concatenate([rows, FACES.split("train").ids[:2]]))
    splits = [*FACES.splits, "test", "test"]
    leaking = replace(leaking, splits=splits, ids=np.arange(len(leaking)))
    copies = find_copies(leaking)
    write_report(runs[0], leaking, tmp_path / "report.html", split="test", copies=copies, resamples=5)
    html = text(tmp_path / "report.html")
    assert "Groups that lie in more than one split" in html
    for row in copies.leaking:
        assert f"row {row}" in html
    assert len(copies.leaking) >= 2
    assert "2 of the" in html


def test_a_click_on_a_cell_shows_its_faces(report, browser):
    path, _ = report
    browser.get(path.as_uri())
    answers = answer(Recognizer.load(path.parent / "one"), TEST)
    predicted = answers.predicted()
    cells = browser.find_elements("css selector", "table.matrix tbody a")
    assert len(cells) == len(set(zip(answers.codes.tolist(), predicted.tolist(), strict=True)))
    panels = browser.find_elements("css selector", ".cell")
    assert not any(panel.is_displayed() for panel in panels)
    for cell in (cells[0], cells[-1]):
        cell.click()
        anchor = cell.get_attribute("href").rpartition("#")[2]
        assert [panel.get_attribute("id") for panel in panels if panel.is_displayed()] == [anchor]
        true, called = map(int, anchor.split("-")[1:])
        rows = np.flatnonzero((answers.codes == true) & (predicted == called))
        faces = browser.find_elements("css selector", f"#{anchor} .face")
        assert all(face.is_displayed() for face in faces)
        assert {int(face.text.rpartition("row ")[2]) for face in faces} == set(TEST.ids[rows].tolist())
        assert cell.find_element("css selector", "small").text == f"{len(rows):,}"


def test_the_faces_shown_are_those_named(report, browser):
    """The picture of a face on the page is the face in the data, but for the loss of compression."""
    path, _ = report
    browser.get(path.as_uri() + "#" + browser_anchor(browser, path))
    face = browser.find_element("css selector", ".cell:target .face")
    pixels = browser.execute_async_script(
        """
        const [face, done] = arguments, icon = face.querySelector("i"), style = getComputedStyle(icon);
        const sheet = new Image(), size = parseFloat(style.width);
        sheet.onload = () => {
          const canvas = document.createElement("canvas");
          canvas.width = canvas.height = size;
          const [x, y] = style.backgroundPosition.split(" ").map(parseFloat);
          const [w, h] = style.backgroundSize.split(" ").map(parseFloat);
          const context = canvas.getContext("2d");
          context.drawImage(sheet, x, y, w, h);
          done([...context.getImageData(0, 0, size, size).data].filter((_, i) => i % 4 === 0));
        };
        sheet.src = style.backgroundImage.slice(5, -2);
        """,
        face,
    )
    from PIL import Image

    shown = np.array(pixels, float).reshape(72, 72)
    row = int(face.text.rpartition("row ")[2])
    true = TEST.images[TEST.ids.tolist().index(row)]
    wanted = np.asarray(Image.fromarray(true).resize((72, 72)), float)
    assert np.corrcoef(shown.ravel(), wanted.ravel())[0, 1] > 0.97


def browser_anchor(browser, path):
    browser.get(path.as_uri())
    return browser.find_element("css selector", "table.matrix tbody a").get_attribute("href").rpartition("#")[2]


def ground(browser):
    return browser.execute_script("return getComputedStyle(document.body).backgroundColor")


@pytest.mark.parametrize("page", ["report", "comparison"])
def test_every_picture_is_drawn_for_light_and_for_dark_pages(page, request):
    kinds = re.findall(r'<img class="(\w+)" src="data:', text(request.getfixturevalue(page)[0]))
    assert set(kinds) == {"light", "dark"}
    assert kinds.count("light") == kinds.count("dark") > 3


@pytest.mark.parametrize("page", ["report", "comparison"])
def test_light_and_dark_follow_the_system_and_the_button(page, browser, request):
    path, _ = request.getfixturevalue(page)
    grounds = {}
    for theme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": theme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        browser.get(path.as_uri())
        grounds[theme] = ground(browser)
        other = "dark" if theme == "light" else "light"
        shown = [image for image in browser.find_elements("css selector", f"img.{theme}") if image.is_displayed()]
        assert shown
        assert not any(image.is_displayed() for image in browser.find_elements("css selector", f"img.{other}"))
        browser.find_element("id", "theme").click()
        assert ground(browser) != grounds[theme]
        assert all(image.is_displayed() for image in browser.find_elements("css selector", f"img.{other}"))
    assert grounds == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 23, 27)"}


def luminance(colour):
    channels = np.array(colour)[:3] / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page", ["report", "comparison"])
def test_every_cell_can_be_read(page, theme, browser, request):
    """By the contrast of text and ground, as the browser paints them."""
    feature = {"name": "prefers-color-scheme", "value": theme}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get(request.getfixturevalue(page)[0].as_uri())
    pairs = browser.execute_script("""
        const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
        const painted = colour => {
          canvas.fillStyle = colour;
          canvas.fillRect(0, 0, 1, 1);
          return [...canvas.getImageData(0, 0, 1, 1).data];
        };
        const styles = [...document.querySelectorAll(".matrix td > *")].map(cell => getComputedStyle(cell));
        return styles.map(style => [painted(style.color), painted(style.backgroundColor)]);
    """)
    assert len(pairs) == 49
    assert len({tuple(ground) for _, ground in pairs}) > 3
    for pair in pairs:
        dark, light = sorted(map(luminance, pair))
        assert (light + 0.05) / (dark + 0.05) > 4.4, pair


@pytest.mark.parametrize("page", ["report", "comparison"])
@pytest.mark.parametrize("width", [1200, 500])
def test_nothing_overflows_and_every_picture_is_drawn(page, width, browser, request):
    path, _ = request.getfixturevalue(page)
    browser.set_window_size(width, 1000)
    browser.get(path.as_uri())
    wide, room = browser.execute_script("let r = document.documentElement; return [r.scrollWidth, r.clientWidth]")
    assert wide <= room
    assert browser.execute_script("return [...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert browser.execute_script("return performance.getEntriesByType('resource').map(e => e.name)") == []


def test_a_comparison_shows_who_differs_where(comparison, runs, browser):
    path, compared = comparison
    html = text(path)
    test = compared.all_images["vote"].mcnemar
    for value in (test.only_first, test.only_second):
        assert f"<td>{value:,}</td>" in html
    first, second = (answer(Recognizer.load(run), TEST).predicted() for run in runs)
    browser.get(path.as_uri())
    cell = browser.find_element("css selector", "table.matrix tbody a")
    cell.click()
    anchor = cell.get_attribute("href").rpartition("#")[2]
    true, called = map(int, anchor.split("-")[1:])
    here = (TEST.labels == true) & ((first == called) != (second == called))
    faces = browser.find_elements("css selector", f"#{anchor} .face")
    assert {int(face.text.rpartition("row ")[2]) for face in faces} == set(TEST.ids[here].tolist())


def test_a_comparison_shows_of_both_what_a_report_shows_of_one(comparison, report):
    html = text(comparison[0])
    for title in re.findall("<h2>(.*?)</h2>", text(report[0])):
        assert f"<h2>{title}</h2>" in html
    sheets = dict(re.findall(r"<style>\.(sheet-\S+) i ({[^}]*})", html))
    for kind in ("mistakes", "neighbours"):
        assert sum(sheet.startswith(f"sheet-{kind}-") for sheet in sheets) == 2
    for name in ("one", "two"):
        assert f'<td class="text">{name}, all</td>' in html
    assert html.count("Untrained &lt;b&gt;") == 2


def test_classes_in_another_order_are_compared_by_name(comparison, runs, tmp_path):
    turned = FACES.with_labels(6 - FACES.labels, FACES.classes[::-1])
    assert write_comparison(*runs, turned, tmp_path / "b.html", split="test", resamples=50) == comparison[1]


def test_mistakes_are_told_in_one_sentence_and_leave_no_file(runs, tmp_path):
    out = tmp_path / "report.html"
    with pytest.raises(DataError, match="has no split 'exam'; it has train"):
        write_report(runs[0], FACES, out, split="exam")
    with pytest.raises(StorageError, match="not a folder saved by ferembed"):
        write_report(tmp_path, FACES, out)
    strange = FACES.with_labels(FACES.labels, [*FACES.classes[:-1], "bored"])
    with pytest.raises(DataError, match="the data also names bored"):
        write_comparison(*runs, strange, out, split="test")
    assert not Path(out).exists()
