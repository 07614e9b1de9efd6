"""Numbers that stay with their faces."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ferembed.video import Smoother, Tracker
from ferembed.video.tracking import intersection_over_union


def box_at(x, y=50.0, side=60.0):
    return [x, y, x + side, y + side]


def test_two_faces_that_cross_keep_their_numbers():
    """One goes right and one left, through each other; boxes come in the order of their left edge and tremble."""
    tracker, rng = Tracker(), np.random.default_rng(0)
    for place in range(100):
        paths = [20 + 4 * place, 420 - 4 * place]
        boxes = np.array([box_at(x) for x in paths]) + rng.normal(0, 1, (2, 4))
        order = np.argsort(paths, kind="stable")
        numbers = tracker.update(boxes[order], place / 30)
        assert [numbers[list(order).index(face)] for face in (0, 1)] == [1, 2]


def test_faces_that_cross_and_hide_each_other_keep_their_numbers():
    """While they overlap by more than half, the detector sees one of them."""
    tracker = Tracker()
    for place in range(100):
        paths = [20 + 4 * place, 420 - 4 * place]
        if abs(paths[0] - paths[1]) < 30:
            tracker.update([box_at(paths[place % 2])], place / 30)
        else:
            assert tracker.update([box_at(x) for x in paths], place / 30) == [1, 2]


def test_a_face_that_was_lost_comes_back_under_its_number_unless_it_took_too_long():
    tracker = Tracker(lost=1.0)
    assert tracker.update([box_at(10), box_at(300)], 0.0) == [1, 2]
    for time in np.arange(0.1, 1.0, 0.1):
        assert tracker.update([box_at(10)], time) == [1]
    assert tracker.update([box_at(305), box_at(10)], 1.0) == [2, 1]
    assert tracker.update([box_at(10)], 2.0) == [1]
    assert tracker.update([box_at(10), box_at(305)], 2.2) == [1, 3]
    assert sorted(tracker.numbers) == [1, 3]


def test_a_moving_face_is_expected_where_its_way_leads():
    tracker = Tracker()
    for place in range(20):
        tracker.update([box_at(10 + 5 * place)], place / 30)
    assert tracker.update([box_at(10 + 5 * 30)], 30 / 30) == [1]  # it has gone on for a third of a second unseen
    still = Tracker()
    still.update([box_at(10)], 0.0)
    assert still.update([box_at(65)], 0.3) == [2]


@given(st.permutations(range(6)), st.permutations(range(6)))
def test_the_order_of_boxes_does_not_matter(first, second):
    tracker = Tracker()
    places = np.arange(6) * 100.0
    before = tracker.update([box_at(places[each]) for each in first], 0.0)
    after = tracker.update([box_at(places[each] + 5) for each in second], 0.04)
    assert dict(zip(first, before, strict=True)) == dict(zip(second, after, strict=True))


@given(st.lists(st.lists(st.integers(0, 400), max_size=4, unique=True), max_size=30), st.sampled_from([0.0, 0.1, 1.0]))
def test_in_one_frame_no_number_stands_twice_and_new_numbers_are_the_next(frames, lost):
    tracker, highest = Tracker(lost), 0
    for place, corners in enumerate(frames):
        numbers = tracker.update([box_at(x) for x in corners], place / 25)
        assert len(set(numbers)) == len(numbers)
        fresh = sorted(number for number in numbers if number > highest)
        assert fresh == list(range(highest + 1, highest + 1 + len(fresh)))
        highest += len(fresh)


@given(st.lists(st.tuples(*[st.integers(0, 12)] * 4), min_size=1, max_size=5))
def test_intersection_over_union_counts_pixels(corners):
    boxes = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in corners]
    masks = np.zeros((len(boxes), 12, 12), bool)
    for mask, (left, upper, right, lower) in zip(masks, boxes, strict=True):
        mask[upper:lower, left:right] = True
    naive = [[(one & other).sum() / max((one | other).sum(), 1) for other in masks] for one in masks]
    array = np.array(boxes, float)
    assert np.allclose(intersection_over_union(array, array), naive)


def random_rows(times, seed=0):
    return np.random.default_rng(seed).dirichlet(np.ones(4), len(times))


@given(st.lists(st.floats(0.01, 2.0), min_size=2, max_size=20), st.floats(0.05, 3.0))
def test_smoothing_is_a_weighted_mean_of_all_that_was_seen(gaps, constant):
    """Each look counts for the time since the one before, faded by the time that has passed since it."""
    times = np.cumsum(gaps)
    rows, smoother = random_rows(times), Smoother(constant)
    smoothed = [smoother.update(7, row, time) for row, time in zip(rows, times, strict=True)]
    for last in range(len(times)):
        starts = np.r_[-np.inf, times[:last]]
        weights = np.exp((times[: last + 1] - times[last]) / constant) - np.exp((starts - times[last]) / constant)
        assert np.allclose(smoothed[last], weights @ rows[: last + 1])
        assert np.isclose(smoothed[last].sum(), 1)


def test_smoothing_does_not_depend_on_the_frame_rate():
    def after_a_second(rate):
        smoother = Smoother(0.5)
        smoother.update(1, np.array([1.0, 0.0]), 0.0)
        return [smoother.update(1, np.array([0.0, 1.0]), place / rate) for place in range(1, rate + 1)][-1]

    assert np.allclose(after_a_second(10), after_a_second(60))


def test_each_face_is_smoothed_alone_and_no_seconds_smooth_nothing():
    smoother, rows = Smoother(1.0), random_rows(range(3))
    smoother.update(1, rows[0], 0.0)
    assert (smoother.update(2, rows[1], 0.1) == rows[1]).all()
    smoother.keep([2])
    assert (smoother.update(1, rows[2], 0.2) == rows[2]).all()
    raw = Smoother(0)
    assert all((raw.update(1, row, time) == row).all() for time, row in enumerate(rows))
