"""Copies are found however they were made, nothing else is, and what is found can be taken out."""

import io

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from sklearn.datasets import load_sample_images

from ferembed.auditing import find_copies
from ferembed.auditing.copies import candidates
from ferembed.auditing.copies import find as copies_module
from ferembed.auditing.copies._alignment import align
from ferembed.auditing.copies.candidates import Candidates, best_of_each_pair, find_candidates, index_signatures
from ferembed.auditing.copies.find import DETAIL, least_detail
from ferembed.auditing.copies.views import MIDDLE, VIEWS, Poses, canvas, signatures, views
from ferembed.auditing.stages import Stages
from ferembed.data import FaceDataset, drawn_faces

DRAWN = drawn_faces(700, seed=3)
FACES = FaceDataset(DRAWN.images, DRAWN.labels, DRAWN.classes)


def moved(image, scale=1.0, across=0.0, down=0.0, mirror=False):
    """``image`` scaled about its middle and then shifted, its border going on outside."""
    wide = Image.fromarray(np.pad(image[:, ::-1] if mirror else image, 24, mode="edge"))
    offsets = [48 - 24 / scale - across, 48 - 24 / scale - down]
    matrix = (1 / scale, 0, offsets[0], 0, 1 / scale, offsets[1])
    return np.asarray(wide.transform((48, 48), Image.Transform.AFFINE, matrix, Image.Resampling.BICUBIC))


def compressed(image, quality=50):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def lit(image, gain=0.85, offset=25):
    return (image * gain + offset).clip(0, 255).astype(np.uint8)


CHANGES = {
    "shifted": lambda image: moved(image, across=5, down=-6),
    "larger": lambda image: moved(image, scale=1.15),
    "smaller": lambda image: moved(image, scale=0.86),
    "mirrored": lambda image: image[:, ::-1],
    "compressed": compressed,
    "lit": lit,
    "all": lambda image: compressed(lit(moved(image, 1.1, 4, 3, mirror=True)), 70),
}


def with_extra(images, splits=None, labels=None):
    n = len(images)
    return FaceDataset(
        np.concatenate([FACES.images, images]),
        np.concatenate([FACES.labels, FACES.labels[:n] if labels is None else labels]),
        FACES.classes,
        splits=np.concatenate([np.full(len(FACES), "train"), np.full(n, "test") if splits is None else splits]),
    )


@pytest.mark.parametrize("change", CHANGES)
def test_copies_are_found_and_nothing_else(change):
    pictures = np.stack([CHANGES[change](image) for image in FACES.images[:40]])
    copies = find_copies(with_extra(pictures))
    made = {(row, 700 + row) for row in range(40)}
    found = {tuple(sorted(copies.ids[rows].tolist())) for rows in copies.members()}
    assert len(made & found) >= 38
    assert not found - made


def test_drawings_of_two_persons_are_no_copies_however_many_there_are():
    """Drawn faces have no skin: the most alike share more than two portraits of FER2013 do."""
    assert not len(find_copies(drawn_faces(2000, seed=2)))


def test_tiles_of_a_photograph_are_no_copies_and_moved_tiles_are():
    pictures = [np.asarray(Image.fromarray(picture).convert("L")) for picture in load_sample_images().images]
    tiles = [
        p[top : top + 48, left : left + 48] for p in pictures for top in range(0, 379, 48) for left in range(0, 592, 48)
    ]
    originals = np.stack(tiles)
    rich = np.argsort(-originals.std(axis=(1, 2)), kind="stable")[:100]
    made = np.stack([lit(moved(originals[row], 1.05, 2, -3)) for row in rich])
    images = np.concatenate([originals, made])
    copies = find_copies(FaceDataset(images, np.zeros(len(images), int), ("tile",)))
    shown = np.concatenate([np.arange(len(tiles)), rich])[copies.pairs]
    assert (shown[:, 0] == shown[:, 1]).mean() >= 0.98
    assert len(shown) >= 60


@settings(max_examples=50)
@example([0.6, 0.66], [0.67])
@given(
    arrays(np.float64, st.integers(0, 200), elements=st.floats(-0.5, 0.66)),
    arrays(np.float64, st.integers(1, 50), elements=st.floats(0.67, 1)),
)
def test_more_look_alikes_ask_for_more_and_more_copies_for_less(lookalikes, promising):
    least = least_detail(lookalikes, promising)
    assert least == DETAIL or least in promising or least == np.inf
    assert least_detail(lookalikes, np.append(promising, 1.0)) <= least
    assert least_detail(np.tile(lookalikes, 2), promising) >= least


def test_the_pose_of_a_copy_is_told():
    copies = find_copies(with_extra(np.stack([moved(image, 1.1, 4, -3) for image in FACES.images[:20]])))
    forward = copies.pairs[:, 1] >= 700
    scale = np.where(forward[:, None], copies.scales, 1 / copies.scales)
    np.testing.assert_allclose(scale, 1 / 1.1, atol=0.02)
    shift = np.where(forward[:, None], copies.shifts, -copies.shifts * scale)
    np.testing.assert_allclose(shift, np.tile([3 / 1.1, -4 / 1.1], (len(shift), 1)), atol=0.5)


def test_views_are_signatures_of_moved_pictures():
    pictures = canvas(FACES.images[:30])
    view = int(np.flatnonzero((VIEWS.centre == MIDDLE + np.array([2, -4])).all(axis=1) & (VIEWS.scale[:, 1] < 0))[0])
    grid = np.arange(48) - MIDDLE
    rows = MIDDLE + 2 + VIEWS.scale[view, 0] * grid
    columns = MIDDLE - 4 + VIEWS.scale[view, 1] * grid
    read = [np.maximum(0, 1 - np.abs(np.clip(places, 0, 47)[:, None] - np.arange(48))) for places in (rows, columns)]
    by_hand = signatures((read[0] @ pictures @ read[1].T).astype(np.float32))
    assert (by_hand * views(pictures)[:, view]).sum(axis=1).min() > 0.98


def test_alignment_finds_the_best_shift_of_all():
    first = canvas(FACES.images[:10])
    second = canvas(np.stack([moved(image, across=2, down=1) for image in FACES.images[:10]]))
    found = align(first, second, Poses(np.full((10, 2), MIDDLE, np.float32), np.ones((10, 2), np.float32)))

    def correlation(picture, other, down, across):
        inside = picture[8 - down : 40 - down, 8 - across : 40 - across]
        return np.corrcoef(inside.ravel(), other[8:40, 8:40].ravel())[0, 1]

    shifts = [(down, across) for down in range(-4, 5) for across in range(-4, 5)]
    for place in range(10):
        best = max(shifts, key=lambda shift: correlation(first[place], second[place], *shift))
        np.testing.assert_allclose(MIDDLE - found.poses.centre[place], best, atol=0.3)
    assert found.detail.min() > 0.8


def test_identical_pictures_form_groups_with_their_labels():
    labels = (FACES.labels[:3] + np.array([0, 1, 0])) % 7
    faces = with_extra(FACES.images[:3], labels=labels)
    copies = find_copies(faces)
    assert [sorted(copies.ids[rows].tolist()) for rows in copies.members()] == [[0, 700], [1, 701], [2, 702]]
    assert copies.disagreeing.tolist() == [1]
    assert copies.counts()["groups_with_identical_pixels"] == 3
    assert not len(copies.pairs)


def test_the_later_split_stays_whole():
    faces = with_extra(
        np.concatenate([FACES.images[:2], FACES.images[:1], FACES.images[5:6]]),
        splits=["validation", "validation", "test", "train"],
        labels=FACES.labels[[0, 1, 0, 5]],
    )
    copies = find_copies(faces)
    assert sorted(copies.leaking.tolist()) == [0, 1, 700]
    assert sorted(copies.redundant.tolist()) == [0, 1, 700, 703]
    assert set(faces.without(copies).ids) == set(range(704)) - {0, 1, 700, 703}
    for clean in (faces.clean_split(copies), faces.clean_split()):
        assert set(clean.ids) == set(range(704)) - {0, 1, 700}
    picked = faces.without(range(650))
    assert 703 not in picked.without(copies).ids
    assert len(picked.without(copies)) == 52


def test_blank_pictures_are_copies_of_identical_ones_only():
    blank = np.stack([np.full((48, 48), value, np.uint8) for value in (0, 0, 9)])
    copies = find_copies(with_extra(blank))
    assert [copies.ids[rows].tolist() for rows in copies.members()] == [[700, 701]]


def test_other_sizes_and_colours():
    large = np.stack([np.asarray(Image.fromarray(image).resize((120, 100))) for image in FACES.images[:60]])
    colour = np.repeat(np.concatenate([large, large[:5, :, ::-1]])[..., None], 3, axis=3)
    faces = FaceDataset(colour, np.zeros(65, np.int64), ("face",))
    assert find_copies(faces).redundant.tolist() == [60, 61, 62, 63, 64]


def test_an_interrupted_search_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(copies_module, "_BLOCK", 128)
    faces = with_extra(FACES.images[:4, :, ::-1])
    search, searched = copies_module.find_candidates, []

    def killed(data, rows, index):
        if len(searched) == 3:
            raise KeyboardInterrupt
        searched.append(rows[0])
        return search(data, rows, index)

    monkeypatch.setattr(copies_module, "find_candidates", killed)
    with pytest.raises(KeyboardInterrupt):
        find_copies(faces, Stages(tmp_path, "key"))
    monkeypatch.setattr(copies_module, "find_candidates", lambda *a: searched.append(a[1][0]) or search(*a))
    copies = find_copies(faces, Stages(tmp_path, "key"))
    assert len(searched) == len(set(searched)) == 6
    np.testing.assert_array_equal(copies.ids, find_copies(faces).ids)
    before = len(searched)
    np.testing.assert_array_equal(find_copies(faces, Stages(tmp_path, "key")).pairs, copies.pairs)
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["copies.safetensors"]
    find_copies(faces, Stages(tmp_path, "another key"))
    assert len(searched) == before + 6


def test_an_alignment_that_was_cut_off_needs_no_index(tmp_path, monkeypatch):
    monkeypatch.setattr(copies_module, "_BLOCK", 128)
    faces = with_extra(FACES.images[:4, :, ::-1])
    whole = find_copies(faces)
    aligned, lay = [], copies_module._laid_over

    def killed(data, found):
        if len(aligned) == 2:
            raise KeyboardInterrupt
        aligned.append(len(found.pairs))
        return lay(data, found)

    monkeypatch.setattr(copies_module, "_laid_over", killed)
    with pytest.raises(KeyboardInterrupt):
        find_copies(faces, Stages(tmp_path, "key"))
    monkeypatch.setattr(copies_module, "_laid_over", lay)
    monkeypatch.setattr(copies_module, "index_signatures", lambda *_: pytest.fail("the search was over"))
    again = find_copies(faces, Stages(tmp_path, "key"))
    np.testing.assert_array_equal(again.pairs, whole.pairs)
    np.testing.assert_array_equal(again.groups, whole.groups)


def test_a_picture_is_compared_with_its_closest_alone(monkeypatch):
    """However many are alike: else pairs, and memory with them, would grow as the square of the data."""
    noise = np.random.default_rng(0).normal(size=(20, 48, 48)) * np.arange(1, 21)[:, None, None]
    alike = (FACES.images[0] + noise).clip(0, 255).astype(np.uint8)
    faces = with_extra(alike)
    rows = np.arange(len(faces))
    index = index_signatures(faces, rows)
    everything = find_candidates(faces, rows[:1], index)
    monkeypatch.setattr(candidates, "CLOSEST", 3)
    few = find_candidates(faces, rows[:1], index)
    assert len(everything.pairs) > 5
    assert len(few.pairs) == 3
    assert sorted(few.likeness) == sorted(everything.likeness)[-3:]


@given(noise=st.lists(st.floats(-1e-5, 1e-5), min_size=4, max_size=4), order=st.permutations(range(4)))
def test_the_last_digits_do_not_decide_which_picture_is_sought_in_which(noise, order):
    hits = Candidates(
        np.array([[7, 3], [3, 7], [3, 7], [9, 3]]),
        np.array([0, 5, 2, 4], np.int16),
        np.array([0.9, 0.9, 0.9, 0.95], np.float32) + np.array(noise, np.float32),
    )
    best = best_of_each_pair([hits.at(np.array([place])) for place in order])
    assert best.pairs.tolist() == [[3, 7], [9, 3]]
    assert best.view.tolist() == [2, 4]
    clearly = hits._replace(likeness=hits.likeness + np.array([1e-3, 0, 0, 0], np.float32))
    assert best_of_each_pair([clearly]).pairs.tolist() == [[7, 3], [9, 3]]


def test_no_faces_and_one_face():
    for n in (0, 1):
        assert not len(find_copies(FACES.subset(range(n))))


def test_fer2013_has_the_copies_it_is_known_for(fer2013_csv):
    from ferembed import load_fer2013
    from ferembed.data.known import copy_groups, near_copies

    faces = load_fer2013(fer2013_csv, cache=False)
    train, held = faces.split("train"), faces.split("validation")
    same = np.isin(held.pixel_hashes, train.pixel_hashes)
    near = near_copies(held.hashes, train.hashes)
    assert same.sum() == 280
    assert (same | near).sum() == 1044
    assert len(faces.clean_split().split("validation")) == len(held)
    listed = copy_groups(faces.hashes)
    rows = np.flatnonzero(np.isin(listed, np.unique(listed[listed >= 0])[:60]))
    part = faces.subset(np.union1d(rows, np.arange(600)))
    copies = find_copies(part)
    group_of = dict(zip(copies.ids.tolist(), copies.groups.tolist(), strict=True))
    kept = [group_of.get(number, -1) for number in faces.ids[rows].tolist()]
    together = [
        len({g for g, k in zip(kept, listed[rows], strict=True) if k == group}) == 1 for group in set(listed[rows])
    ]
    assert np.mean(together) >= 0.95
