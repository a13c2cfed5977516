from __future__ import annotations

import numpy as np
import pytest

from edge_runtime.classify.decision import UNKNOWN, decide, decision_text
from edge_runtime.errors import InferenceError


def scores(*values):
    return np.array(values, np.float32)


def test_the_highest_probability_decides(spec):
    decision = decide(scores(0.25, 0.625, 0.125), spec)
    assert (decision.label, decision.score) == ("green", 0.625)
    assert decision.top == (("green", 0.625), ("red", 0.25), ("blue", 0.125))


def test_equal_scores_keep_the_order_of_the_labels(spec):
    assert [item.label for item in decide(scores(0.25, 0.5, 0.25), spec).top] == ["green", "red", "blue"]
    assert decide(scores(0.5, 0.0, 0.5), spec).label == "red"


@pytest.mark.parametrize(("top_k", "count"), [(1, 1), (2, 2), (99, 3)])
def test_top_k_limits_the_number_of_classes(spec, top_k, count):
    assert len(decide(scores(0.2, 0.5, 0.3), spec, top_k=top_k).top) == count


def test_a_score_below_the_threshold_of_its_label_is_unknown(make_spec):
    spec = make_spec(thresholds=(0.0, 0.75, 0.0))
    decision = decide(scores(0.25, 0.5, 0.25), spec)
    assert (decision.label, decision.score, decision.top[0].label) == (UNKNOWN, 0.5, "green")
    assert decide(scores(0.5, 0.25, 0.25), spec).label == "red"


def test_a_score_equal_to_the_threshold_is_accepted(make_spec):
    assert decide(scores(0.25, 0.5, 0.25), make_spec(thresholds=(0.5, 0.5, 0.5))).label == "green"


def test_min_score_replaces_every_threshold(make_spec):
    spec = make_spec(thresholds=(0.9, 0.9, 0.9))
    assert decide(scores(0.25, 0.5, 0.25), spec, min_score=0.5).label == "green"
    assert decide(scores(0.25, 0.5, 0.25), make_spec(), min_score=0.6).label == UNKNOWN
    assert decide(scores(0.25, 0.5, 0.25), spec, min_score=0.0).label == "green"


def test_scores_are_python_floats(spec):
    decision = decide(scores(0.2, 0.5, 0.3), spec)
    assert type(decision.score) is float
    assert all(type(item.score) is float for item in decision.top)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_output_that_is_no_number_is_an_error_and_never_a_label(spec, value):
    with pytest.raises(InferenceError, match="NaN or infinity"):
        decide(scores(0.5, value, 0.1), spec)


def test_an_unfamiliar_image_is_unknown_with_its_own_score(make_spec):
    decision = decide(scores(0.25, 0.125, 0.0), make_spec(min_familiarity=0.5))
    assert (decision.label, decision.score, decision.familiarity) == (UNKNOWN, 0.625, 0.375)
    assert decision.top[0] == ("red", 0.25)


def test_a_familiar_image_has_its_class_and_the_familiarity(make_spec):
    decision = decide(scores(0.25, 0.5, 0.0), make_spec(min_familiarity=0.5))
    assert (decision.label, decision.score, decision.familiarity) == ("green", 0.5, 0.75)
    assert decide(scores(0.25, 0.25, 0.0), make_spec(min_familiarity=0.5)).label == "red"


def test_min_score_does_not_accept_an_unfamiliar_image(make_spec):
    assert decide(scores(0.25, 0.0, 0.0), make_spec(min_familiarity=0.5), min_score=0.0).label == UNKNOWN


def test_familiarity_is_at_most_1_though_quantized_probabilities_sum_to_more(make_spec):
    assert decide(scores(0.75, 0.5, 0.0), make_spec(min_familiarity=0.5)).familiarity == 1.0


def test_a_model_without_familiarity_has_none(spec):
    assert decide(scores(0.25, 0.125, 0.0), spec).familiarity is None


def test_the_text_of_an_unknown_has_no_score_of_another_class(make_spec):
    def text(decision):
        return decision_text(decision.label, decision.score, decision.top)

    assert text(decide(scores(0.25, 0.5, 0.25), make_spec())) == "green 0.50"
    assert text(decide(scores(0.25, 0.5, 0.25), make_spec(thresholds=(0.9, 0.9, 0.9)))) == "unknown"
    assert text(decide(scores(0.25, 0.0, 0.0), make_spec(min_familiarity=0.5))) == "unknown 0.75"
