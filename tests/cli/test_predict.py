"""``ferembed predict`` on what users have: photos of every kind, broken ones, odd names, folders, videos."""

import io
import json
import os
import struct
import subprocess
import sys
import zlib
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import av
import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps

import ferembed as fe
from ferembed.cli import main
from ferembed.cli.findings import Tables
from ferembed.cli.photos import Named
from ferembed.faces import read_photo
from ferembed.video import VideoFace, VideoFrame, video_file

PORTRAIT = Path(fe.__file__).parent / "cli" / "portrait.jpg"


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def predict(*arguments, code=0, terminals=()):
    """What the command prints, and what it complains of, line by line."""
    out, err = (
        (Terminal if name in terminals else io.TextIOWrapper)(io.BytesIO(), "utf-8", write_through=True)
        for name in ("out", "err")
    )
    argv = ["ferembed", "predict", *map(str, arguments)]
    with patch.object(sys, "argv", argv), redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as end:
        main()
    shown, said = (stream.buffer.getvalue().decode() for stream in (out, err))
    assert (end.value.code or 0) == code, shown + said
    return shown, said.splitlines()


def as_json(*arguments, code=0):
    return json.loads(predict(*arguments, "--json", code=code)[0])


def as_table(*arguments, code=0):
    return pd.read_csv(io.StringIO(predict(*arguments, "--csv", code=code)[0]))


@pytest.fixture(scope="module")
def head(portrait):
    return portrait.crop((120, 10, 340, 240))


@pytest.fixture(scope="module")
def group(head, tmp_path_factory):
    """Six times the head, each second one mirrored, in two rows."""
    picture = Image.new("RGB", (3 * head.width, 2 * head.height), "grey")
    for place in range(6):
        turned = ImageOps.mirror(head) if place % 2 else head
        picture.paste(turned, (place % 3 * head.width, place // 3 * head.height))
    path = tmp_path_factory.mktemp("a group") / "six of them.png"
    picture.save(path)
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bomb():
    """A PNG of a hundred bytes that says it has 3,600 million pixels."""
    chunks = {
        b"IHDR": struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0),
        b"IDAT": zlib.compress(b""),
        b"IEND": b"",
    }
    parts = (struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks.items())
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_what_is_bad_gets_a_line_and_the_rest_an_answer(here, head):
    head.save("good.jpg")
    whole = Path("good.jpg").read_bytes()
    head.save("program.jpg", format="EPS")
    contents = {"cut.jpg": whole[: len(whole) // 2], "text.jpg": b"Dear diary", "empty.jpg": b"", "bomb.png": bomb()}
    for name, content in {**contents, "none.mp4": b"Dear diary"}.items():
        Path(name).write_bytes(content)
    Path("no photos").mkdir()
    Path("no photos", "diary.txt").write_text("Dear diary")
    Path("nothing").mkdir()
    Path("loop.jpg").symlink_to("loop.jpg")
    bad = {
        "cut.jpg": "cut.jpg cannot be decoded as an image (image file is truncated",
        "text.jpg": "text.jpg is no image of a format that can be read, such as JPEG or PNG.",
        "empty.jpg": "empty.jpg is empty.",
        "bomb.png": "bomb.png has too many pixels: 120,000,000 at most are decoded.",
        "program.jpg": "program.jpg is EPS, which another program would have to run: save it as JPEG or PNG.",
        "none.mp4": "none.mp4 cannot be decoded as a video: ",
        "no photos": "no photos holds no photo and no video, and is no recogniser.",
        "nothing": "nothing holds no photo and no video, and is no recogniser.",
        "loop.jpg": "loop.jpg cannot be read (",
        "gone.jpg": "there is no file gone.jpg.",
        "gone.mp4": "there is no file gone.mp4.",
        "gone*.jpg": "no file matches gone*.jpg.",
        "99": "There is no camera 99, or another program holds it (",
    }
    asked = ["good.jpg", *bad, "./good.jpg"]
    shown, said = predict(*asked, "--json", code=1)
    assert len(said) == len(bad)
    for line, sentence in zip(said, bad.values(), strict=True):
        assert line.startswith(f"ferembed: {sentence}")
        assert line.endswith(".")
    entries = json.loads(shown)
    names = [entry.get("photo", entry.get("video")) for entry in entries]
    assert names == [{"99": "camera 99"}.get(name, name) for name in asked]
    assert [entry["error"] for entry in entries if "error" in entry] == [line[10:] for line in said]
    assert [entry["faces"][0]["label"] for entry in (entries[0], entries[-1])] == ["happy", "happy"]
    assert {name for name, entry in zip(names, entries, strict=True) if "video" in entry} == {
        "none.mp4", "gone.mp4", "camera 99",
    }  # fmt: skip
    table = as_table(*asked, code=1)
    assert table["photo"].tolist() == ["good.jpg", "./good.jpg"]
    assert predict(*bad, code=1) == ("", said)


def test_what_may_not_be_read_is_said(here, head):
    head.save("good.jpg")
    head.save("locked.jpg")
    Path("folder", "closed").mkdir(parents=True)
    for name in ("locked.jpg", "folder/closed"):
        Path(name).chmod(0)
    if os.access("locked.jpg", os.R_OK):
        pytest.skip("nothing is hidden from this user")
    try:
        shown, said = predict("good.jpg", "locked.jpg", "folder", "--csv", code=1)
    finally:
        Path("folder/closed").chmod(0o700)
    assert said == [
        "ferembed: locked.jpg cannot be read (Permission denied).",
        "ferembed: folder/closed cannot be read (Permission denied).",
    ]
    assert shown.count("happy,") == 2


def test_every_kind_of_photo_is_answered(here, portrait):
    grey, exif = portrait.convert("L"), Image.Exif()
    exif[0x0112] = 6
    alpha = Image.new("L", portrait.size, 255)
    alpha.paste(0, (0, 0, 512, 30))
    portrait.save("plain.png")
    portrait.rotate(90, expand=True).save("held.jpg", exif=exif, quality=95)
    Image.merge("RGBA", [*portrait.split(), alpha]).save("alpha.png")
    Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save("sixteen.png")
    portrait.convert("CMYK").save("print.jpg", quality=95)
    portrait.quantize(128).save("palette.png")
    grey.save("grey.webp", quality=95)
    for name in ("moving.gif", "moving.webp"):
        portrait.save(name, save_all=True, append_images=[Image.new("RGB", portrait.size, "red")])
    table = as_table(".")
    assert table["photo"].tolist() == sorted(file.name for file in here.iterdir())
    assert len(table) == 9
    assert set(table["label"]) == {"happy"}
    edges = table[["left", "upper", "right", "lower"]]
    assert (edges.max() - edges.min()).max() < 20, "the same face, however the photo was kept"


def write_small_face(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(fe.drawn_faces(70, seed=3).images[0]).save(path, format="PNG")


def test_photos_are_found_by_names_folders_and_patterns(here):
    names = ["a[1].jpg", "b c.jpg", "日本 ü.jpg", "*.jpg", "7", "sub/d.PNG", "sub/deep/e.webp", "sub/.hidden/f.jpg",
             "sub/.g.jpg", "sub/notes.txt"]  # fmt: skip
    if sys.platform == "linux":
        names.append(os.fsdecode(b"caf\xe9.jpg"))
    for name in names:
        write_small_face(here / name)
    asked = {
        "a[1].jpg": ["a[1].jpg"],  # a file, though it is a pattern that matches another name
        "*.jpg": ["*.jpg"],
        "[ab]*.jpg": ["a[1].jpg", "b c.jpg"],
        "7": ["7"],  # a file, though it is a number
        "sub": ["sub/d.PNG", "sub/deep/e.webp"],
        "s*": ["sub/d.PNG", "sub/deep/e.webp"],
        "**/*e*": ["sub/deep/e.webp", "sub/notes.txt"],
        **{name: [name] for name in names if name.startswith(("b", "日", "caf"))},
    }
    entries = as_json(*asked, "--crop")
    assert [entry["photo"] for entry in entries] == [name for some in asked.values() for name in some]
    assert all(len(entry["faces"]) == 1 for entry in entries)
    shown, said = predict("small", ".", "--crop")
    assert said == []
    assert all(name in shown for name in ("a[1].jpg", "b c.jpg", "日本 ü.jpg", "*.jpg"))
    assert "hidden" not in shown
    assert ("caf\\udce9.jpg" in shown) == (sys.platform == "linux")


def test_standard_input_is_a_photo_and_a_real_process_answers(group):
    code = "from ferembed.cli import main; main()"
    command = [sys.executable, "-c", code, "predict", "-", "-", "--csv"]
    done = subprocess.run(command, input=group.read_bytes(), capture_output=True)
    table = pd.read_csv(io.BytesIO(done.stdout))
    assert set(table["photo"]) == {"-"}
    assert len(table) == 6
    assert done.stderr.decode().splitlines() == ["ferembed: -: <stdin> is empty."], "nothing is left for the second"
    assert done.returncode == 1


def test_what_was_answered_before_ctrl_c_is_shown(group, monkeypatch):
    class Waiting(io.BytesIO):
        def read(self, *_):
            raise KeyboardInterrupt

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Waiting()))
    shown, said = predict(group, "-", group, code=130)
    assert shown.count("happy 9") == 6
    assert said[-1].startswith("ferembed: interrupted; ")
    assert len(json.loads(predict(group, "-", group, "--json", code=130)[0])) == 1


def test_json_and_csv_say_what_recognize_does(group):
    faces = fe.load().recognize(group, neighbors=3)
    classes = fe.load().classes_.tolist()
    assert len(faces) == 6
    (entry,), table = as_json(group, "--neighbors", 3), as_table(group)
    assert table["face"].tolist() == [said["face"] for said in entry["faces"]] == [1, 2, 3, 4, 5, 6]
    assert table["photo"].unique().tolist() == [entry["photo"]] == [str(group)]
    for said, row, face in zip(entry["faces"], table.itertuples(), faces, strict=True):
        assert said["label"] == row.label == face.label
        assert said["box"] == [row.left, row.upper, row.right, row.lower] == list(face.box)
        assert list(said["probabilities"]) == classes
        np.testing.assert_allclose(list(said["probabilities"].values()), face.probabilities, atol=1e-6)
        assert [near["label"] for near in said["nearest"]] == face.nearest.labels.tolist()
        assert [near["row"] for near in said["nearest"]] == face.nearest.ids.tolist()
        assert said["score"] == pytest.approx(row.score, abs=1e-3)
    np.testing.assert_allclose(table[classes], [face.probabilities for face in faces], atol=1e-5)


def test_no_face_is_an_answer(here):
    Image.linear_gradient("L").save("ramp.png")
    write_small_face(here / "face.png")
    shown, said = predict("ramp.png", "face.png")
    assert said == []
    assert shown.count("no face found") == 2
    assert shown.count("--crop") == 1
    assert as_json("ramp.png") == [{"photo": "ramp.png", "faces": []}]
    table = as_table("ramp.png", "face.png", "--annotate", "out")
    assert table["photo"].tolist() == ["ramp.png", "face.png"]
    assert table["face"].isna().all()
    assert np.abs(read_photo("out/ramp.jpg").astype(int) - read_photo("ramp.png")).max() < 12
    assert "face.png: " in predict("face.png", "--crop")[0]


def test_annotated_copies_have_names_of_their_own_and_spare_the_photos(here, head):
    for name in ("a/me.jpg", "b/me.png", "me.2024.05.01.png", "me.2024.05.02.png"):
        Path(name).parent.mkdir(exist_ok=True)
        head.save(name)
    before = {path: path.read_bytes() for path in here.rglob("*.*")}
    predict("a", "b", "me.*", "--annotate", "out/put")
    names = ["me.jpg", "me-2.jpg", "me.2024.05.01.jpg", "me.2024.05.02.jpg"]
    assert {path.name for path in Path("out/put").iterdir()} == set(names)
    for name in names:
        copy = read_photo(f"out/put/{name}").astype(int)
        assert copy.shape == (head.height, head.width, 3)
        changed = (np.abs(copy - np.asarray(head)) > 60).any(axis=2)
        assert 0.03 < changed.mean() < 0.9, "box, label and bars, not more"
    predict("a", "--annotate", "a")
    assert {path.name for path in Path("a").iterdir()} == {"me.jpg", "me-2.jpg"}
    assert {path: path.read_bytes() for path in before} == before


def test_a_video_gives_its_faces_over_time(here, head):
    frame = np.full((320, 420, 3), 100, np.uint8)
    with video_file("clip.mp4", 10) as write:
        for place in range(8):
            pixels = frame.copy()
            pixels[40 : 40 + head.height, 10 + 5 * place : 10 + 5 * place + head.width] = np.asarray(head)
            write(pixels, place / 10)
    head.save("clip.jpg")
    table = as_table("clip.jpg", "clip.mp4", "--annotate", "out")
    assert table["photo"].tolist() == ["clip.jpg", *["clip.mp4"] * 8]
    assert table["label"].unique().tolist() == ["happy"]
    assert table["face"].unique().tolist() == [1]
    np.testing.assert_allclose(table["time"][1:], np.arange(8) / 10, atol=1e-3)
    assert table["left"][1:].is_monotonic_increasing
    assert {path.name for path in Path("out").iterdir()} == {"clip.jpg", "clip-2.mp4", "clip-2.png", "clip-2.csv"}
    assert len(pd.read_csv("out/clip-2.csv")) == 8
    assert read_photo("out/clip-2.png").std() > 10
    with av.open("out/clip-2.mp4") as container:
        assert len(list(container.decode(video=0))) == 8
    photo, video = as_json("clip.jpg", "clip.mp4")
    assert (photo["photo"], video["video"], video["frames"]) == ("clip.jpg", "clip.mp4", 8)
    assert [(face["face"], face["label"], face["frames"]) for face in video["faces"]] == [(1, "happy", 8)]
    shown, _ = predict("clip.mp4")
    assert "0.0 to 0.7 s, 8 frames" in shown
    shown, said = predict("clip.mp4", "clip.jpg", "--max-error", 1e-4, code=1)
    assert said == ["ferembed: clip.mp4 moves, and --max-error is for photos: ask it without."]
    assert "unknown" in shown


def test_of_a_camera_what_changes_is_told(capsys):
    """Nobody waits for its end; of a video file the end tells all."""
    classes, at = ["happy", "sad"], {"happy": np.array([0.8, 0.2]), "sad": np.array([0.3, 0.7])}
    table = Tables(classes, 1)
    for index, label in enumerate(["happy", "happy", "sad", "sad", "happy"]):
        face = VideoFace(3, (0, 0, 9, 9), 1.0, label, at[label], at[label])
        for one in (Named("camera 0", 0), Named("camera 0.mp4")):
            table.frame(one, VideoFrame(index, index / 2, np.zeros((9, 9, 3), np.uint8), (face,)))
    told = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [(words[0], words[3], *words[4:]) for words in told] == [
        ("0.0", "3:", "happy", "80%"), ("1.0", "3:", "sad", "70%"), ("2.0", "3:", "happy", "80%"),
    ]  # fmt: skip


def test_a_missing_package_is_said_once_and_photos_are_answered(here, head, monkeypatch):
    head.save("me.jpg")
    for name in ("one.mp4", "two.mp4"):
        Path(name).touch()
    monkeypatch.setitem(sys.modules, "av", None)
    shown, said = predict("one.mp4", "two.mp4", "me.jpg", "--json", code=1)
    assert said == ["ferembed: reading and writing videos needs av: pip install 'ferembed[video]'"]
    assert ["error" in entry for entry in json.loads(shown)] == [True, True, False]


def test_unsure_answers_are_unknown(group, portrait):
    assert set(as_table(group, "--max-error", 1e-4)["label"]) == {"unknown"}
    assert set(as_table(group, "--max-error", 0.5)["label"]) == {"happy"}
    assert "--max-error is a share between 0 and 1" in "".join(predict(group, "--max-error", 1.5, code=2)[1])


def test_engines_agree(group):
    torch, onnx = (as_table(group, "--engine", engine) for engine in ("torch", "onnx"))
    pd.testing.assert_frame_equal(torch, onnx, rtol=0, atol=1e-4)


def test_options_that_exclude_each_other_are_refused(group, here):
    (here / "file").touch()
    for options, sentence in ((["--json", "--csv"], "--json and --csv exclude"), (["--annotate", "file"], "is a file")):
        assert sentence in " ".join(predict(group, *options, code=2)[1])
    shown, said = predict(group, "--csv", "--annotate", "file/copies", code=1)
    assert shown == ""
    assert said == ["ferembed: file/copies cannot be made (Not a directory): name another folder for copies."]


def test_a_progress_bar_on_the_terminal_takes_nothing_from_a_file(group, here, head, monkeypatch):
    """Standard output is a file, standard error the terminal, and looking takes so long that the bar is shown."""
    monkeypatch.setattr("ferembed.progress.PATIENCE", -1)
    head.save("me.jpg")
    for option in ("--json", "--csv"):
        shown, said = predict("me.jpg", "me.jpg", "gone.jpg", "me.jpg", option, code=1, terminals=["err"])
        assert "Looking at photos" in "".join(said)
        assert "happy" not in "".join(said)
        assert "there is no file gone.jpg." in "".join(said)
        assert shown.count("me.jpg") == 3


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_of_faces_keeps_within_the_terminal(group, here, head, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    long = Path("a folder with a long name", "another in it, of somebody who keeps all photos of all years")
    long.mkdir(parents=True)
    head.save(long / "2024-05-01 12.44.01 (copy of a copy).png")
    shown, _ = predict(group, long, terminals=["out"])
    lines = shown.splitlines()
    bare = [line for line in lines if "\x1b" not in line]
    assert max(map(len, bare)) <= width
    assert sum("happy" in line for line in lines) == 7
    words = "".join("".join(line.split("│")[1].split()) for line in bare if line.startswith("│"))
    assert "(copyofacopy).png" in words
