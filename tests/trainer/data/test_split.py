"""Splits follow from content."""

import hashlib
from collections import Counter

import pytest

from trainer.data.split import SPLITS, Fractions, share, split_class

FRACTIONS = Fractions(validation=0.1, test=0.2)


def digests(count, start=0):
    return [hashlib.sha256(str(number).encode()).hexdigest() for number in range(start, start + count)]


def test_shares_are_near_the_fractions():
    counts = Counter(split_class(digests(4000), FRACTIONS, seed=0).values())
    assert counts["train"] == pytest.approx(2800, abs=100)
    assert counts["validation"] == pytest.approx(400, abs=60)
    assert counts["test"] == pytest.approx(800, abs=80)


def test_adding_photographs_moves_none_of_the_old():
    before = split_class(digests(60), FRACTIONS, seed=3)
    after = split_class(digests(200), FRACTIONS, seed=3)
    assert {digest: after[digest] for digest in before} == before


def test_the_order_of_photographs_does_not_matter():
    assert split_class(digests(50), FRACTIONS, seed=1) == split_class(digests(50)[::-1], FRACTIONS, seed=1)


def test_another_seed_divides_otherwise():
    assert split_class(digests(50), FRACTIONS, seed=1) != split_class(digests(50), FRACTIONS, seed=2)


def test_share_is_known():
    mixed = hashlib.sha256(b"7:abc").hexdigest()
    assert share(7, "abc") == int(mixed[:16], 16) / 2**64


@pytest.mark.parametrize("start", range(0, 60, 3))
def test_three_photographs_fill_three_splits(start):
    assert sorted(split_class(digests(3, start), FRACTIONS, seed=0).values()) == sorted(SPLITS)


def test_an_empty_split_is_lent_the_nearest_photograph():
    low, high = sorted(digests(400), key=lambda digest: share(0, digest))[-2:]
    lowest = min(digests(400), key=lambda digest: share(0, digest))
    chosen = split_class([high, low, lowest], FRACTIONS, seed=0)
    assert chosen == {lowest: "test", low: "validation", high: "train"}


def test_a_set_with_its_own_test_part_lends_nothing_to_test():
    chosen = split_class(digests(300), Fractions(validation=0.1, test=0.0), seed=0)
    assert set(chosen.values()) == {"train", "validation"}
