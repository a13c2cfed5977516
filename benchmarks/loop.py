"""Do the frames that `--keep-hard` keeps teach a model more than as many frames at random, and what does keeping cost?

    python benchmarks/loop.py DATA... --weights FILE [--seeds 5] [--rounds 3] [--labels 60] [--out FILE]

DATA are sets of photographs with one folder for each class. For each set and seed, some photographs are held out as
test, and a model is trained on 60 of the others. Then a simulated camera shows all photographs that have no label yet,
each for five seconds at one frame per second. One arm labels the frames that `--keep-hard` keeps, at a rate of
at most 60 in all; the other as many photographs at random. Both train again with the labels, three times. The split,
calibration, familiarity, decisions and the choice are the product's own functions. The backbone is frozen, so that the
features of the photographs are computed once, and the head is the one with which `edge-train` measures learning curves.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

# The benchmark export.py would hide the package of that name.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import machine
import numpy as np

from edge_runtime.classify.decision import decide
from edge_runtime.collection.keeper import KEPT, Keeper, Limits, Model
from edge_runtime.live.records import Frame, FramePrediction
from edge_runtime.live.smoothing import State, advance, label_of, rules_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edge_runtime.model.spec import ModelSpec
    from trainer.images.dataset import Dataset
    from trainer.options import Options

    Rows = NDArray[np.int64]

TEST = 0.4  # of all photographs; many, so that small differences of the accuracy are seen
SHOWN_S = 5  # how long the camera shows a photograph, at one frame per second
START = 1_800_000_000.0
ARMS = ("hard", "random")


@dataclass(frozen=True)
class World:
    """A data set whose features are known.

    Attributes:
        dataset: all photographs.
        features: of each, float32 of shape (N, D).
        targets: class indices, shape (N,).
        options: of the training.

    """

    dataset: Dataset
    features: NDArray[np.float32]
    targets: NDArray[np.int64]
    options: Options


@dataclass(frozen=True)
class Trained:
    """What a training gives: probabilities of all photographs, already multiplied by the familiarity.

    Attributes:
        accuracy: of the top class on the test photographs, 0..1.
        scores: shape (N, classes).
        spec: the spec with its limit of the familiarity.

    """

    accuracy: float
    scores: NDArray[np.float32]
    spec: ModelSpec


def read_world(data: Path, weights: Path) -> World:
    """Decode the photographs and compute the features of the frozen backbone."""
    from trainer.images.read_data import read_data
    from trainer.options import RECIPES, Options

    recipe = RECIPES["mobilenet_v2"]
    options = Options(
        model="mobilenet_v2",
        weights=str(weights),
        image_size=recipe.image_size,
        epochs=recipe.epochs,
        patience=recipe.patience,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        fine_tune_layers=0,
        views=0,
    )
    dataset = read_data([data], options, None)
    return World(dataset, frozen_features(dataset, options), dataset.targets(dataset.photos), options)


def frozen_features(dataset: Dataset, options: Options) -> NDArray[np.float32]:
    """Return the features of all photographs, as the trainer computes them for the head."""
    from trainer.fitting.features import extract
    from trainer.networks.models import build_transfer

    transfer = build_transfer(
        options.model,
        dataset.spec,
        weights=options.weights,
        alpha=options.alpha,
        dropout=options.dropout,
        trainable_layers=0,
    )
    rows = np.array([photo.row for photo in dataset.photos])
    features = extract(transfer.trunk, dataset.pixels, rows, what=f"computing {len(rows)} features")
    return features.astype(np.float32)


def divided(world: World, chosen: Rows, seed: int) -> dict[str, Rows]:
    """Return the chosen photographs as the trainer splits them: for training, and for the choice of the epoch."""
    from trainer.data.split import Fractions, split_class

    photos, splits = world.dataset.photos, {}
    for number in np.unique(world.targets):
        keys = {photos[row].sha256: int(row) for row in chosen if world.targets[row] == number}
        found = split_class(set(keys), Fractions(world.options.validation_fraction, 0.0), seed)
        splits |= {keys[key]: split for key, split in found.items()}
    return {
        split: np.array(sorted(row for row, own in splits.items() if own == split)) for split in ("train", "validation")
    }


def head_logits(world: World, rows: Rows) -> NDArray[np.float64]:
    """Return the logits of all photographs, of a head that is fitted to some of them.

    It is the head with which `edge-train` measures its learning curve: the same linear classifier as the trained one.
    """
    from sklearn.linear_model import LogisticRegression

    from trainer.fitting.head_error import PENALTY_C

    mean = world.features[rows].mean(axis=0)
    _, _, directions = np.linalg.svd(world.features[rows] - mean, full_matrices=False)
    reduced = (world.features - mean) @ directions.T  # only these directions matter to it
    head = LogisticRegression(C=PENALTY_C, tol=1e-2).fit(reduced[rows], world.targets[rows])
    logits: NDArray[np.float64] = head.decision_function(reduced)
    return logits.reshape(len(logits), -1)


def train_on(world: World, chosen: Rows, test: Rows, seed: int) -> Trained:
    """Train with the labels of the chosen photographs, and decide all photographs."""
    from edge_runtime.familiarity.subspace import MIN_FAMILIARITY, fit_familiarity
    from trainer.evaluation.calibration import calibrate, probabilities_of

    rows = divided(world, chosen, seed)
    logits, validation = head_logits(world, rows["train"]), rows["validation"]
    held_out = (logits[validation], world.targets[validation])
    probabilities = probabilities_of(logits / calibrate(held_out, held_out).temperature)
    familiarity = fit_familiarity(
        world.features[rows["train"]],
        world.features[validation],
        keep=world.options.keep,
        classes=len(world.dataset.spec.labels),
        frozen=True,
        seed=seed,
    )
    accuracy = float(np.mean(probabilities[test].argmax(axis=1) == world.targets[test]))
    scores = probabilities * familiarity.of(world.features)[:, np.newaxis]
    spec = replace(world.dataset.spec, output="softmax", min_familiarity=MIN_FAMILIARITY)
    return Trained(accuracy, scores.astype(np.float32), spec)


def stream(world: World, trained: Trained, shown: Rows) -> Iterator[tuple[Frame, FramePrediction]]:
    """Yield the frames of a camera that shows photographs, and the decisions about them."""
    state, rules, number = State(), rules_of(trained.spec), 0
    for row in shown:
        photo, scores = world.dataset.photos[row], trained.scores[row]
        path = photo.file.path
        found = decide(scores, trained.spec)
        for _ in range(SHOWN_S):
            state = advance(state, scores, rules)
            stable = label_of(state.stable, trained.spec.labels)
            frame = Frame("camera", number, path, START + number, float(number))
            yield (
                frame,
                FramePrediction(
                    "camera",
                    number,
                    frame.captured_at,
                    0.0,
                    0,
                    found.label,
                    found.score,
                    found.top,
                    stable,
                    0.0,
                    0.0,
                    0.0,
                    found.familiarity,
                ),
            )
            number += 1


def kept_by_rule(world: World, trained: Trained, shown: Rows, labels: int, seed: int) -> tuple[Rows, dict[str, int]]:
    """Return the photographs that `--keep-hard` keeps of a stream, and how many of them for each reason."""
    minutes = len(shown) * SHOWN_S / 60
    limits = Limits(per_minute=labels / minutes, min_free_bytes=0)
    rows = {world.dataset.photos[row].sha256[:8]: int(row) for row in shown}
    with tempfile.TemporaryDirectory() as folder:
        keeper = Keeper(
            Path(folder),
            Model("0" * 64, "float32.tflite", trained.spec.min_familiarity),
            limits,
            waits=True,
            seed=seed,
        )
        for frame, prediction in stream(world, trained, shown):
            keeper.offer(frame, prediction)
        keeper.close()
        records = [json.loads(path.read_text()) for path in Path(folder, KEPT).glob("*.json")]
        names = [path.name for path in Path(folder, KEPT).glob("*.jpg")]
    reasons: dict[str, int] = {}
    for record in records:
        reasons[record["reason"]] = reasons.get(record["reason"], 0) + 1
    return np.array(sorted({rows[name.rsplit("_", 1)[1][:8]] for name in names})), reasons


def compare(world: World, seed: int, rounds: int, labels: int) -> Iterator[dict[str, Any]]:
    """Yield the accuracy of both arms after each round."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(world.targets))
    test, pool = np.split(order, [round(TEST * len(order))])
    first = first_labels(world.targets, pool, labels)
    chosen = dict.fromkeys(ARMS, first)
    trained = dict.fromkeys(ARMS, train_on(world, first, test, seed))
    reasons: dict[str, int] = {}
    for number in range(rounds + 1):
        for arm in ARMS:
            yield {
                "seed": seed,
                "round": number,
                "arm": arm,
                "labels": len(chosen[arm]),
                "accuracy": trained[arm].accuracy,
                "reasons": reasons if arm == "hard" else {},
            }
        if number < rounds:
            left = random.permutation(np.setdiff1d(pool, chosen["hard"]))
            kept, reasons = kept_by_rule(world, trained["hard"], left, labels, seed + number)
            others = random.permutation(np.setdiff1d(pool, chosen["random"]))[: len(kept)]
            chosen = {"hard": np.union1d(chosen["hard"], kept), "random": np.union1d(chosen["random"], others)}
            trained = {arm: train_on(world, chosen[arm], test, seed) for arm in ARMS}


def first_labels(targets: NDArray[np.int64], pool: Rows, labels: int) -> Rows:
    """Return the photographs of the first training: as many of each class."""
    classes = np.unique(targets)
    return np.concatenate([pool[targets[pool] == number][: labels // len(classes)] for number in classes])


def main() -> None:
    """Measure every set and seed, and write the rows after each of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--labels", type=int, default=60, help="photographs of the first training and of each round")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "loop.json")
    args = parser.parse_args()
    result: dict[str, Any] = {"machine": machine.facts(), "labels": args.labels, "rows": []}
    for data in args.data:
        world = read_world(data, args.weights)
        for seed in range(args.seeds):
            for row in compare(world, seed, args.rounds, args.labels):
                result["rows"].append({"data": data.name, **row})
                print(json.dumps(result["rows"][-1]), flush=True)
            args.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
