"""Hours of a camera, simulated: no alarm without a change, and the right reason soon after one."""

import json
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageFilter

from edge_runtime.drift.background import packed
from edge_runtime.drift.baseline import fit_baseline
from edge_runtime.drift.looks import layout_of, look_of
from edge_runtime.drift.monitor import SAMPLE_S, Monitor
from edge_runtime.drift.window import Sample
from edge_runtime.image.preprocess import preprocess
from edge_runtime.model.spec import ModelSpec

START = 1_790_000_000.0
SPEC = ModelSpec(96, 96, ("cat", "dog"), "softmax")
TRAINING, HELD_OUT = 300, 150
HOUR_S = 3600
UNFAMILIAR = 0.05


def darkened(image):
    return image.point(lambda value: value // 2)


def blurred(image):
    return image.filter(ImageFilter.GaussianBlur(max(image.size) / 80))


def with_other_hues(image, shift=45):
    hue, saturation, value = image.convert("HSV").split()
    return Image.merge("HSV", (hue.point(lambda one: (one + shift) % 256), saturation, value)).convert("RGB")


def paper(image):
    noise = np.random.default_rng(image.width).normal(230, 3, (120, 160, 3))
    return Image.fromarray(noise.clip(0, 255).astype(np.uint8))


def grey(image):
    return image.convert("L").convert("RGB")


def with_slightly_other_hues(image):
    return with_other_hues(image, 20)


CHANGES = {"darker": darkened, "blurred": blurred, "colours": with_other_hues, "covered": paper, "colourless": grey}
MILD = {"hues": with_slightly_other_hues}


@pytest.fixture(scope="module")
def photographs(shared):
    """Return a function that gives the baseline of training photographs, and a function for changed held-out ones."""
    files = sorted(shared("data/cats-dogs").glob("*/*.jpg"))

    @cache
    def drawn(seed):
        order = np.random.default_rng(seed).permutation(len(files))
        pictures = (preprocess(files[index], SPEC) for index in order[:TRAINING])
        baseline = fit_baseline(pictures, {"cat": 0.5, "dog": 0.5}, UNFAMILIAR)
        return baseline, [files[index] for index in order[TRAINING : TRAINING + HELD_OUT]]

    @cache
    def samples(seed, name):
        baseline, held_out = drawn(seed)
        change = {**CHANGES, **MILD}.get(name, lambda image: image)
        return [sample_of(preprocess(change(Image.open(path).convert("RGB")), SPEC), baseline) for path in held_out]

    return drawn, samples


def sample_of(pixels, baseline):
    look = look_of(pixels)
    return Sample(0.0, tuple(look), tuple(map(float, baseline.positions(look))), None, packed(layout_of(pixels)))


def play(monitor, pool, begin, hours, random, unfamiliar=UNFAMILIAR):
    """Show pictures in a random order for some hours; return the changes."""
    found = []
    for at in np.arange(begin, begin + hours * HOUR_S, SAMPLE_S):
        sample = pool[random.integers(len(pool))]._replace(at=float(at), unfamiliar=bool(random.random() < unfamiliar))
        found += monitor.add(sample, "cat")
    return found


@pytest.mark.parametrize("seed", range(5))
def test_a_day_of_held_out_photographs_raises_no_alarm(photographs, seed):
    drawn, samples = photographs
    monitor = Monitor(drawn(seed)[0])
    assert play(monitor, samples(seed, ""), START, 24, np.random.default_rng(seed)) == []
    assert monitor.compared.independent > 50


@pytest.mark.parametrize("reason", CHANGES)
def test_a_change_is_reported_with_its_reason_within_ten_minutes_and_its_end(photographs, reason):
    drawn, samples = photographs
    monitor, random = Monitor(drawn(0)[0]), np.random.default_rng(1)
    assert play(monitor, samples(0, ""), START, 1, random) == []
    found = play(monitor, samples(0, reason), START + HOUR_S, 0.5, random)
    assert [(change.reason.name, change.began) for change in found] == [(reason, True)]
    assert found[0].at - (START + HOUR_S) < 600
    found = play(monitor, samples(0, ""), START + 1.5 * HOUR_S, 0.5, random)
    assert [(change.reason.name, change.began) for change in found] == [(reason, False)]


@pytest.mark.parametrize("seed", range(2))
def test_slightly_other_hues_are_reported_within_ten_minutes(photographs, seed):
    drawn, samples = photographs
    monitor, random = Monitor(drawn(seed)[0]), np.random.default_rng(1)
    assert play(monitor, samples(seed, ""), START, 1, random) == []
    found = play(monitor, samples(seed, "hues"), START + HOUR_S, 0.5, random)
    assert [(change.reason.name, change.began) for change in found] == [("colours", True)]
    assert found[0].at - (START + HOUR_S) < 600


def test_pictures_that_become_unfamiliar_are_reported_with_their_share(photographs):
    drawn, samples = photographs
    monitor, random = Monitor(drawn(0)[0]), np.random.default_rng(1)
    play(monitor, samples(0, ""), START, 1, random)
    found = play(monitor, samples(0, ""), START + HOUR_S, 1, random, unfamiliar=0.6)
    assert [change.reason.name for change in found] == ["unfamiliar"]
    assert "% of what it sees is unfamiliar, since" in found[0].reason.sentence(found[0].at)


def test_the_same_photograph_for_minutes_is_not_taken_for_many(photographs):
    drawn, samples = photographs
    monitor, random = Monitor(drawn(0)[0]), np.random.default_rng(3)
    pool = samples(0, "")
    for at in np.arange(START, START + 6 * HOUR_S, SAMPLE_S):
        shown = pool[int(at // 240) * 7919 % len(pool)]  # each for four minutes
        look = tuple(value * (1 + random.normal(0, 1e-4)) for value in shown.look)
        assert monitor.add(shown._replace(at=float(at), look=look), "cat") == []


def scene(random):
    """Draw a room: flat areas and edges, uint8 of shape (96, 96, 3)."""
    picture = np.full((96, 96, 3), random.uniform(60, 180, 3))
    for _ in range(40):
        top, left = random.integers(0, 90, 2)
        height, width = random.integers(5, 45, 2)
        picture[top : top + height, left : left + width] = random.uniform(20, 235, 3)
    return picture


def seen(picture, random, at):
    """Return a frame: light that varies over the day, sensor noise, and now and then somebody in front of it."""
    picture = picture * (1 + 0.15 * np.sin(2 * np.pi * (at - START) / 9000))
    if int(at - START) // 100 % 5 == 0:
        place = int(at - START) // 500 * 17 % 60
        picture[40:80, place : place + 25] = (90, 60, 40)
    return (picture + random.normal(0, 3, picture.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def rooms():
    """Return the baseline of many drawn rooms."""
    random = np.random.default_rng(5)
    pictures = ((scene(random) * random.uniform(0.5, 1.1)).clip(0, 255).astype(np.uint8) for _ in range(200))
    return fit_baseline(pictures, {"cat": 1.0}, None)


def watch(monitor, picture, begin, hours, random):
    found = []
    for at in np.arange(begin, begin + hours * HOUR_S, SAMPLE_S):
        found += monitor.look(float(at), seen(picture, random, at), "cat", unfamiliar=None)
    return found


@pytest.mark.parametrize("seed", range(4))
def test_a_fixed_camera_raises_no_alarm_until_it_is_moved(rooms, seed):
    random = np.random.default_rng(seed)
    monitor, picture = Monitor(rooms), scene(random)
    assert watch(monitor, picture, START, 1.5, random) == []
    moved = np.roll(picture, (12, 17), (0, 1))
    found = watch(monitor, moved, START + 1.5 * HOUR_S, 0.5, random)
    assert [(change.reason.name, change.began) for change in found] == [("moved", True)]
    assert found[0].at - (START + 1.5 * HOUR_S) < 600
    found = watch(monitor, picture, START + 2 * HOUR_S, 0.3, random)
    assert [(change.reason.name, change.began) for change in found] == [("moved", False)]


def test_a_fixed_camera_in_the_tail_of_the_training_reports_only_a_change(rooms):
    random = np.random.default_rng(1)
    monitor, picture = Monitor(rooms), scene(random)
    usual = look_of(seen(picture, random, START)).brightness
    dim = picture * (rooms.quantiles[2, 0] * 1.02 / usual)  # darker than 95% of the training
    assert watch(monitor, dim, START, 1.5, random) == []
    monitor = Monitor(rooms)
    assert watch(monitor, picture, START, 1.5, random) == []
    found = watch(monitor, dim, START + 1.5 * HOUR_S, 0.3, random)
    assert [change.reason.name for change in found] == ["darker"]


def days_of(monitor, picture, random, days, light):
    """Show a scene for some days, in a light that depends on the hour of the day, with one sample in 12 seconds."""
    shown = [sample_of(seen(picture * light(hour / 4), random, START), monitor.baseline) for hour in range(96)]
    found = []
    for at in np.arange(START, START + days * 24 * HOUR_S, 3 * SAMPLE_S):
        sample = shown[int((at - START) // 900) % 96]
        look = tuple(value * (1 + random.normal(0, 0.01)) for value in sample.look)
        found += monitor.add(sample._replace(at=float(at), look=look), "cat")
    return found, START + days * 24 * HOUR_S


def test_a_fixed_scene_that_was_the_same_for_a_day_reports_other_light_within_that_of_the_training(rooms):
    random = np.random.default_rng(3)
    monitor, picture = Monitor(rooms), scene(random)
    found, end = days_of(monitor, picture, random, 1.1, lambda _: 1.0)
    assert found == []
    found = watch(monitor, 0.72 * picture, end, 0.3, random)
    assert [(change.reason.name, change.reason.than_usual) for change in found] == [("darker", True)]
    assert found[0].at - end < 600
    assert found[0].reason.sentence(end).startswith("darker than usual, since")


def test_a_fixed_scene_in_the_light_of_the_day_and_a_lamp_at_night_raises_no_alarm(rooms):
    random = np.random.default_rng(3)
    monitor, picture = Monitor(rooms), scene(random)
    found, _ = days_of(monitor, picture, random, 4, lambda hour: 0.55 + 0.45 * (7 < hour % 24 < 19))
    assert found == []


def test_a_restarted_monitor_knows_the_background_and_what_was_different(rooms):
    random = np.random.default_rng(2)
    monitor, picture = Monitor(rooms), scene(random)
    watch(monitor, picture, START, 1, random)
    state = json.loads(json.dumps(monitor.to_json()))
    assert len(json.dumps(state)) < 20_000
    again = Monitor(rooms)
    again.restore(state)
    assert json.loads(json.dumps(again.to_json())) == state
    moved = np.roll(picture, (12, 17), (0, 1))
    found = watch(again, moved, START + HOUR_S, 0.2, random)
    assert [change.reason.name for change in found] == ["moved"]
    third = Monitor(rooms)
    third.restore(json.loads(json.dumps(again.to_json())))
    assert third.reasons == again.reasons


def test_a_clock_that_steps_back_or_a_long_gap_begins_a_new_window(rooms):
    random = np.random.default_rng(2)
    monitor, picture = Monitor(rooms), scene(random)
    watch(monitor, picture, START, 0.3, random)
    for begin in (START - 10 * HOUR_S, START + 100 * HOUR_S):
        assert watch(monitor, picture, begin, 0.3, random) == []


def test_the_history_is_bounded(rooms):
    monitor, sample = Monitor(rooms), sample_of(np.zeros((96, 96, 3), np.uint8), rooms)
    for hour in range(24 * 60):
        monitor.add(sample._replace(at=START + hour * HOUR_S), f"label {hour}")
    assert (len(monitor.history.hours), len(monitor.history.days)) == (48, 31)
    assert len(json.dumps(monitor.to_json())) < 60_000


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.update(version=9),
        lambda state: state.pop("usual"),
        lambda state: state["usual"].update(mean=[0.5]),
        lambda state: state["usual"].update(mean=["nan"] * 6),
        lambda state: state["background"].update(means="AAAA"),
        lambda state: state["background"].update(samples="many"),
        lambda state: state["history"].update(hours={"x": {}}),
        lambda state: state.update(reasons={"darker": {"since": "x"}}),
    ],
)
def test_a_damaged_state_is_refused_and_changes_nothing(rooms, spoil):
    monitor = Monitor(rooms)
    before = state = monitor.to_json()
    state = json.loads(json.dumps(state))
    spoil(state)
    with pytest.raises((ValueError, KeyError, TypeError)):
        monitor.restore(state)
    assert monitor.to_json() == before
