import numpy as np
import pytest

from edge_runtime.model.spec import ModelSpec
from trainer.evaluation.learning_curve import CurvePoint, Forecast, LearningCurve
from trainer.evaluation.scores import ClassScore, score
from trainer.pages.evaluation import Confusion, confusions, render, weakest_class
from trainer.runs.label_mistakes import LabelMistake
from trainer.runs.measure import Measured
from trainer.runs.recognition import MeasuredFamiliarity


def measure(labels, count=40):
    random = np.random.default_rng(0)
    chances = random.dirichlet(np.ones(len(labels)), count)
    spec = ModelSpec(height=16, width=24, labels=labels, output="sigmoid" if len(labels) == 2 else "softmax")
    targets = np.arange(count) % len(labels)
    pixels = random.integers(0, 256, (count, 16, 24, 3), np.uint8)
    return Measured(spec, score(chances, targets, labels), chances, targets, pixels)


@pytest.mark.parametrize(("labels", "plots"), [(("cat", "dog"), 1), (("cat", "dog", "owl"), 0)])
def test_the_page_opens_on_a_phone_and_a_desktop_with_every_picture(tmp_path, check_page, labels, plots):
    measured = measure(labels)
    page = tmp_path / "page.html"
    page.write_text(render(measured, "run"), encoding="utf-8")
    wrong = int(np.sum(measured.probabilities.argmax(axis=1) != measured.targets))
    assert 0 < wrong < 40
    assert check_page(page) == plots + wrong
    assert ("ROC" in page.read_text(encoding="utf-8")) is bool(plots)


def test_the_page_shows_what_is_familiar_with_the_accepted_images_first(tmp_path, check_page):
    measured = measure(("cat", "dog", "owl"))
    random = np.random.default_rng(1)
    pixels = random.integers(0, 256, (30, 16, 24, 3), np.uint8)
    others = {"drawn scenes": (pixels, np.full(30, 0.1)), "<foxes>": (pixels, np.linspace(0.2, 0.9, 30))}
    found = MeasuredFamiliarity(np.linspace(0.4, 1, 40), 0.9, others)
    page = tmp_path / "page.html"
    page.write_text(render(measured._replace(familiarity=found), "run"), encoding="utf-8")
    wrong = int(np.sum(measured.probabilities.argmax(axis=1) != measured.targets))
    accepted = int((np.linspace(0.2, 0.9, 30) >= 0.5).sum())
    assert check_page(page) == 1 + accepted + wrong
    text = page.read_text(encoding="utf-8")
    assert "<foxes>" not in text
    assert "&lt;foxes&gt;" in text
    assert "Images of none of the classes" not in render(measured, "run")


def test_the_page_shows_the_learning_curve_and_the_class_that_needs_photographs(tmp_path, check_page):
    points = tuple(CurvePoint(10 * 2**at, 0.6 + 0.1 * at, 0.5 + 0.1 * at, 0.7 + 0.1 * at) for at in range(4))
    classes = (Forecast("cat", 40, 0.8, 0.9, 0.7, 0.95), Forecast("<dog>", 40, 0.98, 0.985, 0.9, 1.0))
    curve = LearningCurve(points, Forecast("", 80, 0.9, 0.95, 0.85, 0.97), classes)
    measured = measure(("cat", "<dog>"))
    page = tmp_path / "page.html"
    page.write_text(render(measured._replace(curve=curve), "run"), encoding="utf-8")
    wrong = int(np.sum(measured.probabilities.argmax(axis=1) != measured.targets))
    assert check_page(page) == 2 + wrong
    text = page.read_text(encoding="utf-8")
    assert "Add photographs of cat first: with twice as many" in text
    assert "85.0% to 97.0%" in text
    assert "<dog>" not in text


def test_without_a_learning_curve_the_page_states_the_reason():
    page = render(measure(("cat", "dog"))._replace(curve="the network was <fine-tuned>"), "run")
    assert "The learning curve is not measured: the network was &lt;fine-tuned&gt;." in page
    assert "Enough photographs?" not in render(measure(("cat", "dog")), "run")


def test_the_page_shows_photographs_whose_label_is_suspicious(tmp_path, check_page):
    measured = measure(("cat", "dog", "owl"))
    mistakes = [LabelMistake(f"cat/<{at}>.jpg", "cat", "owl", 0.9, measured.pixels[at]) for at in range(5)]
    page = tmp_path / "page.html"
    page.write_text(render(measured._replace(label_mistakes=mistakes), "run"), encoding="utf-8")
    wrong = int(np.sum(measured.probabilities.argmax(axis=1) != measured.targets))
    assert check_page(page) == 5 + wrong
    text = page.read_text(encoding="utf-8")
    assert "--corrections label_mistakes.csv" in text
    assert "cat/&lt;3&gt;.jpg" in text
    assert "Labels that may be wrong" not in render(measured, "run")


def test_text_of_the_user_is_escaped():
    page = render(measure(("cat", "<b>dog</b>")), "<run> & data")
    assert "&lt;run&gt; &amp; data" in page
    assert "<b>dog" not in page
    assert "&lt;b&gt;dog&lt;/b&gt;" in page


def test_photographs_of_one_class_only_have_no_curves():
    measured = measure(("cat", "dog"))
    one = measured._replace(targets=np.zeros_like(measured.targets))
    assert "ROC" not in render(one, "run")


def test_many_classes_have_no_matrix_but_the_most_frequent_confusions():
    page = render(measure(tuple(f"class{number}" for number in range(30)), count=60), "run")
    assert "The matrix of 30 classes is too large for this page" in page
    assert "Most frequent confusions" in page


def test_without_wrong_decisions_the_page_says_so():
    measured = measure(("cat", "dog", "owl"))
    right = np.eye(3)[measured.targets]
    page = render(
        measured._replace(probabilities=right, evaluation=score(right, measured.targets, ("cat", "dog", "owl"))), "run"
    )
    assert "There are none." in page
    assert "No photograph is decided wrongly" in page


def test_confusions_are_sorted_by_count():
    assert confusions(((5, 1, 0), (0, 2, 0), (0, 3, 1)), ("a", "b", "c")) == [
        Confusion("c", "b", 3, 0.75),
        Confusion("a", "b", 1, 1 / 6),
    ]


def test_a_class_without_photographs_is_not_the_weakest():
    scores = (ClassScore("a", 1, 0.9, 0.9, 10), ClassScore("b", 1, 0.8, 0.9, 10), ClassScore("c", 0, 0, 0, 0))
    assert weakest_class(scores).label == "b"
