"""Reports as files, and as they are seen and clicked in a real browser."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from markupsafe import Markup
from PIL import Image

from ferembed import DataError, Recognizer, StorageError, audit, drawn_faces, evaluate, write_comparison, write_report
from ferembed.auditing.copies.find import find_copies
from ferembed.data import load_folder
from ferembed.models import Encoder, Network
from ferembed.report.data_section import audit_summary
from ferembed.runs.assessment import answer

FACES = drawn_faces(420, image_size=32, label_noise=0.3, seed=2)
TEST = FACES.split("test")
LEFT, ESCAPE = "\ue012", "\ue00c"
SECTIONS = ("Figures", "Confusion matrix", "Classes", "Confidence", "Retrieval", "Embedding map")


ODD = ("$5", "$a^{$", "top 1", "top-1", "<b>&", "\N{PERFORMING ARTS}", "a class of more than forty letters, all told")


def make_run(folder, seed, collapsed=False, turned=False, faces=FACES):
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
        "data": {"train": train.fingerprint, "validation": validation.fingerprint},
        "versions": {"ferembed": "0"},
    }
    if turned:
        train, validation = (each.with_labels(6 - each.labels, each.classes[::-1]) for each in (train, validation))
    Recognizer.build(network, train, validation, info=info).save(folder / "recognizer")
    log = folder / "logs" / "csv" / "metrics.csv"
    log.parent.mkdir(parents=True)
    log.write_text("epoch,step,train/loss,validation/knn_accuracy\n0,9,,0.5\n0,9,2.0,\n1,19,,0.75\n1,19,1.5,\n")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two, the second of which has learnt the classes in another order."""
    root = tmp_path_factory.mktemp("runs")
    return make_run(root / "one", 0), make_run(root / "two", 1, turned=True)


@pytest.fixture(scope="module")
def report(runs):
    path = runs[0].parent / "report.html"
    evaluation = write_report(runs[0], FACES, path, split="test", resamples=50)
    return path, evaluation


@pytest.fixture(scope="module")
def comparison(runs):
    path = runs[0].parent / "comparison.html"
    return path, write_comparison(*runs, FACES, path, split="test", resamples=50)


def codes_of(run):
    """What a run names the test faces, as codes of their data's classes."""
    answers = answer(Recognizer.load(run), TEST)
    return np.array([TEST.classes.index(name) for name in answers.classes])[answers.predicted()]


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
def test_names_may_hold_any_sign_and_be_long(tmp_path, browser):
    faces = FACES.with_labels(FACES.labels, ODD)
    run = make_run(tmp_path / f"$a^{{$_{'long_' * 20}", 0, faces=faces)
    write_report(run, faces, tmp_path / "report.html", split="test", resamples=5)
    html = text(tmp_path / "report.html")
    assert "&lt;b&gt;&amp;" in html
    assert "<b>&" not in html
    anchors = re.findall(r'<div class="cell" id="([^"]*)"', html)
    assert len(set(anchors)) == len(anchors) > 20
    browser.set_window_size(500, 1000)
    browser.get((tmp_path / "report.html").as_uri())
    wide, room = browser.execute_script("let r = document.documentElement; return [r.scrollWidth, r.clientWidth]")
    assert wide <= room
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


def test_faces_of_a_folder_are_named_by_their_files(runs, tmp_path):
    judged = FACES.split("test")
    for row in range(len(judged)):
        folder = tmp_path / "faces" / "test" / judged.classes[judged.labels[row]]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(judged.images[row]).save(folder / f"face {row}.png")
    write_report(
        runs[0], load_folder(tmp_path / "faces", image_size=32), tmp_path / "r.html", split="test", resamples=5
    )
    html = text(tmp_path / "r.html")
    assert re.search(r"<br>test/\w+/face \d+\.png", html)
    assert not re.search(r"row \d", html)


def test_the_audit_shows_copies_and_doubtful_labels(report, runs, tmp_path):
    assert "labels of this split that the vote contradicts" in text(report[0])
    rows = np.arange(len(FACES))
    leaking = FACES.subset(np.concatenate([rows, FACES.split("train").ids[:2]]))
    splits = [*FACES.splits, "test", "test"]
    leaking = replace(leaking, splits=splits, ids=np.arange(len(leaking)))
    copies = find_copies(leaking)
    write_report(runs[0], leaking, tmp_path / "report.html", split="test", resamples=5)
    html = text(tmp_path / "report.html")
    assert "Groups that lie in more than one split" in html
    assert "without copies, " in html
    for row in copies.leaking:
        assert f"row {row}" in html
    assert len(copies.leaking) >= 2
    assert "2 of the" in html


def test_copies_and_odd_pictures_are_looked_for_where_told_or_where_there_are_few_faces(runs, monkeypatch):
    answers = answer(Recognizer.load(runs[0]), TEST)
    odd = FACES.subset(np.arange(300))
    images = odd.images.copy()
    images[0, ::2], images[0, 1::2] = 200, 10  # stripes of two greys: a placeholder
    odd = replace(odd, images=images)
    searched = Markup("").join(audit_summary(odd, answers))
    assert "Placeholder" in searched
    assert f"{odd.splits[0]}<br>row 0" in searched
    assert "were not searched for" not in searched
    assert "were not searched for" in Markup("").join(audit_summary(odd, answers, False))
    monkeypatch.setattr("ferembed.report.data_section.QUICK", 299)
    assert "were not searched for" in Markup("").join(audit_summary(odd, answers))
    monkeypatch.setattr(
        "ferembed.report.data_section.find_copies", lambda _: pytest.fail("copies are searched for again")
    )
    assert "were not searched for" not in Markup("").join(audit_summary(odd, answers, find_copies(odd)))


def test_no_copies_are_said_in_a_sentence(report, comparison):
    for page in (report[0], comparison[0]):
        assert "No image has a copy" in text(page)
        assert "without copies" not in text(page)


def test_saliency_is_also_that_of_the_k_nn_vote_and_of_a_pair(report, comparison):
    for page, pairs in ((report[0], 1), (comparison[0], 2)):
        captions = re.findall("<figcaption>(.*?)</figcaption>", text(page))
        assert sum("by the k-NN vote alone" in caption for caption in captions) == 1
        found = [caption for caption in captions if "of different classes that are most alike" in caption]
        assert len(found) == pairs
        for caption in found:
            rows = [FACES.ids.tolist().index(int(row)) for row in re.findall(r"row (\d+)", caption)]
            a, b = FACES.labels[rows]
            assert a != b
            assert f"row {FACES.ids[rows[0]]}, {FACES.classes[a]}" in caption


def test_the_most_frequent_confusions_come_first_and_lead_to_their_faces(report, runs):
    html = text(report[0])
    answers = answer(Recognizer.load(runs[0]), TEST)
    counts = np.zeros((7, 7), int)
    np.add.at(counts, (answers.codes, answers.predicted()), 1)
    np.fill_diagonal(counts, 0)
    listed = re.findall(r'<td class="text"><a href="#cell-(\d)-(\d)">\w+</a></td><td>(\d+)</td>', html)
    assert [int(count) for *_, count in listed] == sorted(counts.ravel().tolist(), reverse=True)[:10]
    assert all(counts[int(true), int(called)] == int(count) for true, called, count in listed)
    assert html.index(f"cell-{listed[0][0]}-{listed[0][1]}") < html.index('<table class="matrix')


def test_a_face_of_the_map_is_chosen_by_pointing_clicking_and_by_keys(report, browser):
    path, _ = report
    answers = answer(Recognizer.load(path.parent / "one"), TEST)
    browser.set_window_size(1200, 1000)
    browser.get(path.as_uri())
    chosen = browser.find_element("css selector", ".chosen span")
    hint = chosen.text
    places = browser.execute_script("""
        const map = document.querySelector(".map"), image = [...map.querySelectorAll("img")].find(i => i.offsetWidth);
        map.scrollIntoView();
        const box = image.getBoundingClientRect();
        const { places } = JSON.parse(map.querySelector("script").textContent);
        return places.map(([x, y]) => [box.left + x * box.width, box.top + y * box.height]);
    """)
    assert len(places) == len(TEST)

    def leads_left(i):
        return any(0 < places[i][0] - x >= abs(places[i][1] - y) for x, y in places)

    lone = max(
        filter(leads_left, range(len(places))),
        key=lambda i: min(np.hypot(*np.subtract(p, places[i])) for p in places[:i] + places[i + 1 :]),
    )

    def mouse(kind, x, y):
        click = {"button": "left", "clickCount": 1} if kind != "mouseMoved" else {}
        browser.execute_cdp_cmd("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, **click})

    mouse("mouseMoved", places[lone][0] + 3, places[lone][1] - 3)
    name, called = (answers.classes[each[lone]] for each in (answers.codes, answers.predicted()))
    assert chosen.text.startswith(f"row {TEST.ids[lone]}: {name}, called {called} (")
    style = browser.find_element("css selector", ".chosen i").get_attribute("style")
    assert f"{-72 * (lone % 63)}px {-72 * (lone // 63)}px" in style.replace("-0px", "0px")
    browser.find_element("css selector", ".map").send_keys(LEFT)
    left = int(re.search(r"row (\d+)", chosen.text)[1])
    assert places[TEST.ids.tolist().index(left)][0] < places[lone][0]
    for kind in ("mousePressed", "mouseReleased"):
        mouse(kind, *places[lone])
    mouse("mouseMoved", *places[lone - 1])
    assert f"row {TEST.ids[lone]}:" in chosen.text, "a click holds the face"
    browser.find_element("css selector", ".map").send_keys(ESCAPE)
    assert chosen.text == hint


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
    first, second = map(codes_of, runs)
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
    assert sum(sheet.startswith("sheet-neighbours-") for sheet in sheets) == 2
    for name in ("one", "two"):
        assert f'<td class="text">{name}, all</td>' in html
    assert html.count("Untrained &lt;b&gt;") == 2


def test_mistakes_of_both_stand_side_by_side(comparison, runs):
    html = text(comparison[0])
    first, second = (codes_of(run) != TEST.labels for run in runs)
    groups = {
        "Only one is wrong": first & ~second,
        "Only two is wrong": second & ~first,
        "Both are wrong": first & second,
    }
    for title, wrong in groups.items():
        shown = html.partition(f"<h3>{title}</h3>")[2].partition("<h")[0]
        assert f"{wrong.sum()} of {len(TEST)} faces" in shown
        rows = [int(row) for row in re.findall(r"<br>row (\d+)</div>", shown)]
        assert set(rows) <= set(TEST.ids[wrong].tolist())
        assert len(rows) == min(48, wrong.sum())


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
