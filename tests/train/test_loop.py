"""The training loop in one process: it learns, repeats itself to the bit, and goes on exactly where it stopped."""

from __future__ import annotations

import copy
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_methods import Tiny

from soundspot import weights
from soundspot.data.loader import Stack
from soundspot.data.training import Plan, TrainingSet, training_batches
from soundspot.predictions import Predictions
from soundspot.train import checkpoint
from soundspot.train.clips import find_clips
from soundspot.train.distributed import Ranks
from soundspot.train.logs import Metrics
from soundspot.train.loop import TrainResult, train
from soundspot.train.recipe import DataSpec, Recipe
from soundspot.train.steps import Stepper, learning_rate
from soundspot.train.validate import Curve, retrieval_at_one
from soundspot.types import Target, UserError

RECIPE = Recipe(
    "tiny",
    "tiny_methods:Tiny",
    options={"dropout": 0.2, "noise": 0.1},
    data=DataSpec("flickr"),
    epochs=2,
    batch_size=4,
    learning_rate=1e-2,
    schedule="cosine",
    warmup_steps=2,
    clip_norm=1.0,
    num_workers=0,
    log_steps=1,
)
"""6 steps an epoch on the 26 clips of `pairs_root`."""


def run(recipe: Recipe, root: Path, out: Path, **more: Any) -> TrainResult:
    return train(recipe, root=root, out=out, progress=False, **more)


def measured(result: TrainResult) -> list[dict[str, Any]]:
    """metrics.jsonl without what the clock says."""
    rows = [json.loads(line) for line in result.metrics.read_text().splitlines()]
    return [{key: row[key] for key in row if key not in ("seconds", "samples_per_second")} for row in rows]


def assert_same_state(one: TrainResult, other: TrainResult) -> None:
    left, right = (checkpoint.read_newest(result.out).state for result in (one, other))
    assert left.tensors.keys() == right.tensors.keys()
    for name, tensor in left.tensors.items():
        assert torch.equal(tensor, right.tensors[name]), name
    for facts in (left.facts, right.facts):
        facts.pop("metrics_bytes")  # the clock's digits
        facts["recipe"] = None  # num_workers and the like may differ
    assert left.facts == right.facts
    assert measured(one) == measured(other)


@pytest.fixture(scope="module")
def whole(pairs_root: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    return run(RECIPE, pairs_root, tmp_path_factory.mktemp("whole"))


def test_a_run_learns_and_says_what_it_did(whole: TrainResult) -> None:
    rows = measured(whole)
    assert [row["step"] for row in rows] == list(range(1, 13))
    assert rows[-1]["loss"] < rows[0]["loss"]
    assert rows[0].keys() >= {"loss", "loss_nce", "loss_drift", "learning_rate", "gradient_norm", "epoch"}
    summary = json.loads((whole.out / "summary.json").read_text())
    assert summary == whole.summary
    assert summary["init"] == "random init"
    assert (summary["clips_listed"], summary["clips_used"], summary["clips_missing"]) == (26, 26, 0)
    assert (summary["steps"], summary["epochs"], summary["finished"]) == (12, 2, True)
    assert json.loads((whole.out / "recipe.json").read_text())["clip_norm"] == 1.0
    assert list((whole.out / "tensorboard").iterdir()), "TensorBoard is among the development tools"


def test_progress_goes_to_stderr_with_the_speed(
    pairs_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(RECIPE, root=pairs_root, out=tmp_path, max_steps=2)
    shown = capsys.readouterr()
    assert "samples/s" in shown.err
    assert "tiny" in shown.err
    assert shown.out == ""


def test_the_metrics_do_without_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # as if it were not installed
    metrics = Metrics(tmp_path)
    metrics.write("step", 1, {"loss": 2.0})
    metrics.close()
    assert json.loads(metrics.path.read_text()) == {"kind": "step", "step": 1, "loss": 2.0}
    assert not (tmp_path / "tensorboard").exists()


def test_a_need_that_the_loop_cannot_meet_is_refused(pairs_root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tiny_methods:Smelling needs \['smell'\]"):
        run(replace(RECIPE, method="tiny_methods:Smelling", options={}), pairs_root, tmp_path)


def test_the_weights_are_the_last_ones_and_load(whole: TrainResult) -> None:
    assert whole.weights is not None
    method = weights.load(whole.weights, method=RECIPE.method)
    state = checkpoint.read_newest(whole.out).state
    assert torch.equal(method.state_dict()["image.weight"], state.tensors["method/image.weight"])
    assert json.loads(method.provenance["recipe"])["name"] == "tiny"
    assert method.provenance["init"] == "random init"


@pytest.mark.parametrize("change", [{}, {"num_workers": 2}, {"cache": "memory"}])
def test_a_seed_fixes_every_bit_whatever_reads_the_data(
    change: dict[str, Any], whole: TrainResult, pairs_root: Path, tmp_path: Path
) -> None:
    assert_same_state(run(replace(RECIPE, **change), pairs_root, tmp_path), whole)


def test_another_seed_is_another_run(whole: TrainResult, pairs_root: Path, tmp_path: Path) -> None:
    other = run(replace(RECIPE, seed=1), pairs_root, tmp_path, max_steps=1)
    assert measured(other)[0]["loss"] != measured(whole)[0]["loss"]


@pytest.mark.parametrize("stop", [3, 6, 8])
def test_a_stopped_run_goes_on_to_the_same_bits(
    stop: int, whole: TrainResult, pairs_root: Path, tmp_path: Path
) -> None:
    first = run(RECIPE, pairs_root, tmp_path, max_steps=stop)
    assert first.weights is None
    assert first.summary["finished"] is False
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002
    assert_same_state(run(RECIPE, pairs_root, tmp_path, resume=True), whole)


def test_a_killed_run_goes_on_from_its_last_checkpoint(
    whole: TrainResult, pairs_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = iter(range(100))
    after_step = Tiny.after_step

    def killed(self: Tiny) -> None:
        after_step(self)
        if next(steps) == 9:  # the tenth step; the last checkpoint is that of step 8
            raise KeyboardInterrupt

    frequent = replace(RECIPE, checkpoint_steps=4)
    with monkeypatch.context() as patch:
        patch.setattr(Tiny, "after_step", killed)
        with pytest.raises(KeyboardInterrupt):
            run(frequent, pairs_root, tmp_path)
    assert checkpoint.read_newest(tmp_path).state.facts["now"]["step"] == 8
    assert_same_state(run(frequent, pairs_root, tmp_path, resume=True), whole)


def test_a_damaged_checkpoint_is_passed_over_and_the_run_still_ends_the_same(
    whole: TrainResult, pairs_root: Path, tmp_path: Path
) -> None:
    run(replace(RECIPE, checkpoint_steps=2), pairs_root, tmp_path, max_steps=5)
    current = tmp_path / checkpoint.CURRENT
    current.write_bytes(current.read_bytes()[: current.stat().st_size // 2])
    result = run(RECIPE, pairs_root, tmp_path, resume=True)
    assert checkpoint.PREVIOUS in result.summary["notes"][0]
    assert_same_state(result, whole)


def test_resuming_refuses_another_recipe_and_a_used_folder_is_not_overwritten(
    whole: TrainResult, pairs_root: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="another recipe's learning_rate"):
        run(replace(RECIPE, learning_rate=1.0), pairs_root, whole.out, resume=True)
    with pytest.raises(UserError, match="with a run in it; resume it, or choose another"):
        run(RECIPE, pairs_root, whole.out)
    with pytest.raises(UserError, match="expected a checkpoint"):
        run(RECIPE, pairs_root, tmp_path, resume=True)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda facts, tensors: facts.pop("num_clips"),
        lambda facts, tensors: facts["now"].update(other=1),
        lambda facts, tensors: facts.update(optimizer=3),
        lambda facts, tensors: facts.update(recipe=[]),
        lambda facts, tensors: tensors.pop("method/image.weight"),
        lambda facts, tensors: tensors.update({"method/image.weight": torch.zeros(1)}),
    ],
)
def test_a_whole_checkpoint_of_something_else_is_one_line(spoil: Any, pairs_root: Path, tmp_path: Path) -> None:
    run(RECIPE, pairs_root, tmp_path, max_steps=3)
    state = checkpoint.read_newest(tmp_path).state
    spoil(state.facts, state.tensors)
    checkpoint.write(tmp_path, state)
    with pytest.raises(UserError, match=r"checkpoint\.safetensors: expected a checkpoint that this version wrote, got"):
        run(RECIPE, pairs_root, tmp_path, resume=True)


def test_a_run_that_had_ended_can_be_resumed_to_no_effect(whole: TrainResult, pairs_root: Path) -> None:
    before = checkpoint.read_newest(whole.out).state.tensors["method/image.weight"]
    again = run(RECIPE, pairs_root, whole.out, resume=True)
    assert again.summary["steps"] == 12
    assert torch.equal(checkpoint.read_newest(whole.out).state.tensors["method/image.weight"], before)


def stacks_of(root: Path, method: Tiny, batch_size: int, accumulate: int) -> list[Stack]:
    clips = find_clips(RECIPE, root)
    training = TrainingSet(clips.training, method.inputs, seed=0)
    made = training_batches(training, Plan(26, batch_size, accumulate), epochs=1)
    return [stacks[0] for (stacks, _), _ in zip(made, range(accumulate), strict=False)]


def test_accumulation_steps_along_the_mean_of_the_batches_gradients(pairs_root: Path) -> None:
    plain = replace(RECIPE, optimizer="sgd", momentum=0.0, clip_norm=0.0)
    method = Tiny()
    stepper = Stepper(plain, method, method.inputs, Ranks())
    stacks = stacks_of(pairs_root, method, 4, accumulate=3)
    start = copy.deepcopy(method.state_dict())
    moves, losses = [], []
    for stacked in stacks:
        method.load_state_dict(start)
        terms, _ = stepper.step([stacked], rate=0.1)
        losses.append(float(terms["nce"]))
        moves.append(method.image.weight.detach() - start["image.weight"])
    method.load_state_dict(start)
    terms, _ = stepper.step(stacks, rate=0.1)
    assert torch.allclose(method.image.weight - start["image.weight"], torch.stack(moves).mean(dim=0), atol=1e-6)
    assert float(terms["nce"]) == pytest.approx(np.mean(losses), rel=1e-5)


def test_clipping_limits_the_step(pairs_root: Path) -> None:
    method = Tiny()
    plain = replace(RECIPE, optimizer="sgd", momentum=0.0, clip_norm=1e-3)
    before = torch.cat([parameter.detach().flatten() for parameter in method.parameters()])
    _, norm = Stepper(plain, method, method.inputs, Ranks()).step(stacks_of(pairs_root, method, 4, 1), rate=1.0)
    after = torch.cat([parameter.detach().flatten() for parameter in method.parameters() if parameter.requires_grad])
    trained = torch.cat([torch.full((p.numel(),), p.requires_grad) for p in method.parameters()])
    assert norm is not None
    assert float(norm) > 1e-3
    assert float((after - before[trained]).norm()) == pytest.approx(1e-3, rel=1e-3)


def test_autocast_runs_the_towers_in_bfloat16(pairs_root: Path) -> None:
    seen = []
    method = Tiny()
    method.image.register_forward_hook(lambda module, given, made: seen.append(made.dtype))
    stacks = stacks_of(pairs_root, method, 4, 1)
    for kind in ("off", "bfloat16"):
        recipe = replace(RECIPE, autocast=kind)  # type: ignore[arg-type]
        terms, _ = Stepper(recipe, method, method.inputs, Ranks()).step(stacks, rate=0.0)
        assert torch.isfinite(terms["nce"])
    assert seen == [torch.float32, torch.bfloat16]


def test_schedules_are_functions_of_the_step() -> None:
    def rates(**change: Any) -> list[float]:
        recipe = replace(RECIPE, learning_rate=1.0, epochs=4, **change)
        return [learning_rate(recipe, step, steps_per_epoch=2) for step in range(8)]

    assert rates(schedule="constant", warmup_steps=0) == [1.0] * 8
    assert rates(schedule="constant", warmup_steps=4) == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0]
    assert rates(schedule="step", warmup_steps=0, decay_epochs=2, decay_factor=0.5) == [1.0] * 4 + [0.5] * 4
    cosine = rates(schedule="cosine", warmup_steps=2)
    assert cosine[:3] == [0.5, 1.0, 1.0]
    assert cosine[5] == pytest.approx(0.5)
    assert cosine == sorted(cosine[:2]) + sorted(cosine[2:], reverse=True)


def test_a_clip_that_cannot_be_read_is_recorded_once_and_counted(pairs_root: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    for folder in ("frames", "audio"):
        (root / folder).mkdir(parents=True)
        for path in (pairs_root / folder).iterdir():
            (root / folder / path.name).write_bytes(path.read_bytes())
    (root / "frames" / "clip003.png").write_bytes(b"not a picture")
    (root / "frames" / "clip007.png").unlink()
    (root / "ids.txt").write_text("".join(f"clip{number:03d}\n" for number in range(26)))
    recipe = replace(RECIPE, data=DataSpec("flickr", ids="ids.txt"), drop_last=False)
    result = run(recipe, root, tmp_path / "out")
    rows = [json.loads(line) for line in (tmp_path / "out" / "missing.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["clip003", "clip007"]
    assert "clip003.png" in rows[0]["reason"]
    assert (result.summary["clips_listed"], result.summary["clips_used"], result.summary["clips_missing"]) == (
        26,
        24,
        2,
    )


def test_a_loss_that_is_no_number_stops_the_run(pairs_root: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, options={"explode": True}, clip_norm=0.0)
    with pytest.raises(UserError, match=r"the loss became (nan|inf|-inf) at step 1; lower learning_rate"):
        run(recipe, pairs_root, tmp_path)


def test_masks_of_a_folders_boxes_reach_a_method_that_needs_them(pairs_root: Path, tmp_path: Path) -> None:
    root = tmp_path / "folder"
    shutil.copytree(pairs_root, root)
    names = sorted(path.stem for path in (root / "frames").iterdir())
    rows = [{"id": name, "image": f"frames/{name}.png", "audio": f"audio/{name}.wav"} for name in names]
    boxed = [{**row, "boxes": [[0.0, 0.0, 1.0, 1.0]]} for row in rows[:20]]
    silent = [{**row, "kind": "silent"} for row in rows[20:]]
    (root / "scenes.jsonl").write_text("\n".join(json.dumps(row) for row in [*boxed, *silent]))
    recipe = replace(RECIPE, data=DataSpec("folder"), options={"needs_mask": True}, epochs=1)
    result = run(recipe, root, tmp_path / "out")
    assert all(row["loss_mask"] > 0 for row in measured(result))
    assert result.summary["clips_missing"] == 0


def test_an_epoch_without_any_readable_clip_is_an_error(pairs_root: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, options={"needs_mask": True})  # the flickr layout has no masks
    with pytest.raises(UserError, match=r"got none; the first: .*expected a mask or boxes"):
        run(recipe, pairs_root, tmp_path)


@pytest.mark.parametrize("rule", ["retrieval", "loss"])
def test_held_out_clips_choose_the_weights(rule: str, pairs_root: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, epochs=3, validation_fraction=0.3, choose=rule, learning_rate=0.05)  # type: ignore[arg-type]
    result = run(recipe, pairs_root, tmp_path)
    rows = [row for row in measured(result) if row["kind"] == "validation"]
    assert len(rows) == 3
    values = [-row["loss"] if rule == "loss" else (row["sound_to_image"] + row["image_to_sound"]) / 2 for row in rows]
    assert result.summary["weights_of_epoch"] == 1 + int(np.argmax(values))
    assert result.summary["clips_held_out"] > 0
    chosen, last = (load_file(tmp_path / name)["image.weight"] for name in ("weights.safetensors", "last.safetensors"))
    state = checkpoint.read_newest(tmp_path).state
    assert torch.equal(last, state.tensors["method/image.weight"])
    assert torch.equal(chosen, last) == (result.summary["weights_of_epoch"] == 3)


def test_looking_at_held_out_clips_or_a_curve_does_not_move_the_run(pairs_root: Path, tmp_path: Path) -> None:
    pairs = [(clip, Target(clip.id, boxes=((0, 0, 1, 1),))) for clip, _ in find_clips(RECIPE, pairs_root).training[:5]]
    calls = iter((0.3, 0.1))

    def score(made: Predictions, targets: Sequence[Target]) -> Mapping[str, float]:
        assert set(made.maps) == {target.clip_id for target in targets}
        torch.randn(7)
        return {"ciou": next(calls)}

    held_out = replace(RECIPE, validation_fraction=0.2)
    plain = run(held_out, pairs_root, tmp_path / "plain")
    curved = run(held_out, pairs_root, tmp_path / "curved", curve=Curve("five", pairs, score, "ciou"))
    steps = [[row for row in measured(result) if row["kind"] == "step"] for result in (plain, curved)]
    assert steps[0] == steps[1]
    curve = json.loads((tmp_path / "curved" / "curve.json").read_text())
    assert (curve["benchmark"], curve["best_on_test"], curve["best_on_test_epoch"]) == ("five", 0.3, 1)
    assert (curve["last"], curve["gap"]) == (0.1, pytest.approx(0.2))
    assert curve["epochs"][0] == {"ciou": 0.3, "clips_used": 5, "clips_listed": 5}
    assert not list((tmp_path / "curved").glob("best*")), "a test set never chooses weights"


def test_retrieval_counts_strict_winners_only() -> None:
    vectors = torch.eye(4)
    assert retrieval_at_one(vectors, vectors) == {"sound_to_image": 1.0, "image_to_sound": 1.0}
    assert retrieval_at_one(torch.ones(4, 4), torch.ones(4, 4)) == {"sound_to_image": 0.0, "image_to_sound": 0.0}
    assert retrieval_at_one(vectors, vectors.flip(0))["sound_to_image"] == 0.0
    one_way = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.9]])
    assert retrieval_at_one(one_way, one_way[[0, 1, 1]])["image_to_sound"] == pytest.approx(1 / 3)


def test_a_run_can_start_from_a_whole_methods_weights_or_its_picture_towers(
    whole: TrainResult, pairs_root: Path, tmp_path: Path
) -> None:
    assert whole.weights is not None
    started = run(replace(RECIPE, learning_rate=0.0), pairs_root, tmp_path / "a", init=whole.weights, max_steps=1)
    assert "weights.safetensors" in started.summary["init"]
    assert weights.sha256(whole.weights) in started.summary["init"]
    state = checkpoint.read_newest(tmp_path / "a").state.tensors
    assert torch.equal(state["method/image.weight"], load_file(whole.weights)["image.weight"])
    save_file({"weight": torch.zeros(1)}, tmp_path / "tower.safetensors")
    tower = run(RECIPE, pairs_root, tmp_path / "b", init=tmp_path / "tower.safetensors", max_steps=1)
    assert tower.summary["init"] == "image: file etensors"
    torch.save({"weight": torch.zeros(1)}, tmp_path / "tower.pth")
    with pytest.raises(UserError, match=r"`soundspot convert .*tower\.pth backbone .*tower\.safetensors`$"):
        run(RECIPE, pairs_root, tmp_path / "p", init=tmp_path / "tower.pth", max_steps=1)
    with pytest.raises(UserError, match=r"expected initial weights at .*gone"):
        run(RECIPE, pairs_root, tmp_path / "c", init=tmp_path / "gone.pth")


def test_too_few_clips_are_refused(pairs_root: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected at least 4 training clips .*, got 3; lower batch_size"):
        run(RECIPE, pairs_root, tmp_path, limit_clips=3)
    with pytest.raises(UserError, match="expected the data's folder"):
        train(RECIPE, out=tmp_path)
