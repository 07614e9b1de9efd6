from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferembed.data import VOTE_MODES, DataError, ferplus_labels, load_fer2013, vote_distributions
from ferembed.labels import FERPLUS_CLASSES

UNKNOWN = 8  # the first of the two answers that name no emotion


def naive(counts: list[int], mode: str) -> list[float]:
    """One row, step by step, as the paper and its published reader go about it."""
    votes = [count if count > 1 else 0 for count in counts]
    total, chosen = sum(votes), {}
    if mode == "majority":
        best = max(range(10), key=lambda i: votes[i])
        if votes[best] > total / 2:
            chosen = {best: votes[best]}
    elif mode == "multi_target":
        chosen = {i: v for i, v in enumerate(votes) if v > 0 and v / total >= 0.3}
        if sum(chosen.values()) <= total / 2:
            chosen = {}
        if chosen and max(chosen, key=lambda i: (chosen[i], -i)) >= UNKNOWN:
            chosen = {}
        chosen = dict.fromkeys(chosen, 1)
    else:
        left = dict(enumerate(votes))
        while sum(chosen.values()) < 0.75 * total and len(chosen) < 3:
            peak = max(left.values())
            tied = [i for i in sorted(left) if left[i] == peak]
            for i in tied:
                if i < UNKNOWN:
                    chosen[i] = left.pop(i)
            if tied[-1] >= UNKNOWN:
                break
        if sum(chosen.values()) <= total / 2 or len(chosen) > 3:
            chosen = {}
    weights = [float(chosen.get(i, 0)) for i in range(UNKNOWN)]
    return [w / sum(weights) for w in weights] if sum(weights) else weights


def deal(answers: list[int]) -> list[int]:
    return np.bincount(answers, minlength=10).tolist()


# ten people's answers, drawn from few of the ten columns so that ties and near ties are frequent
opinions = st.lists(st.integers(0, 9), min_size=1, max_size=5).flatmap(
    lambda columns: st.lists(st.sampled_from(columns), min_size=0, max_size=14).map(deal)
)


@pytest.mark.parametrize("mode", VOTE_MODES)
@settings(max_examples=150)
@given(rows=st.lists(opinions, min_size=1, max_size=30))
def test_modes_agree_with_the_rules_row_by_row(mode, rows):
    expected = np.array([naive(row, mode) for row in rows])
    np.testing.assert_allclose(vote_distributions(rows, mode), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("counts", "mode", "expected"),
    [
        ([0, 9, 1, 0, 0, 0, 0, 0, 0, 0], "probability", {"happy": 1.0}),  # the single vote is an outlier
        ([6, 0, 0, 4, 0, 0, 0, 0, 0, 0], "probability", {"neutral": 0.6, "sad": 0.4}),
        ([8, 0, 0, 2, 0, 0, 0, 0, 0, 0], "probability", {"neutral": 1.0}),  # three quarters are enough
        ([2, 2, 2, 2, 2, 0, 0, 0, 0, 0], "probability", {}),  # more than three emotions
        ([3, 0, 0, 0, 0, 0, 0, 0, 7, 0], "probability", {}),  # unknown leads
        ([5, 0, 0, 0, 0, 0, 0, 0, 0, 5], "probability", {}),  # only half of the votes
        ([6, 0, 0, 0, 0, 0, 0, 0, 4, 0], "probability", {"neutral": 1.0}),
        ([6, 4, 0, 0, 0, 0, 0, 0, 0, 0], "majority", {"neutral": 1.0}),
        ([5, 5, 0, 0, 0, 0, 0, 0, 0, 0], "majority", {}),
        ([6, 3, 0, 0, 0, 0, 0, 0, 0, 0], "multi_target", {"neutral": 0.5, "happy": 0.5}),
        ([7, 2, 0, 0, 0, 0, 0, 0, 0, 0], "multi_target", {"neutral": 1.0}),
        ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], "multi_target", {}),
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 10], "majority", {}),
    ],
)
def test_known_answers(counts, mode, expected):
    row = vote_distributions([counts], mode)[0]
    assert {name: pytest.approx(p) for name, p in zip(FERPLUS_CLASSES, row, strict=True) if p} == expected


def test_wrong_arguments():
    with pytest.raises(ValueError, match=r"\(n, 10\)"):
        vote_distributions(np.zeros((2, 8)))
    with pytest.raises(ValueError, match="vote_mode must be one of"):
        vote_distributions(np.zeros((2, 10)), "average")


PIXELS = " ".join(["7"] * 2304)
HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def write(
    folder: Path, usages: list[str], vote_usages: list[str], cells: str = "0,0,0,0,8,2,0,0,0,0"
) -> tuple[Path, Path]:
    faces, votes = folder / "fer2013.csv", folder / "fer2013new.csv"
    faces.write_text("\n".join(["emotion,pixels,Usage", *(f"4,{PIXELS},{usage}" for usage in usages)]))
    rows = [f"{usage},fer{i}.png,{cells}" for i, usage in enumerate(vote_usages)]
    rows[0] = f"{vote_usages[0]},,0,0,0,0,0,0,0,0,0,10"
    votes.write_text("\n".join([HEADER, *rows]))
    return faces, votes


def test_votes_stand_beside_their_rows(tmp_path):
    usages = ["Training", "Training", "PublicTest"]
    faces = load_fer2013(*write(tmp_path, usages, [*usages, "PrivateTest"]))
    assert faces.vote_classes == FERPLUS_CLASSES
    assert faces.votes.tolist() == [[0.0] * 8, *[[0, 0, 0, 0, 1, 0, 0, 0]] * 2]
    relabelled = ferplus_labels(faces)
    assert relabelled.ids.tolist() == [1, 2]
    assert relabelled.classes == FERPLUS_CLASSES
    assert relabelled.class_counts()["angry"] == 2


def test_whole_splits_alone_are_aligned_too(tmp_path):
    votes = ["Training", "Training", "PrivateTest"]
    faces = load_fer2013(*write(tmp_path, ["PrivateTest"], votes))
    assert faces.votes.argmax(axis=1).tolist() == [FERPLUS_CLASSES.index("angry")]


def test_files_that_do_not_align_are_refused(tmp_path):
    usages = ["Training", "Training", "PublicTest"]
    with pytest.raises(DataError, match=r"has 2 rows of Training and .* has 3"):
        load_fer2013(*write(tmp_path, usages, ["Training", *usages]))
    with pytest.raises(DataError, match=r"fer2013new.csv, row 3, column 'Usage': PublicTest stands beside"):
        load_fer2013(*write(tmp_path, usages, ["Training", "PublicTest", "Training"]))


@pytest.mark.parametrize("bad", ["-1", "2.5", "", "many"])
def test_a_bad_count_is_named(tmp_path, bad):
    with pytest.raises(DataError, match=r"fer2013new.csv, row 3, column 'happiness': .* not a number of votes"):
        load_fer2013(*write(tmp_path, ["Training"] * 2, ["Training"] * 2, cells=f"1,{bad},0,0,8,0,0,0,0,0"))


def test_a_missing_vote_column_is_named(tmp_path):
    faces, votes = write(tmp_path, ["Training"], ["Training"])
    votes.write_text(votes.read_text().replace("contempt", "scorn"))
    with pytest.raises(DataError, match="lacks the column 'contempt'"):
        load_fer2013(faces, votes)


def test_a_data_set_without_votes_cannot_be_relabelled(drawn):
    with pytest.raises(DataError, match="has no votes"):
        ferplus_labels(drawn)


def test_real_votes(fer2013_csv):
    import csv

    votes = fer2013_csv.with_name("fer2013new.csv")
    with open(votes, newline="") as file:
        rows = [[int(cell) for cell in row[2:]] for row in list(csv.reader(file))[1:32299]]
    for mode in VOTE_MODES:
        faces = load_fer2013(fer2013_csv, votes, vote_mode=mode)
        np.testing.assert_allclose(faces.votes, [naive(row, mode) for row in rows], atol=1e-6)
    blank = faces.subset(faces.blank)
    assert not blank.votes.any()  # nobody saw an emotion in an image without a face
    usable = faces.votes.any(axis=1)
    by_vote = np.array(faces.vote_classes)[faces.votes.argmax(axis=1)]
    by_label = np.array(faces.classes)[faces.labels]
    aligned = np.mean((by_vote == by_label)[usable])
    shifted = np.mean((np.roll(by_vote, 1) == by_label)[np.roll(usable, 1)])
    assert aligned > 2 * shifted  # each row of votes belongs to its face, not to the next one's
    assert len(ferplus_labels(faces)) == usable.sum()
