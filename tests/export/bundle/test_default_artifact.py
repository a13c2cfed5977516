from types import SimpleNamespace

import pytest

from export.bundle.default_artifact import choose_default, compare_with_default
from export.bundle.report_page import NO_ADVANTAGE, NO_ADVANTAGE_UNCHECKED, comparison


def measured(**artifacts):
    """Return measured artifacts from (size in bytes, latency in ms) by name, with _ for the dot."""
    return [
        SimpleNamespace(candidate=SimpleNamespace(name=name.replace("_", ".")), size_bytes=size, latency_ms=latency)
        for name, (size, latency) in artifacts.items()
    ]


def report(default, *, unchecked=None, **artifacts):
    """Return the parts of a report that are compared, from (size in bytes, latency in ms, accuracy) by name."""
    return {
        "default": default,
        "unchecked": unchecked,
        "artifacts": [
            {
                "name": name.replace("_", "."),
                "size_bytes": size,
                "latency_ms": latency,
                "parity": {"accuracy": accuracy},
            }
            for name, (size, latency, accuracy) in artifacts.items()
        ],
    }


def test_the_only_artifact_is_the_default():
    default = choose_default(measured(float16_onnx=(900, 3.0)))
    assert default.name == "float16.onnx"
    assert "it is the only artifact" in default.reason


def test_latencies_below_one_millisecond_are_not_compared():
    default = choose_default(measured(float32_tflite=(100, 0.01), int8_tflite=(1000, 0.99)))
    assert default.name == "int8.tflite"
    assert "by a fixed order of preference, because every latency is below 1 ms" in default.reason
    assert default.reason.endswith("The order is int8.tflite, float32.tflite.")


def test_a_cost_of_half_keeps_the_first_artifact_of_the_order():
    default = choose_default(measured(dynamic_tflite=(500, 4.0), int8_tflite=(1000, 4.0)))
    assert default.name == "int8.tflite"
    assert "no other artifact has less than half of its size multiplied by its latency" in default.reason


def test_the_lowest_cost_below_half_is_chosen():
    default = choose_default(measured(float16_tflite=(490, 4.0), dynamic_tflite=(480, 4.0), int8_tflite=(1000, 4.0)))
    assert default.name == "dynamic.tflite"
    assert "is the lowest, and less than half of that of int8.tflite" in default.reason


def test_artifacts_that_are_better_than_the_default_are_named():
    sentences = compare_with_default(
        report(
            "int8.tflite",
            int8_tflite=(519_400, 0.13, 0.965),
            dynamic_tflite=(501_824, 0.12, 0.965),
            float32_tflite=(1_948_304, 0.10, 0.971),
            int8_onnx=(500_000, 0.10, 0.971),
            float32_onnx=(1_948_304, 0.28, 0.965),
        )
    )
    assert sentences == [
        "dynamic.tflite is smaller and faster on this computer.",
        "float32.tflite is faster on this computer and more accurate.",
        "int8.onnx is smaller, faster on this computer and more accurate.",
    ]


def test_differences_that_the_table_does_not_show_are_not_named():
    shown_equal = report("int8.tflite", int8_tflite=(519_400, 0.126, 0.9650), dynamic_tflite=(519_300, 0.125, 0.9652))
    assert compare_with_default(shown_equal) == ["dynamic.tflite is faster on this computer."]  # 0.12 and 0.13
    shown_equal["artifacts"][1]["latency_ms"] = 0.1258
    assert compare_with_default(shown_equal) == []


@pytest.mark.parametrize(
    ("unchecked", "expected"),
    [(None, ["float32.onnx is more accurate."]), ("The images have no labels.", [NO_ADVANTAGE_UNCHECKED])],
)
def test_accuracy_is_compared_only_if_it_was_measured(unchecked, expected):
    two = report("int8.onnx", unchecked=unchecked, int8_onnx=(100, 2.0, 0.9), float32_onnx=(400, 9.0, 0.95))
    assert comparison(two) == expected


def test_the_comparison_says_if_no_artifact_is_better_and_nothing_of_a_single_artifact():
    assert comparison(report("int8.onnx", int8_onnx=(100, 2.0, 0.9), float32_onnx=(400, 9.0, 0.9))) == [NO_ADVANTAGE]
    assert comparison(report("int8.onnx", int8_onnx=(100, 2.0, 0.9))) == []
