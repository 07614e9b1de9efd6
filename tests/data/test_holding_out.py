"""A validation split for data that have none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferembed.auditing.copies.find import find_copies
from ferembed.data import DataError, FaceDataset, drawn_faces
from ferembed.data._holding_out import person_of


def plain(n=400, paths=None, splits=None, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.sort(rng.integers(0, classes, n))
    images = rng.integers(0, 256, (n, 8, 8), dtype=np.uint8)
    return FaceDataset(images, labels, tuple("abcd"[:classes]), splits=splits, paths=paths)


def test_each_class_gives_its_share_and_the_seed_decides_which():
    faces = plain(splits=["train"] * 350 + ["test"] * 50)
    held = faces.with_validation(0.2, seed=3)
    assert (held.splits == faces.splits)[held.splits != "validation"].all()
    for count, all_of in zip(
        held.split("validation").class_counts().values(), faces.split("train").class_counts().values(), strict=True
    ):
        assert abs(count - 0.2 * all_of) <= 1
    assert (held.splits == faces.with_validation(0.2, seed=3).splits).all()
    assert (held.splits != faces.with_validation(0.2, seed=4).splits).any()


@given(st.lists(st.integers(0, 3), min_size=2, max_size=30), st.floats(0.05, 0.9), st.integers(0, 5))
def test_no_class_loses_its_last_training_face(labels, share, seed):
    images = np.arange(len(labels), dtype=np.uint8)[:, None, None] * np.ones((8, 8), np.uint8)
    faces = FaceDataset(images, labels, tuple("abcd"))
    try:
        held = faces.with_validation(share, seed=seed)
    except DataError:
        assert max(faces.class_counts().values()) == 1
        return
    for count, all_of in zip(
        held.split("validation").class_counts().values(), faces.class_counts().values(), strict=True
    ):
        assert count < all_of or not all_of
        assert count >= 1 or all_of < 2


def test_copies_and_persons_stay_on_one_side():
    faces = plain(120)
    twice = faces.subset(np.repeat(np.arange(120), 2)).with_validation(0.3)
    assert (twice.splits[::2] == twice.splits[1::2]).all()
    persons = [f"S{row % 10:03d}" for row in range(120)]
    known = plain(120, paths=[f"folder/{person}_001_{row:08d}.png" for row, person in enumerate(persons)])
    held = known.with_validation(0.3)
    for person in set(persons):
        assert len(set(held.splits[np.array(persons) == person])) == 1
    assert set(held.splits) == {"train", "validation"}


def test_near_copies_that_an_audit_found_stay_on_one_side():
    faces = drawn_faces(280, seed=3)
    faces = FaceDataset(
        np.concatenate([faces.images, faces.images[:40, :, ::-1]]),
        np.concatenate([faces.labels, faces.labels[:40]]),
        faces.classes,
    )
    copies = find_copies(faces)
    assert sorted(copies.ids) == [*range(40), *range(280, 320)]
    for seed in range(3):
        splits = faces.with_validation(0.3, seed=seed, copies=copies).splits
        assert (splits[:40] == splits[280:]).all()
    alone = faces.with_validation(0.3).splits
    assert (alone[:40] != alone[280:]).any()


def test_a_chain_of_copies_and_persons_stays_together():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 8, 8), dtype=np.uint8)
    images[1] = images[2]  # KA's face is MK's, too: both persons are one chain
    names = ["KA.AN1.1.tiff", "KA.HA1.2.tiff", "MK.HA1.3.tiff", "MK.AN1.4.tiff"]
    faces = FaceDataset(images, [0, 1] * 20, ("a", "b"), paths=[*names, *(f"{row}.png" for row in range(36))])
    for seed in range(8):
        assert len(set(faces.with_validation(0.3, seed=seed).splits[:4])) == 1


def test_what_cannot_be_held_out_is_refused():
    with pytest.raises(DataError, match="has a validation split"):
        drawn_faces(70).with_validation(0.1)
    with pytest.raises(DataError, match=r"between 0 and 1, not be 1\.5"):
        plain().with_validation(1.5)
    with pytest.raises(DataError, match="too few"):
        plain(1).with_validation(0.5)
    with pytest.raises(DataError, match=r"no split 'validation'.*with_validation\(0\.1\), or --validation 0\.1"):
        plain().split("validation")


def test_names_tell_persons():
    assert person_of("Rafd090_01_Caucasian_female_angry_frontal.jpg") == person_of(
        "Rafd045_01_Caucasian_female_sad.jpg"
    )
    assert person_of("AF01ANS.JPG") == person_of("BF01HAHL.JPG") != person_of("AM01ANS.JPG")
    assert person_of("train_00001_aligned.jpg") is person_of("Training_10118481.jpg") is None
