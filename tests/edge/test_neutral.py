"""Specify the correction by a person's own neutral face."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.calibrator import WAIT_S, Calibrator
from edge.errors import DataError, SourceError, UsageError
from edge.labels import EMOTIONS
from edge.neutral import NeutralProfile
from edge.reader import EmotionReader
from edge.smoother import UNCERTAIN_BELOW
from edge.sources.demo import PHOTOGRAPH
from tests.edge.command import run

LABELS = ("happy", "neutral", "sad")
SAD_AT_REST = np.array([0.05, 0.35, 0.6], np.float32)  # a neutral face that the network calls sad


def outputs(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_the_neutral_face_itself_becomes_neutral() -> None:
    profile = NeutralProfile.from_outputs(LABELS, [SAD_AT_REST])
    corrected = profile.apply(SAD_AT_REST)
    assert LABELS[int(corrected.argmax())] == "neutral"
    assert corrected.sum() == pytest.approx(1)


def test_the_neutral_face_itself_is_not_uncertain() -> None:
    face = np.full(len(EMOTIONS), 1 / len(EMOTIONS), np.float32)
    corrected = NeutralProfile.from_outputs(EMOTIONS, [face]).apply(face)
    others = len(EMOTIONS) - 1
    assert corrected[EMOTIONS.index("neutral")] == pytest.approx(np.exp(1.25 * 1.5) / (np.exp(1.25 * 1.5) + others))
    assert corrected.max() > UNCERTAIN_BELOW


def test_a_real_expression_stays() -> None:
    corrected = NeutralProfile.from_outputs(LABELS, [SAD_AT_REST]).apply(outputs(0.9, 0.05, 0.05))
    assert LABELS[int(corrected.argmax())] == "happy"


def test_an_output_of_zero_has_a_finite_logarithm() -> None:
    profile = NeutralProfile.from_outputs(LABELS, [outputs(0, 0, 1)])
    assert np.isfinite(profile.apply(outputs(1, 0, 0))).all()


def test_a_model_without_neutral_is_refused() -> None:
    with pytest.raises(UsageError, match="label neutral"):
        NeutralProfile.from_outputs(("bored", "focused"), [outputs(0.5, 0.5)])


def test_a_saved_profile_is_read_by_label(tmp_path: Path) -> None:
    path = tmp_path / "me.json"
    profile = NeutralProfile.from_outputs(LABELS, [SAD_AT_REST], "me")
    profile.save(path)
    other_order = NeutralProfile.load(path, ("sad", "happy", "neutral"))
    assert other_order.mean_log.tolist() == pytest.approx(profile.mean_log[[2, 0, 1]].tolist())
    assert other_order.name == "me"


def test_a_profile_belongs_to_its_model(tmp_path: Path) -> None:
    path = tmp_path / "me.json"
    NeutralProfile.from_outputs(LABELS, [SAD_AT_REST], model="a").save(str(path))
    assert NeutralProfile.load(path, LABELS, "a").model == "a"
    with pytest.raises(DataError, match="found a neutral profile of another model; make a new one"):
        NeutralProfile.load(path, LABELS, "b")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"labels": ["happy"], "mean_log": [1, 2]}',
        '{"labels": [], "mean_log": []}',
        '{"labels": ["happy", "neutral", "sad"], "mean_log": [0, 0, NaN]}',
        '{"labels": ["happy", "neutral", "sad"], "mean_log": [0, 0, 1e999]}',
        '{"labels": ["happy", "neutral", "sad"], "mean_log": [0, 0, 1' + "0" * 400 + "]}",
        '{"labels": ["happy", "neutral", "sad"], "mean_log": [[0], [0], [0]]}',
        "[" * 100_000,
        " " * 2_000_000,
        '{"labels": ["\x1b[2J"], "mean_log": {}}',
    ],
    ids=range(11),
)
def test_a_damaged_profile_is_one_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "me.json"
    path.write_text(text)
    with pytest.raises(DataError, match="neutral profile") as raised:
        NeutralProfile.load(path, LABELS)
    assert str(raised.value).isprintable()


def test_a_profile_that_would_overflow_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "me.json"
    path.write_text('{"labels": ["happy", "neutral", "sad"], "mean_log": [1e30, -1e30, 0]}')
    with pytest.raises(DataError, match="values from -100 to 100"):
        NeutralProfile.load(path, LABELS)


def test_a_countdown_calibrates_the_faces_that_are_there() -> None:
    calibrator = Calibrator(LABELS, seconds=1.0)
    calibrator.start()
    states = []
    for time_s in (0.0, 0.5, 1.0, 1.5):
        calibrator.begin_frame(time_s)
        values, calibrated = calibrator.correct(1, SAD_AT_REST)
        states.append((calibrator.remaining_s, calibrated, LABELS[int(values.argmax())]))
    assert states == [(1.0, False, "sad"), (0.5, False, "sad"), (None, True, "neutral"), (None, True, "neutral")]
    assert calibrator.correct(2, SAD_AT_REST)[1] is False, "a face that came later has no profile"
    assert calibrator.profile() is not None


def test_the_average_corrects_after_a_while_and_only_if_asked_for() -> None:
    calibrator = Calibrator(LABELS, automatic=True)
    silent = Calibrator(LABELS)
    for time_s in np.arange(0.0, WAIT_S + 1, 0.5):
        calibrator.begin_frame(float(time_s))
        silent.begin_frame(float(time_s))
        values, calibrated = calibrator.correct(1, SAD_AT_REST)
        assert calibrated == (time_s >= WAIT_S)
        assert silent.correct(1, SAD_AT_REST) == (pytest.approx(SAD_AT_REST), False)
    assert LABELS[int(values.argmax())] == "neutral"


def count_down(calibrator: Calibrator, *frames: dict[int, np.ndarray]) -> None:
    """Calibrate on the outputs of these frames, by face id; each frame takes 0.1 s."""
    calibrator.start()
    for i, faces in enumerate(frames):
        calibrator.begin_frame(0.1 * i)
        for id_, values in faces.items():
            calibrator.correct(id_, values)
    calibrator.begin_frame(100.0)


def test_a_countdown_that_is_begun_again_forgets_the_first() -> None:
    calibrator = Calibrator(LABELS)
    calibrator.start()
    calibrator.begin_frame(0.0)
    calibrator.correct(1, outputs(0.9, 0.05, 0.05))  # not neutral yet
    count_down(calibrator, {1: SAD_AT_REST})
    expected = NeutralProfile.from_outputs(LABELS, [SAD_AT_REST])
    assert calibrator._faces[1].profile is not None
    assert calibrator._faces[1].profile.mean_log.tolist() == expected.mean_log.tolist()


def test_the_face_seen_in_most_frames_is_saved() -> None:
    """Ignore a face that passes by, though its id is newer."""
    calibrator = Calibrator(LABELS)
    count_down(calibrator, {1: SAD_AT_REST}, {1: SAD_AT_REST, 2: outputs(0.9, 0.05, 0.05)}, {1: SAD_AT_REST})
    saved = calibrator.profile()
    assert saved is not None
    assert LABELS[int(saved.mean_log.argmax())] == "sad"


def test_of_two_faces_seen_equally_often_the_first_is_saved() -> None:
    calibrator = Calibrator(LABELS)
    count_down(calibrator, {1: SAD_AT_REST, 2: outputs(0.9, 0.05, 0.05)})
    saved = calibrator.profile()
    assert saved is not None
    assert LABELS[int(saved.mean_log.argmax())] == "sad"


def test_a_countdown_without_a_face_says_so(capfd: pytest.CaptureFixture[str]) -> None:
    calibrator = Calibrator(LABELS, seconds=2.0)
    count_down(calibrator, {})
    assert capfd.readouterr().err == "no face was seen in 2 seconds: no reading is corrected\n"


def test_the_average_of_the_face_seen_for_longest_is_saved() -> None:
    calibrator = Calibrator(LABELS, automatic=True, model="a")
    for time_s in np.arange(0.0, WAIT_S + 1, 0.5):
        calibrator.begin_frame(float(time_s))
        calibrator.correct(1, SAD_AT_REST)
        if time_s > 20:
            calibrator.correct(2, outputs(0.9, 0.05, 0.05))
    saved = calibrator.profile()
    assert saved is not None
    assert (LABELS[int(saved.mean_log.argmax())], saved.model) == ("sad", "a")


def test_the_average_does_not_count_the_time_of_an_outage() -> None:
    calibrator = Calibrator(LABELS, automatic=True)
    for time_s in (0.0, 0.5, WAIT_S + 1):
        calibrator.begin_frame(time_s)
        assert calibrator.correct(1, SAD_AT_REST)[1] is False


def test_faces_are_forgotten_so_that_days_take_no_more_memory() -> None:
    """Keep the calibrated face, which stays visible."""
    calibrator = Calibrator(LABELS)
    count_down(calibrator, {0: SAD_AT_REST})
    for id_ in range(1, 1000):
        assert calibrator.correct(0, SAD_AT_REST)[1]
        calibrator.correct(id_, SAD_AT_REST)
    assert len(calibrator._faces) <= 100


def test_the_reader_is_calibrated_by_a_picture() -> None:
    reader = EmotionReader()
    (before,) = reader.read(PHOTOGRAPH)
    profile = reader.calibrate(PHOTOGRAPH)  # whoever always smiles, is neutral when smiling
    (after,) = reader.read(PHOTOGRAPH)
    assert (before.emotion, before.calibrated) == ("happy", False)
    assert after.calibrated
    assert after.label == "neutral", "not uncertain"
    reader.forget_neutral()
    assert reader.read(PHOTOGRAPH) == [before]
    reader.calibrate(profile)
    assert reader.read(PHOTOGRAPH) == [after]
    with pytest.raises(SourceError, match="does not exist"):
        reader.calibrate("missing.jpg")
    with pytest.raises(DataError, match="found no face"):
        reader.calibrate(np.zeros((64, 64, 3), np.uint8))


def test_a_profile_of_another_model_is_refused_by_the_reader(tmp_path: Path) -> None:
    with EmotionReader() as reader, EmotionReader("tiny") as other:
        profile = reader.calibrate(PHOTOGRAPH)
        profile.save(tmp_path / "me.json")
        for foreign in (profile, tmp_path / "me.json"):
            with pytest.raises(DataError, match="found a neutral profile of another model"):
                other.calibrate(foreign)
        by_hand = NeutralProfile.from_outputs(profile.labels, [np.full(len(profile.labels), 0.1, np.float32)])
        assert other.calibrate(by_hand) is by_hand


@pytest.mark.parametrize("option", ["3", "auto"])
def test_pictures_cannot_be_calibrated_over_time(option: str) -> None:
    result = run(str(PHOTOGRAPH), "--no-display", "--neutral", option)
    assert result.returncode == 2
    assert f"expected a video or camera for --neutral {option}, found pictures" in result.stderr


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("--save-neutral me.txt", "expected --save-neutral with a name ending in .json, found me.txt"),
        ("--neutral me.json --events me.json", "expected --events other than"),
        ("--save-neutral me.json", "expected --neutral with --save-neutral"),
        ("--neutral missing.jpg", "found missing.jpg, which does not exist"),
    ],
)
def test_profiles_are_told_from_pictures_and_not_overwritten(options: str, error: str) -> None:
    result = run("demo", "--no-display", *options.split())
    assert result.returncode == 2
    assert error in result.stderr


def test_the_command_counts_down_marks_events_and_saves_the_profile(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    profile = tmp_path / "me.json"
    arguments = f"demo --no-display --max-frames 60 --neutral 1 --save-neutral {profile} --events {events}"
    result = run(*arguments.split())
    assert result.returncode == 0
    assert "hold a neutral face for 1 seconds" in result.stdout
    calibrated = [json.loads(line)["faces"][0].get("calibrated", False) for line in events.read_text().splitlines()]
    assert calibrated == [False] * 30 + [True] * 30
    assert json.loads(profile.read_text())["name"] == "me"
