"""A list of labels in the wrong order is recognized by the classes that a model finds."""

from pathlib import Path

import numpy as np
import pytest

from export.errors import ExportError
from export.sources.label_order import check_accuracy, order_problem
from export.sources.reading_search import Better

LABELS = ("owl", "ant", "cat", "bee", "dog", "elk")
TRUTH = np.repeat(np.arange(6), 10)
MODEL = Path("model.tflite")


def noisy(predicted, share=0.1):
    rng = np.random.default_rng(0)
    return np.where(rng.random(len(predicted)) < share, rng.integers(0, 6, len(predicted)), predicted)


@pytest.mark.parametrize(
    ("predicted", "message"),
    [
        (TRUTH + 1, "shifted by one .a first label, such as background, is missing.*instead of"),
        (TRUTH - 1, "shifted by one .the first label is not an output"),
        (np.argsort(np.argsort(LABELS))[TRUTH], "outputs are in alphabetical order"),
        (np.array([3, 0, 5, 1, 2, 4])[TRUTH], "images of 'owl' as 'bee', 'ant' as 'owl', 'cat' as 'elk'"),
        (np.array([0, 1, 4, 3, 2, 5])[TRUTH], "images of 'cat' as 'dog', 'dog' as 'cat'"),
    ],
    ids=["background missing", "one too many", "alphabetical", "any order", "two exchanged"],
)
def test_a_wrong_order_is_an_error_that_names_it(predicted, message):
    with pytest.raises(ExportError, match=rf"model.tflite: its accuracy.*{message}.*--accept-chance"):
        check_accuracy(noisy(predicted), TRUTH, LABELS, MODEL)


def test_a_right_order_is_no_problem_also_for_a_weak_model():
    assert check_accuracy(noisy(TRUTH), TRUTH, LABELS, MODEL) == []
    assert order_problem(noisy(TRUTH, 0.8), TRUTH, LABELS)[0] is None


def test_an_accuracy_near_chance_is_an_error_unless_it_is_accepted():
    predicted = np.full(60, 2)
    with pytest.raises(ExportError, match=r"accuracy of 16\.7% on 60 images is near chance: x is better"):
        check_accuracy(predicted, TRUTH, LABELS, MODEL, better=[Better("x is better", 0.9)])
    (warning,) = check_accuracy(predicted, TRUTH, LABELS, MODEL, accept_chance=True)
    assert "near chance" in warning


def test_a_few_images_that_are_right_are_not_near_chance():
    truth = np.array([0, 1])
    assert check_accuracy(truth, truth, ("a", "b"), MODEL) == []


def test_a_better_input_explains_more_than_an_order_that_is_hardly_better():
    predicted = noisy(TRUTH + 1, 0.5)
    with pytest.raises(ExportError, match=r"near chance: x is better; --accept"):
        check_accuracy(predicted, TRUTH, LABELS, MODEL, better=[Better("x is better", 0.9)])
    with pytest.raises(ExportError, match="near chance: the labels are shifted"):
        check_accuracy(predicted, TRUTH, LABELS, MODEL, better=[Better("x is better", 0.2)])
