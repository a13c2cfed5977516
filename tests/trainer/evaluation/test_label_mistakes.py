from __future__ import annotations

import numpy as np
import pytest

from trainer.evaluation.label_mistakes import find_label_mistakes


def clusters(count, classes, seed):
    random = np.random.default_rng(seed)
    targets = np.arange(count) % classes
    centres = np.random.default_rng(9).normal(size=(classes, 30))
    return centres[targets] + random.normal(0, 0.5, (count, 30)), targets


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("share", [0.03, 0.1])
def test_most_flipped_labels_are_among_the_first_that_are_named(classes, share):
    features, right = clusters(400, classes, 1)
    flipped = np.random.default_rng(2).choice(400, int(share * 400), replace=False)
    wrong = right.copy()
    wrong[flipped] = (right[flipped] + 1) % classes
    found = find_label_mistakes(features, wrong)
    first = [one.row for one in found[: int(1.5 * len(flipped))]]
    assert len(set(first) & set(flipped.tolist())) >= 0.8 * len(flipped)
    by_row = {one.row: one for one in found}
    assert all(by_row[row].suggested == right[row] for row in set(first) & set(flipped.tolist()))
    assert all(one.probability > one.own_probability for one in found)


def test_right_labels_of_separate_classes_are_not_named():
    assert find_label_mistakes(*clusters(200, 3, 1)) == []


@pytest.mark.parametrize("targets", [[0], [0, 0, 0], [0, 1], [0, 0, 1]])
def test_too_few_photographs_or_classes_name_nothing(targets):
    features = np.random.default_rng(0).normal(size=(len(targets), 8))
    assert find_label_mistakes(features, np.array(targets)) == []


def test_a_class_of_one_photograph_is_not_checked():
    features, targets = clusters(60, 2, 1)
    targets = targets.copy()
    targets[7] = 5
    assert all(one.row != 7 for one in find_label_mistakes(features, targets))
