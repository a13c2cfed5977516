"""Batches whose order follows from seed and epoch."""

from itertools import islice

import numpy as np
import pytest

from trainer.images.augment import STANDARD
from trainer.images.batches import plain_batches, steps, training_batches

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 8, 9, 3), np.uint8)
PIXELS[:, 0, 0, 0] = np.arange(12)  # so that a row can be told from its pixels
ROWS = np.array([1, 3, 4, 6, 7, 9, 11])
TARGETS = np.array([0, 1, 0, 1, 0, 1, 0])


def batches(epochs, **options):
    made = training_batches(PIXELS, ROWS, TARGETS, **{"batch_size": 3, "seed": 5, **options})
    return [(inputs.numpy(), targets.numpy()) for inputs, targets in islice(made, epochs * 3)]


def order(epochs, **options):
    return [row for inputs, _ in batches(epochs, **options) for row in inputs[:, 0, 0, 0].astype(int)]


def test_an_epoch_holds_each_row_once_with_its_target():
    rows = order(1)
    assert sorted(rows) == ROWS.tolist()
    by_row = dict(zip(ROWS, TARGETS, strict=True))
    targets = [target for _, chosen in batches(1) for target in chosen]
    assert targets == [by_row[row] for row in rows]


def test_no_autotuning_thread_is_waited_for_at_the_end():
    array, rows = np.zeros((4, 2), np.float32), np.arange(4)
    for batches in (
        training_batches(array, rows, rows, batch_size=2, seed=0),
        plain_batches(array, rows, rows, batch_size=2),
    ):
        assert batches.options().autotune.enabled is False


def test_epochs_follow_each_other_in_different_orders():
    rows = order(2)
    assert sorted(rows[7:]) == ROWS.tolist()
    assert rows[:7] != rows[7:]


def test_a_later_epoch_can_be_started_at():
    whole, resumed = batches(3, augmented=STANDARD), batches(1, augmented=STANDARD, first_epoch=2)
    for (inputs, targets), (again, targets_again) in zip(whole[6:], resumed, strict=True):
        np.testing.assert_array_equal(inputs, again)
        np.testing.assert_array_equal(targets, targets_again)


def test_another_seed_gives_another_order():
    assert order(1, seed=5) != order(1, seed=6)


def test_unaugmented_pixels_come_unchanged_as_float32():
    inputs, _ = batches(1)[0]
    assert inputs.dtype == np.float32
    np.testing.assert_array_equal(inputs, PIXELS[inputs[:, 0, 0, 0].astype(int)])


def test_augmented_pixels_differ_between_epochs():
    pixels = np.repeat(PIXELS[:1], 1, axis=0)
    made = training_batches(pixels, np.array([0]), np.array([1]), batch_size=1, seed=0, augmented=STANDARD)
    (first, _), (second, _) = islice(made, 2)
    assert not np.array_equal(first.numpy(), second.numpy())


def test_mixup_blends_inputs_and_targets_by_one_share_and_repeats():
    wanted = np.eye(2, dtype=np.float32)[TARGETS]
    made, again = (
        list(islice(training_batches(PIXELS, ROWS, wanted, batch_size=7, seed=1, mixup=0.4), 1)) for _ in range(2)
    )
    (mixed, targets), (mixed_again, _) = made[0], again[0]
    np.testing.assert_array_equal(mixed, mixed_again)
    np.testing.assert_allclose(targets.numpy().sum(axis=1), 1, atol=1e-6)
    (plain, hard), *_ = islice(training_batches(PIXELS, ROWS, wanted, batch_size=7, seed=1), 1)
    share = (mixed[0, 0, 0, 1] - plain[-1, 0, 0, 1]) / (plain[0, 0, 0, 1] - plain[-1, 0, 0, 1])
    np.testing.assert_allclose(mixed, share * plain + (1 - share) * plain[::-1], atol=0.05)
    np.testing.assert_allclose(targets, share * hard + (1 - share) * hard[::-1], atol=1e-3)


def test_plain_batches_keep_the_order():
    made = list(plain_batches(PIXELS, ROWS, TARGETS, batch_size=4))
    assert [len(targets) for _, targets in made] == [4, 3]
    np.testing.assert_array_equal(np.concatenate([inputs for inputs, _ in made]), PIXELS[ROWS])
    np.testing.assert_array_equal(np.concatenate([targets for _, targets in made]), TARGETS)


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (3, 1), (4, 2), (7, 3)])
def test_steps_count_the_smaller_last_batch(count, expected):
    assert steps(count, 3) == expected
