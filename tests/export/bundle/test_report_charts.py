from itertools import combinations

import pytest

from export.bundle.report_charts import CHARACTER_WIDTH, LINE_HEIGHT, RADIUS, WIDTH, axis_ticks, place_labels


@pytest.mark.parametrize(
    ("largest", "ticks"),
    [
        (0.329, [0, 0.1, 0.2, 0.3, 0.4]),
        (1.948, [0, 0.5, 1, 1.5, 2]),
        (4, [0, 1, 2, 3, 4]),
        (0.00081, [0, 0.0005, 0.001]),
        (5200, [0, 2000, 4000, 6000]),
    ],
)
def test_axis_ticks_are_round_and_reach_the_largest_value(largest, ticks):
    assert axis_ticks(largest) == ticks


def test_labels_cover_neither_each_other_nor_a_point():
    points = [(150.0, 100.0), (152.0, 101.0), (160.0, 98.0), (230.0, 100.0), (390.0, 100.0), (388.0, 102.0)]
    texts = ["float32.tflite 96.5%"] * len(points)
    boxes = []
    for label, text in zip(place_labels(points, texts), texts, strict=True):
        width = CHARACTER_WIDTH * len(text)
        left = label.x if label.anchor == "start" else label.x - width
        assert left >= 0
        assert left + width <= WIDTH
        boxes.append((left, label.y - LINE_HEIGHT / 2, left + width, label.y + LINE_HEIGHT / 2))
    boxes += [(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y in points]
    labels = boxes[: len(points)]
    for one, other in [*combinations(labels, 2), *((label, point) for label in labels for point in boxes[6:])]:
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert apart, (one, other)
