"""Classify single images with a bundle."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_runtime.backends.names import BACKENDS_BY_FORMAT, BackendName, choose_backend, installed
from edge_runtime.backends.opening import open_backend
from edge_runtime.classify.decision import Scored, decide
from edge_runtime.classify.kept_choice import kept_choice
from edge_runtime.errors import BackendUnavailable
from edge_runtime.image.limits import FILE
from edge_runtime.image.preprocess import load_image, to_input
from edge_runtime.model.bundle import Bundle

if TYPE_CHECKING:
    from pathlib import Path

    from edge_runtime.backends.interface import Backend
    from edge_runtime.image.limits import Limits
    from edge_runtime.image.preprocess import ImageSource
    from edge_runtime.model.manifest import Artifact


@dataclass(frozen=True)
class Prediction:
    """The decision about one image.

    Attributes:
        label: the top class, or "unknown" if the image is unfamiliar or the top class is below its threshold.
        score: the label's probability, 0..1; see `Decision`.
        top: the top classes with their probabilities, in descending order.
        familiarity: the probability that the image belongs to what the model was trained on, 0..1; None if the model
            does not compute it.
        decode_ms: time to read and decode.
        preprocess_ms: time to resize to the model's input.
        inference_ms: time in the backend, quantization included.

    """

    label: str
    score: float
    top: tuple[Scored, ...]
    familiarity: float | None
    decode_ms: float
    preprocess_ms: float
    inference_ms: float

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object; scores are rounded to six decimals, times to microseconds."""
        return {
            "label": self.label,
            "score": round(self.score, 6),
            "top": [{"label": item.label, "score": round(item.score, 6)} for item in self.top],
            "familiarity": None if self.familiarity is None else round(self.familiarity, 6),
            "decode_ms": round(self.decode_ms, 3),
            "preprocess_ms": round(self.preprocess_ms, 3),
            "inference_ms": round(self.inference_ms, 3),
        }


class Classifier:
    """An opened bundle that is ready to classify.

    Open it once and reuse it. It is not thread-safe: do not use one classifier in two threads at the same time.

    Attributes:
        bundle: the opened bundle.
        spec: the model's spec.
        artifact: the artifact that runs.
        backend: the backend that runs it.

    """

    def __init__(self, bundle: Bundle, artifact: Artifact, backend: Backend) -> None:
        self.bundle = bundle
        self.spec = bundle.spec
        self.artifact = artifact
        self.backend = backend

    @classmethod
    def open(
        cls,
        bundle: str | Path | Bundle,
        *,
        artifact: str | None = None,
        backend: BackendName | None = None,
        threads: int | None = None,
    ) -> Classifier:
        """Open a bundle.

        Args:
            bundle: the folder that edge-export wrote, or an opened bundle.
            artifact: an artifact's name, such as "int8.tflite". None selects, in this order: the choice that
                `edge-run bench --keep` saved for this device, the bundle's default, the first artifact that `backend`
                or, without `backend`, an installed backend can run.
            backend: "litert", "tflite-runtime" or "onnx"; None prefers LiteRT for TFLite files.
            threads: number of threads for the runtime's kernels; None uses one for each core, at most four.

        Raises:
            BundleError, SpecError: the bundle is damaged or has no such artifact.
            BackendUnavailable: no runtime for it is installed.
            InferenceError: the runtime refuses the file.

        """
        opened = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
        if artifact is None and backend is None and (kept := kept_choice(opened)):
            artifact, backend, threads = kept.artifact, kept.backend, threads or kept.threads
        chosen = opened.artifact(artifact) if artifact else runnable_artifact(opened, backend)
        model = opened.read_model(chosen)
        return cls(opened, chosen, open_backend(model, opened.spec, backend=backend, threads=threads))

    def classify(
        self, image: ImageSource, *, top_k: int = 3, min_score: float | None = None, limits: Limits = FILE
    ) -> Prediction:
        """Classify one image.

        Args:
            image: a path, an encoded image as bytes, a PIL image, or RGB pixels as uint8 of shape (h, w, 3).
            top_k: number of classes to return.
            min_score: one threshold in 0..1 for all classes, instead of the spec's.
            limits: the most that decoding the image may take.

        Returns:
            The decision, the top classes and the time of each stage.

        Raises:
            SourceError: the image cannot be read.
            InferenceError: the runtime failed.

        """
        started = time.perf_counter()
        decoded = load_image(image, self.spec, limits=limits)
        decoded_at = time.perf_counter()
        pixels = to_input(decoded, self.spec)
        resized_at = time.perf_counter()
        probabilities = self.backend.run(pixels[None])[0]
        finished = time.perf_counter()
        decision = decide(probabilities, self.spec, top_k=top_k, min_score=min_score)
        return Prediction(
            *decision,
            decode_ms=(decoded_at - started) * 1e3,
            preprocess_ms=(resized_at - decoded_at) * 1e3,
            inference_ms=(finished - resized_at) * 1e3,
        )


def runnable_artifact(bundle: Bundle, backend: BackendName | None) -> Artifact:
    """Return the first artifact that `backend` or, if it is None, an installed backend can run; try the default first.

    Raise BackendUnavailable if there is none.
    """
    candidates = [bundle.artifact(), *bundle.artifacts.values()]
    for artifact in candidates:
        readers = BACKENDS_BY_FORMAT[artifact.format]
        if (backend in readers) if backend else installed(readers):
            return artifact
    formats = " or ".join(sorted({artifact.format for artifact in candidates}))
    if backend:
        raise BackendUnavailable(f"{bundle.folder}: backend {backend} cannot read its {formats} artifacts")
    choose_backend(candidates[0].format)  # raises BackendUnavailable, with the command that installs one
    return candidates[0]
