"""A photo in any form: what a viewer shows, or one sentence."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import EpsImagePlugin, Image, ImageFile, UnidentifiedImageError

from ferembed.data import DataError
from ferembed.data.images import read_image
from ferembed.faces import read_photo
from ferembed.faces.photos import MOST_PIXELS

RAMP = np.tile(np.arange(0, 240, 4, dtype=np.uint8), (40, 1))
COLOUR = np.stack([RAMP, RAMP[:, ::-1], np.full_like(RAMP, 90)], axis=-1)


def saved(folder, name, image, **options):
    image.save(folder / name, **options)
    return folder / name


@pytest.mark.parametrize(
    ("name", "image", "shown", "tolerance"),
    [
        ("colour.png", Image.fromarray(COLOUR), COLOUR, 0),
        ("colour.jpg", Image.fromarray(COLOUR), COLOUR, 8),
        ("colour.webp", Image.fromarray(COLOUR), COLOUR, 12),
        ("grey.png", Image.fromarray(RAMP), RAMP[..., None], 0),
        ("palette.png", Image.fromarray(RAMP).convert("P"), RAMP[..., None], 0),
        ("sixteen.png", Image.fromarray(RAMP.astype(np.uint16) * 257), RAMP[..., None], 0),
        ("sixteen.tif", Image.fromarray(RAMP.astype(np.uint16) * 257), RAMP[..., None], 0),
        ("floats.tif", Image.fromarray(RAMP.astype(np.float32) / 255), RAMP[..., None], 0),
        ("print.tif", Image.fromarray(COLOUR).convert("CMYK"), COLOUR, 2),
        ("print.jpg", Image.fromarray(COLOUR).convert("CMYK"), COLOUR, 12),
        ("bits.png", Image.fromarray(RAMP > 99), 255 * (RAMP > 99)[..., None], 0),
    ],
)
def test_every_kind_of_file_is_shown_in_rgb(tmp_path, name, image, shown, tolerance):
    pixels = read_photo(saved(tmp_path, name, image))
    assert (pixels.dtype, pixels.shape) == (np.uint8, (40, 60, 3))
    assert np.abs(pixels.astype(int) - shown).max() <= tolerance


@pytest.mark.parametrize("tag", range(1, 9))
def test_a_camera_may_be_held_in_any_way(tmp_path, tag):
    """Each turn that EXIF knows, undone by hand."""
    exif = Image.Exif()
    exif[0x0112] = tag
    undone = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1),
        6: lambda p: np.rot90(p, -1),
        7: lambda p: np.rot90(p.swapaxes(0, 1), 2),
        8: lambda p: np.rot90(p),
    }[tag]
    path = saved(tmp_path, "held.png", Image.fromarray(COLOUR), exif=exif)
    np.testing.assert_array_equal(read_photo(path), undone(COLOUR))


def test_what_is_transparent_lies_over_white(tmp_path):
    alpha = np.full((40, 60), 255, np.uint8)
    alpha[:, :20], alpha[:, 20:40] = 0, 51
    shown = 255 - (255 - COLOUR.astype(float)) * (alpha / 255)[..., None]
    layers = Image.fromarray(np.dstack([COLOUR, alpha]))
    assert np.abs(read_photo(saved(tmp_path, "layers.png", layers)) - shown).max() <= 1
    holes = saved(tmp_path, "holes.png", Image.fromarray(RAMP), transparency=8)
    np.testing.assert_array_equal(read_photo(holes)[0, :4, 0], [0, 4, 255, 12])
    clip = saved(tmp_path, "holes.gif", Image.fromarray(RAMP).convert("P"), transparency=8)
    np.testing.assert_array_equal((read_photo(clip) == 255).all(axis=(0, 2)).nonzero()[0], [2])


def test_the_first_picture_of_an_animation_is_taken(tmp_path):
    frames = [Image.new("RGB", (30, 20), colour) for colour in ("red", "lime", "blue")]
    for name in ("moving.gif", "moving.png", "moving.webp"):
        path = saved(tmp_path, name, frames[0], save_all=True, append_images=frames[1:], duration=50, lossless=True)
        assert np.abs(read_photo(path).astype(int) - (255, 0, 0)).max() <= 3


def test_a_photo_is_the_same_in_every_form(tmp_path):
    path = saved(tmp_path, "wörd [1].png", Image.fromarray(COLOUR))
    with path.open("rb") as file, Image.open(path) as opened:
        forms = [path, str(path), path.read_bytes(), bytearray(path.read_bytes()), file, io.BytesIO(path.read_bytes()),
                 opened, COLOUR, COLOUR / 255, COLOUR.astype(np.float32) / 255, torch.from_numpy(COLOUR)]  # fmt: skip
        for form in forms:
            np.testing.assert_array_equal(read_photo(form), COLOUR)
    for grey in (RAMP, RAMP[..., None], RAMP / 255):
        np.testing.assert_array_equal(read_photo(grey), np.dstack([RAMP] * 3))


def enormous(width, height):
    """A PNG file of a hundred bytes that says it has so many pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("width", [MOST_PIXELS // 1000 + 1, 60_000, 2_000_000])
def test_a_decompression_bomb_is_never_decoded(tmp_path, width):
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(enormous(width, 1000 if width > 60_000 else 60_000))
    with pytest.raises(DataError, match=r"bomb\.png has .*120,000,000 at most are decoded\.$"):
        read_photo(bomb)


@pytest.mark.filterwarnings("error")
def test_a_photo_below_the_limit_is_no_bomb_though_pillow_would_warn(tmp_path):
    """It is decoded: the file, which ends too soon, is found to."""
    large = tmp_path / "large.png"
    large.write_bytes(enormous(MOST_PIXELS // 1000, 1000))
    with pytest.raises(DataError, match="cannot be decoded as an image .*truncated"):
        read_photo(large)


def test_a_file_that_is_no_photo_is_named_in_one_sentence(tmp_path):
    whole = saved(tmp_path, "whole.jpg", Image.fromarray(COLOUR)).read_bytes()
    contents = {
        "cut.jpg": whole[: len(whole) // 2],
        "text.jpg": b"Dear diary",
        "empty.jpg": b"",
        "phone.heic": b"\x00\x00\x00\x18ftypheic" + bytes(80),
        "holed.png": enormous(40, 40),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"^{tmp_path / name} (is|cannot be) .*\\.$"):
            read_photo(tmp_path / name)
        with pytest.raises(DataError, match=r"^the photo (is|cannot be) [^\n]*\.$"):
            read_photo(content)
    with pytest.raises(DataError, match="is empty"):
        read_photo(tmp_path / "empty.jpg")
    with pytest.raises(DataError, match=r"missing\.jpg cannot be read \(No such file or directory\)"):
        read_photo(tmp_path / "missing.jpg")
    with pytest.raises(DataError, match=r"cannot be read \(Is a directory\)"):
        read_photo(tmp_path)
    closed = tmp_path / "loop.jpg"
    closed.symlink_to(closed)
    with pytest.raises(DataError, match=r"loop\.jpg cannot be read"):
        read_photo(closed)


def test_no_other_program_runs_what_a_photo_holds(tmp_path, monkeypatch):
    """EPS is a program in PostScript: whatever the file is called, and wrapped in IPTC, Ghostscript never sees it."""
    ghostscript, ran = tmp_path / "gs", tmp_path / "ran"
    ghostscript.write_text(f"#!/bin/sh\ntouch '{ran}'\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)  # as in a new process: not yet looked for
    program = saved(tmp_path, "holiday.jpg", Image.fromarray(COLOUR), format="EPS")
    wrapped = tmp_path / "wrapped.jpg"
    wrapped.write_bytes(in_iptc(program.read_bytes()))
    for photo in (program, wrapped):
        with pytest.raises(UnidentifiedImageError), Image.open(photo) as opened:
            opened.load()
        assert ran.exists(), "Pillow would have run it"
        ran.unlink()
    for photo, kind in ((program, "EPS"), (wrapped, "IPTC")):
        sentence = rf"{photo.name} is {kind}, which another program would have to run: save it as JPEG or PNG\.$"
        for read in (read_photo, read_image):
            with pytest.raises(DataError, match=sentence):
                read(photo)
        with pytest.raises(DataError, match=f"the photo is {kind}"):
            read_photo(photo.read_bytes())
        with pytest.raises(DataError, match=f"is {kind}"), Image.open(photo) as opened:
            read_photo(opened)
    assert not ran.exists()


def in_iptc(content):
    """A file in IPTC's form whose picture, said to be a JPEG, is something else."""
    fields = [((3, 20), b"\x00\x28"), ((3, 30), b"\x00\x3c"), ((3, 60), b"\x01\x00"), ((3, 120), b"\x05")]
    header = b"".join(b"\x1c" + bytes(tag) + struct.pack(">H", len(data)) + data for tag, data in fields)
    return header + b"\x1c\x08\x0a" + struct.pack(">H", len(content)) + content


def test_a_format_that_a_plug_in_brings_is_read(tmp_path):
    """As that of HEIF does, once it is registered."""

    class Raw(ImageFile.ImageFile):
        format = "TESTRAW"

        def _open(self):
            self._size, self._mode = (60, 40), "RGB"
            self.tile = [ImageFile._Tile("raw", (0, 0, *self._size), 7, ("RGB", 0, 1))]

    path = tmp_path / "phone.testraw"
    path.write_bytes(b"TESTRAW" + COLOUR.tobytes())
    with pytest.raises(DataError, match=r"is no image of a format that can be read, such as JPEG or PNG\.$"):
        read_photo(path)
    Image.register_open(Raw.format, Raw, lambda prefix: prefix.startswith(b"TESTRAW"))
    try:
        np.testing.assert_array_equal(read_photo(path), COLOUR)
    finally:
        del Image.OPEN[Raw.format]
        Image.ID.remove(Raw.format)


@pytest.mark.parametrize(
    ("photo", "problem"),
    [
        (None, "None is no photo"),
        (7, "a int is no photo"),
        (np.zeros((4, 5, 6), np.uint8), r"shape \(h, w\), \(h, w, 1\) or \(h, w, 3\), not \(4, 5, 6\)"),
        (np.zeros((0, 5, 3), np.uint8), "no pixels"),
        (np.zeros((5, 5), np.int64), "pixels of type int64"),
        (np.full((5, 5), 255.0), r"floats from 0 to 255: floats must lie in \[0, 1\]"),
        (np.full((5, 5), np.nan), "NaN or infinity"),
        (io.StringIO("text"), "opened as text"),
        (Image.fromarray(np.arange(4, dtype=np.int32).reshape(2, 2)), "32 bits, whose scale is not known"),
    ],
)
def test_what_is_no_photo_is_refused(photo, problem):
    with pytest.raises(DataError, match=problem):
        read_photo(photo)


def test_a_pipe_is_read_to_its_end(tmp_path):
    """As standard input is: a file that knows no way back."""
    read_end, write_end = os.pipe()
    path = saved(tmp_path, "small.png", Image.fromarray(COLOUR))
    os.write(write_end, Path(path).read_bytes())
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        np.testing.assert_array_equal(read_photo(pipe), COLOUR)
