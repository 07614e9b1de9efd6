"""Building blocks of pages: what they escape, hold and refuse. How pages look is tested with the reports."""

import base64
import io
import re

import numpy as np
import pytest
from markupsafe import Markup
from matplotlib import rcParams
from PIL import Image

from ferembed.evaluation.plots.canvas import new_figure
from ferembed.page import (
    FaceSheet,
    Section,
    figure,
    heading,
    note,
    page,
    paragraph,
    row,
    slug,
    table,
)

WILD = "<script>alert('&')</script>"


@pytest.mark.parametrize(
    "block",
    [
        heading(WILD),
        paragraph(WILD),
        note(WILD),
        table([WILD], [[WILD]], caption=WILD),
        FaceSheet(np.zeros((1, 8, 8), np.uint8), WILD).faces([0], [WILD]),
        figure(lambda: new_figure((1, 1)), WILD),
        Markup(page(WILD, [Section(WILD, [])], lead=WILD)),
    ],
)
def test_everything_is_escaped(block):
    assert "alert" in block
    assert "<script>alert" not in block


def test_markup_is_kept_and_numbers_stand_right():
    shown = table(["a", "b"], [[Markup("<b>x</b>"), 3]])
    assert '<td class="text"><b>x</b></td><td>3</td>' in shown
    assert "<p>a</p>\n<p>b</p>" in row(paragraph("a"), paragraph("b"))


def test_contents_lead_to_sections():
    html = page("Audit", [Section("Near copies", [paragraph("one")]), Section("Labels", [])])
    assert (
        re.findall(r'<a href="#([^"]*)">', html)
        == re.findall(r'<section id="([^"]*)">', html)
        == [
            slug("Near copies"),
            "labels",
        ]
    )


def test_a_picture_is_drawn_for_light_and_dark():
    inks = []

    def draw():
        inks.append(rcParams["text.color"])
        return new_figure((1, 1))

    before = rcParams["text.color"]
    both = figure(draw, "two")
    assert len(set(inks)) == 2
    assert rcParams["text.color"] == before
    assert re.findall(r'<img class="(\w+)" src="data:([^;]*);', both) == [
        ("light", "image/svg+xml"),
        ("dark", "image/svg+xml"),
    ]


@pytest.mark.parametrize("shape", [(70, 48, 48), (70, 48, 48, 3)])
def test_a_sheet_holds_every_face_at_its_place(shape):
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    images[:] = images.mean(axis=(1, 2), keepdims=True)
    images[::2] //= 3
    sheet = FaceSheet(images, "noise")
    data = base64.b64decode(re.search(r"base64,([^)]*)\)", sheet.style)[1])
    packed = np.asarray(Image.open(io.BytesIO(data)).convert("RGB" if len(shape) == 4 else "L"), float)
    places = re.findall(r"background-position:-(\d+)px -(\d+)px", sheet.faces(range(70), [""] * 70))
    for image, (x, y) in zip(images, places, strict=True):
        left, top = (int(each) // FaceSheet.SHOWN * 48 for each in (x, y))
        shown = packed[top : top + 48, left : left + 48]
        assert np.abs(shown - image).mean() < 12


def test_larger_faces_are_scaled_down_and_marks_shown():
    sheet = FaceSheet(np.zeros((2, 224, 200, 3), np.uint8), "Big faces")
    shown = sheet.faces([0, 1], ["a", Markup("b<br>c")], marked=[False, True])
    assert shown.count('class="face marked"') == 1
    assert f"sheet-{sheet.name}" in shown
    assert FaceSheet(np.ones((2, 224, 200, 3), np.uint8), "Big faces").name != sheet.name
    assert 'aria-label="b c"' in shown or 'aria-label="bc"' in shown
    with pytest.raises(ValueError, match=r"holds faces 0 to 1; asked for 2..2"):
        sheet.faces([2], [""])
