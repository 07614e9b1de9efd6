"""What a tab of the page remembers, and how answers are written."""

import io
import os
import re
import subprocess
import sys
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import ferembed as fe
from ferembed import DataError
from ferembed.app import fragments
from ferembed.app.sessions import MOST_ENROLLED, MOST_QUESTIONS, MOST_SESSIONS, PERIOD, Session, Sessions
from ferembed.app.uploads import FOLDER, private_uploads, taken
from ferembed.faces.detectors import ENOUGH_PIXELS

PORTRAIT = resources.files("ferembed.cli").joinpath("portrait.jpg").read_bytes()


@pytest.fixture(scope="module")
def shared():
    return fe.load()


@pytest.fixture
def session(shared):
    return Session(shared)


def turned(degrees):
    """The portrait as a file, turned a little."""
    file = io.BytesIO()
    Image.open(io.BytesIO(PORTRAIT)).rotate(degrees).save(file, "png")
    file.seek(0)
    file.name = f"turned-{degrees}.png"
    return file


@given(st.lists(st.integers(0, 20), max_size=300))
def test_no_period_holds_more_than_so_many_questions(waits):
    session, now, counted, refused = Session(None), 0, [], []
    for wait in waits:
        now += wait / 10
        try:
            session.count_question(now)
            counted.append(now)
        except DataError:
            refused.append(now)
    assert all(last - first >= PERIOD for first, last in zip(counted, counted[MOST_QUESTIONS:], strict=False))
    for time in refused:
        assert sum(time - PERIOD < each <= time for each in counted) == MOST_QUESTIONS


def test_a_few_tabs_are_remembered_and_those_asked_last(shared):
    sessions = Sessions(shared)
    first = sessions.of("first")
    for number in range(MOST_SESSIONS - 1):
        sessions.of(f"tab {number}")
    assert sessions.of("first") is first
    sessions.of("another")
    assert len(sessions) == MOST_SESSIONS
    assert sessions.of("first") is first
    sessions.close("first")
    sessions.close("first")
    assert sessions.of("first") is not first


def test_a_face_is_asked_about_again_without_being_looked_for(session):
    first = session.look("photo", PORTRAIT)
    assert [face.label for face in first.faces] == ["happy"]
    unknown = session.look_again("photo", max_error=1e-6).faces[0]
    assert unknown.label == "unknown"
    assert unknown.box == first.faces[0].box
    np.testing.assert_array_equal(unknown.probabilities, first.faces[0].probabilities)
    assert session.look_again("photo").faces[0].label == "happy"


def test_places_do_not_mix_and_a_wrong_photo_leaves_none(session):
    session.look("one", PORTRAIT)
    with pytest.raises(DataError, match="Give a photo first"):
        session.answer("other")
    with pytest.raises(DataError, match="no image"):
        session.look("one", b"no image")
    with pytest.raises(DataError, match="Give a photo first"):
        session.face("one", 0)
    session.look("one", np.zeros((100, 100), np.uint8))
    with pytest.raises(DataError, match="No face"):
        session.face("one", 0)


def test_of_a_large_photo_no_more_is_kept_than_is_looked_at(session, shared):
    large = Image.open(io.BytesIO(PORTRAIT)).resize((4096, 4096))
    answer = session.look("photo", large)
    kept = answer.pixels.shape
    assert 0.99 * ENOUGH_PIXELS < kept[0] * kept[1] < 1.01 * ENOUGH_PIXELS
    (whole,) = shared.recognize(large)
    np.testing.assert_allclose(np.array(answer.faces[0].box) * 4096 / kept[0], whole.box, atol=0.02 * 4096)
    assert answer.faces[0].label == whole.label


def test_similarity_is_the_cosine_of_the_embeddings(session, shared):
    one, other = session.look("one", PORTRAIT).faces[0], session.look("other", turned(6)).faces[0]
    a, b = shared.encode(one.crop)[0], shared.encode(other.crop)[0]
    assert session.similarity(one, other) == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-5)
    assert session.similarity(one, one) == pytest.approx(1, abs=1e-5)


def test_what_is_enrolled_is_known_to_this_tab_alone_until_forgotten(session, shared):
    before, gallery = shared.classes_.tolist(), shared.gallery_embeddings
    wall = io.BytesIO()
    Image.new("RGB", (200, 200)).save(wall, "png")
    wall.name = "wall.png"
    notes = io.BytesIO(b"no image")
    notes.name = "notes.txt"
    wrong = session.offer([turned(-2), wall, turned(2), notes])
    assert len(session.offered) == 2
    assert [text.split()[0] for text in wrong] == ["wall.png", "notes.txt"]
    assert session.enrol("Winking") == 2
    assert session.recognizer.classes_.tolist() == [*before, "winking"]
    known = max(session.look("photo", turned(2)).faces, key=lambda face: face.score)
    assert "winking" in known.nearest.labels
    assert shared.classes_.tolist() == before
    np.testing.assert_array_equal(shared.gallery_embeddings, gallery)
    assert Session(shared).look("photo", PORTRAIT).classes == before
    session.forget()
    assert session.look_again("photo").classes == before


def test_a_wrong_enrolment_changes_nothing(session, shared):
    with pytest.raises(DataError, match="Give photos with a face first"):
        session.enrol("winking")
    session.offer([turned(0)])
    with pytest.raises(DataError, match="winking"):
        session.enrol("winking")
    with pytest.raises(DataError, match="Name the expression first"):
        session.enrol("  ")
    assert session.recognizer is shared
    assert len(session.offered) == 1
    with pytest.raises(DataError, match=f"{MOST_ENROLLED} at most"):
        session.offer([turned(0)] * (MOST_ENROLLED + 1))


def test_an_answer_shows_every_probability_and_neighbour_and_escapes_names(session):
    answer = session.look("photo", PORTRAIT)
    face = answer.faces[0]
    html = fragments.details(face, answer.classes)
    widths = [float(width) for width in re.findall(r"width:([\d.]+)%", html)]
    np.testing.assert_allclose(widths, 100 * face.probabilities, atol=0.051)
    assert [row for row in answer.classes if f">{row}</th>" not in html] == []
    assert [f"{each:.3f}" for each in face.nearest.similarities] == re.findall(r"<span>([\d.]+)</span>", html)
    odd = [name.replace("happy", "<i>&") for name in answer.classes]
    near = face.nearest._replace(labels=np.array(["<i>&"] * 5))
    written = fragments.details(face._replace(label="<i>&", nearest=near), odd)
    assert written.count("&lt;i&gt;&amp;") == 7
    assert "<i>&" not in written + fragments.photo(answer._replace(faces=[face._replace(label="<i>&")]))


def test_a_photo_is_shown_no_larger_than_a_screen_with_its_faces_told(session):
    html = fragments.photo(session.look("photo", Image.open(io.BytesIO(PORTRAIT)).resize((2400, 1800))))
    assert 'alt="The photo with its faces marked. face 1: happy"' in html
    nobody = fragments.photo(session.look("photo", np.zeros((90, 120), np.uint8)))
    assert "No face found" in nobody
    assert 'alt="The photo"' in nobody


def test_an_upload_is_on_the_disk_until_it_is_read(monkeypatch):
    monkeypatch.setenv(FOLDER, "before")
    with private_uploads() as folder:
        assert os.environ[FOLDER] == str(folder)
        (folder / "a.png").write_bytes(b"pixels")
        file = taken({"path": str(folder / "a.png"), "orig_name": "a b.png"})
        assert (file.read(), file.name) == (b"pixels", "a b.png")
        assert list(folder.iterdir()) == []
        (folder / "left.png").write_bytes(b"")
    assert not folder.exists()
    assert os.environ[FOLDER] == "before"


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_neither_import_nor_help_loads_what_the_page_needs():
    heavy = "{'gradio', 'torch', 'dlib', 'PIL', 'matplotlib', 'numpy'}"
    assert python(f"import sys, ferembed.app, ferembed.cli; print({heavy} & set(sys.modules))").stdout == "set()\n"


def test_a_missing_gradio_is_told_in_one_sentence():
    ended = python(
        "import sys; sys.modules['gradio'] = None; sys.argv = ['', 'app']; import ferembed.cli as c; c.main()"
    )
    assert ended.returncode == 1
    assert ended.stderr == "ferembed: the page needs gradio: pip install 'ferembed[app]'\n"
