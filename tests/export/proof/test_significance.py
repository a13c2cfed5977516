import numpy as np
import pytest

from export.proof.significance import at_least, collapse, loss_interval, mcnemar_p, smallest_visible_loss


def test_mcnemar_is_the_upper_tail_of_fair_coins():
    assert mcnemar_p(5, 0) == pytest.approx(1 / 32)
    assert mcnemar_p(3, 1) == pytest.approx((4 + 1) / 16)
    assert mcnemar_p(0, 0) == 1
    assert mcnemar_p(0, 7) == 1


def test_at_least_sums_the_binomial_tail():
    assert at_least(1, 2, 0.1) == pytest.approx(1 - 0.9**2)


def test_the_interval_of_a_loss_holds_it_and_is_zero_without_change():
    right = np.ones(200, bool)
    worse = right.copy()
    worse[:10] = False
    low, high = loss_interval(right, worse)
    assert 0 < low < 0.05 < high < 0.1
    assert loss_interval(right, right) == (0, 0)


def test_the_smallest_visible_loss_is_about_three_in_n():
    assert smallest_visible_loss(300) == pytest.approx(3 / 300, rel=0.01)


def test_outputs_that_ignore_the_input_have_collapsed():
    rng = np.random.default_rng(0)
    reference = rng.dirichlet([0.2, 0.2], 50).astype(np.float32)
    constant = np.full_like(reference, 0.5)
    assert "hardly depend on the input" in str(collapse(reference, constant))
    assert collapse(reference, reference) is None


def test_a_class_that_takes_over_has_collapsed():
    reference = np.tile(np.eye(3, dtype=np.float32), (20, 1))
    candidate = reference.copy()
    candidate[:, 2] += 0.9 * (reference[:, 2] == 0)
    candidate[:50, 2] = 2.0
    assert "class 2 took over" in str(collapse(reference, candidate))
