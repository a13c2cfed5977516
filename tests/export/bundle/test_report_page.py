import numpy as np
import pytest
from report_pages import report_page_checker

from export.bundle.report_page import MAX_PICTURES, html_page, runtime_tables

LABELS = ["cat", "<b>dog</b> & 'wolf'"]
UNLABELLED = "The images have no labels."


@pytest.fixture(scope="module")
def check_page():
    with report_page_checker() as check:
        yield check


def parity(**changes):
    return {
        "images": 40,
        "max_abs_diff": 0.01,
        "snr_db": None,
        "cosine": 1.0,
        "top1_agreement": 0.975,
        "accuracy": 0.9,
        "reference_accuracy": 0.925,
        "lost": 1,
        "gained": 0,
        **changes,
    }


def artifact(name, backend, size_bytes, latency_ms, flips=()):
    return {
        "name": name,
        "size_bytes": size_bytes,
        "backend": backend,
        "latency_ms": latency_ms,
        "parity": parity(),
        "elsewhere": {f"{backend}:plain": parity(images=16)},
        "loss_interval_95": [-0.01, 0.05],
        "mcnemar_p": 0.5,
        "flips": list(flips),
        "confusion": [[18, 2], [2, 18]],
    }


def attempt(form, failures=()):
    return {
        "form": form,
        "artifact": "int8.tflite",
        "size_bytes": 1000,
        "latency_ms": 2.0,
        "accuracy": 0.5,
        "failures": list(failures),
    }


@pytest.fixture
def report():
    flips = [
        {"image": image, "label": 0, "reference": 0, "reference_score": 0.9, "candidate": 1, "candidate_score": 0.6}
        for image in range(30)
    ]
    artifacts = [
        artifact("int8.tflite", "litert", 520_000, 0.13, flips),
        artifact("dynamic.tflite", "litert", 500_000, 0.12),
        artifact("float32.onnx", "onnx", 1_900_000, 0.29),
    ]
    unconverted = dict.fromkeys(("size_bytes", "latency_ms", "accuracy"))
    return {
        "labels": LABELS,
        "default": "int8.tflite",
        "default_reason": "It was chosen by a fixed order of preference.",
        "calibration_images": 30,
        "holdout_images": 40,
        "unchecked": None,
        "no_familiarity": None,
        "smallest_visible_loss": 0.07,
        "tolerances": {
            "max_abs_diff": 1e-4,
            "min_agreement": 0.98,
            "max_accuracy_loss": 0.01,
            "max_recall_loss": 0.05,
        },
        "settings": {"calibration_method": "minmax", "target": "any"},
        "min_runtime": {"tflite-runtime==2.14": True, "onnxruntime==1.19": False},
        "confusion": [[19, 1], [2, 18]],
        "artifacts": artifacts,
        "ladder": [attempt("int8.tflite", ["int8.tflite: its outputs collapsed"]), attempt("int8, in float: conv_1")],
        "left_out": [{**attempt("int16x8.tflite", ["int16x8.tflite: HARD_SWISH"]), **unconverted}],
        "layers": [{"layer": "conv_1", "signal_lost": 1.0}],
        "fragility": [
            {"mistake": "mirrored", "images": 40, "accuracy": 0.9, "right_accuracy": 0.925},
            {"mistake": "normalised twice", "images": 40, "accuracy": 0.1, "right_accuracy": 0.925},
        ],
        "versions": {"python": "3.11.7"},
    }


@pytest.fixture
def holdout():
    return np.random.default_rng(0).integers(0, 256, (40, 24, 32, 3), np.uint8)


def test_the_page_opens_on_a_phone_and_a_desktop_with_every_picture(report, holdout, check_page, tmp_path):
    page = tmp_path / "report.html"
    page.write_text(html_page(report, holdout), encoding="utf-8")
    assert check_page(page) == MAX_PICTURES


def test_the_page_states_why_the_default_was_chosen_and_which_artifacts_are_better(report, holdout):
    text = html_page(report, holdout)
    assert "Default artifact: int8.tflite" in text
    assert "It was chosen by a fixed order of preference." in text
    assert "dynamic.tflite is smaller and faster on this computer." in text
    assert "best" not in text


def test_text_of_the_user_is_escaped(report, holdout):
    text = html_page(report, holdout)
    assert "<b>dog" not in text
    assert "&lt;b&gt;dog&lt;/b&gt; &amp; &#39;wolf&#39;" in text


def test_the_page_explains_fallbacks_left_out_artifacts_and_mistakes(report, holdout):
    text = html_page(report, holdout)
    for expected in (
        "fallbacks that were tried",
        "Left out",
        "HARD_SWISH",
        "conv_1",
        "its outputs collapsed",
        "passed",
    ):
        assert expected in text
    assert text.index("normalised twice") < text.index("mirrored")  # the most expensive mistake first


def test_parts_without_content_are_left_out(report, holdout):
    report.update(ladder=[], left_out=[], layers=[], fragility=[], artifacts=report["artifacts"][1:2])
    report["default"] = "dynamic.tflite"
    text = html_page(report, holdout)
    for heading in ("fallbacks", "Left out", "Cost of preprocessing mistakes", "<svg"):
        assert heading not in text
    assert "predicts the same class as the trained model for all 40 held-out images" in text


def test_without_labelled_images_the_page_shows_no_accuracy(report, holdout):
    report["unchecked"] = UNLABELLED
    text = html_page(report, holdout)
    assert "Accuracy was not measured." in text
    assert UNLABELLED in text
    for number in ("Loss of accuracy", "<h2>Confusion", "90.0%", "92.5%", "50.0%"):
        assert number not in text


def test_the_page_says_why_a_model_recognizes_no_images_of_other_kinds(report, holdout):
    assert "computes no familiarity" not in html_page(report, holdout)
    report["no_familiarity"] = "its <pooled> features were not found"
    assert "computes no familiarity: its &lt;pooled&gt; features were not found." in html_page(report, holdout)


def test_each_format_has_a_table_of_its_runtimes(report):
    tflite, onnx = runtime_tables(report["artifacts"])
    assert tflite.runtimes == ["litert", "litert:plain"]
    assert [name for name, _ in tflite.rows] == ["int8.tflite", "dynamic.tflite"]
    assert [[cell["images"] for cell in cells] for _, cells in onnx.rows] == [[40, 16]]
