from dataclasses import replace

from export.proof.gate import Tolerances, failures, failures_elsewhere
from export.proof.parity import Parity

LABELS = ("cat", "dog")
PERFECT = Parity(
    images=200,
    max_abs_diff=0.0,
    mean_abs_diff=0.0,
    snr_db=None,
    cosine=1.0,
    top1_agreement=1.0,
    accuracy=0.97,
    reference_accuracy=0.97,
    lost=0,
    gained=0,
    worst_recall_loss=0.0,
    worst_recall_class=0,
    worst_recall_lost=0,
    worst_recall_gained=0,
)
LOST = {"lost": 5, "worst_recall_lost": 4}


def test_an_equal_artifact_passes_in_every_precision():
    for precision in ("float32", "float16", "dynamic", "int8"):
        assert failures(precision, PERFECT, Tolerances(), LABELS) == []


def test_float32_answers_to_the_difference_and_int8_does_not():
    parity = replace(PERFECT, max_abs_diff=0.00034)
    (reason,) = failures("float32", parity, Tolerances(), LABELS)
    assert "--max-abs-diff 0.00034 would pass" in reason
    assert failures("int8", parity, Tolerances(), LABELS) == []


def test_float32_may_flip_no_image_and_int8_a_few():
    parity = replace(PERFECT, top1_agreement=0.985)
    assert "3 of 200 images change class" in failures("float32", parity, Tolerances(), LABELS)[0]
    assert failures("int8", parity, Tolerances(), LABELS) == []


def test_each_failure_names_the_tolerance_that_would_have_passed():
    parity = replace(PERFECT, top1_agreement=0.95, accuracy=0.945, worst_recall_loss=0.12, worst_recall_class=1, **LOST)
    reasons = failures("int8", parity, Tolerances(), LABELS)
    assert len(reasons) == 3
    assert "--min-agreement 0.95 would pass" in reasons[0]
    assert "from 0.970 to 0.945" in reasons[1]
    assert "--max-accuracy-loss 0.025 would pass" in reasons[1]
    assert "class dog" in reasons[2]
    assert "--max-recall-loss 0.12 would pass" in reasons[2]


def test_the_tolerances_that_a_failure_names_do_pass():
    parity = replace(PERFECT, top1_agreement=0.9537, accuracy=0.9411, worst_recall_loss=0.1234, **LOST)
    would = Tolerances(min_agreement=0.953, max_accuracy_loss=0.029, max_recall_loss=0.124)
    assert len(failures("int8", parity, Tolerances(), LABELS)) == 3
    assert failures("int8", parity, would, LABELS) == []


def test_a_loss_of_exactly_the_limit_passes():
    parity = replace(PERFECT, accuracy=0.96)
    assert failures("int8", parity, Tolerances(), LABELS) == []


def test_a_loss_that_may_be_chance_does_not_fail():
    parity = replace(PERFECT, images=60, accuracy=0.9367, lost=2, worst_recall_loss=0.1, worst_recall_lost=2)
    assert failures("int8", parity, Tolerances(), LABELS) == []
    assert len(failures("int8", replace(parity, lost=5, worst_recall_lost=3), Tolerances(), LABELS)) == 2


def test_one_flip_in_sixteen_elsewhere_is_chance_and_four_are_not():
    one = replace(PERFECT, images=16, top1_agreement=15 / 16)
    assert failures_elsewhere(one, Tolerances()) == []
    (reason,) = failures_elsewhere(replace(one, top1_agreement=12 / 16), Tolerances())
    assert "4 of 16 images change class" in reason
    assert "--min-agreement 0.75 would pass" in reason
