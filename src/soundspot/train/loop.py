"""The training loop: it knows no method, no data set and no metric."""

from __future__ import annotations

import json
import math
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from soundspot import weights
from soundspot.data.decoding import AREAS
from soundspot.data.features import KeptFeatures, KeptStack
from soundspot.data.loader import Stack
from soundspot.data.training import Plan, TrainingSet
from soundspot.data.workers import telling_of_dead_workers
from soundspot.media.files import written_aside
from soundspot.methods.base import Method
from soundspot.train import checkpoint
from soundspot.train.clips import TrainingClips, find_clips, find_neighbours
from soundspot.train.distributed import Ranks, ranks
from soundspot.train.feed import Fetched, feed_of
from soundspot.train.logs import METRICS, Bar, Clock, Metrics
from soundspot.train.progress import Progress, TrainResult
from soundspot.train.recipe import Recipe, changed_fields, recipe_json
from soundspot.train.report import account, run_facts, write_json, write_missing
from soundspot.train.restart import goes_on, note
from soundspot.train.speed import Speed, quickest_kernels
from soundspot.train.start import Start, start_method, with_classes
from soundspot.train.steps import Stepper, learning_rate
from soundspot.train.validate import Curve, Validation, curve_summary, looking
from soundspot.types import Batch, Missing, UserError

WEIGHTS = "weights.safetensors"
LAST = "last.safetensors"
BEST = "best_on_validation.safetensors"
SUPPLIED = frozenset({*AREAS, "labels", "draws", "neighbour", "flow", "frames", "waveform"})
"""What a method may need beyond picture and sound."""


def train(
    recipe: Recipe,
    *,
    root: Path | None = None,
    out: Path,
    init: Path | str | None = None,
    init_audio: Path | str | None = None,
    resume: bool = False,
    curve: Curve | None = None,
    kept: KeptFeatures | None = None,
    test_ids: Mapping[str, Iterable[str]] | None = None,
    device: str = "cpu",
    limit_clips: int | None = None,
    max_steps: int | None = None,
    progress: bool = True,
) -> TrainResult:
    """Run a recipe; everything it makes goes to `out`. Under `torchrun` all its processes train together.

    `init`: weights to start from (a picture tower's, or a whole method's), `init_audio` a sound tower's; files, or
    `encoder:NAME`, or `timm:ARCHITECTURE.TAG`. `resume`: go on from the newest checkpoint
    in `out`, to the bit; processes that `torchrun`'s agent started anew do so by themselves. `curve`: a benchmark to
    score after each epoch, as a diagnostic. `kept`: under cache=features, those of an earlier run with the same clips
    and frozen parts. `test_ids`: further lists to check for leaks.
    `limit_clips`: only so many training clips. `max_steps`: stop there, to be resumed.
    Raises UserError on leaks, on data or files that do not fit, and when the loss is no longer a number.
    """
    place = root or (Path(recipe.data.root) if recipe.data.root else None)
    if place is None:
        raise UserError(f"recipe {recipe.name}: expected the data's folder, got none; give root, or set data.root")
    with ranks(device) as here, quickest_kernels(torch.device(device)), telling_of_dead_workers():
        clips = find_clips(recipe, place, test_ids)
        if limit_clips is not None:
            clips = replace(clips, training=clips.training[:limit_clips], limit=limit_clips)
        if kept is not None and recipe.cache != "features":
            raise UserError(f"expected cache=features for a run on kept features, got cache={recipe.cache}; set it")
        start = start_method(with_classes(recipe, [clip for clip, _ in clips.training]), init, init_audio)
        run = Run(recipe, clips, out, start, here, curve)
        run.kept = kept
        if goes_on(out, resume=resume, first=here.first):
            run.resume()
        run.notes += note(run.now.step)
        return run.go(max_steps, shown=progress and here.first)


class Run:
    """One training run on this rank."""

    def __init__(
        self, recipe: Recipe, clips: TrainingClips, out: Path, start: Start, here: Ranks, curve: Curve | None
    ) -> None:
        self.recipe, self.clips, self.out, self.ranks, self.curve = recipe, clips, out, here, curve
        self.kept: KeptFeatures | None = None
        if recipe.batch_size % here.count:
            raise UserError(f"expected a batch_size that {here.count} processes can share, got {recipe.batch_size}")
        self.start = start
        self.method: Method = self.start.method.to(here.device)
        lacking = self.method.needs - SUPPLIED
        if lacking:
            raise UserError(
                f"expected a method that needs of {sorted(SUPPLIED)}, {recipe.method} needs {sorted(lacking)}"
            )
        self.plan = Plan(
            len(clips.training),
            recipe.batch_size,
            recipe.accumulate,
            recipe.drop_last,
            recipe.seed,
            here.rank,
            here.count,
        )
        if self.plan.steps_per_epoch == 0:
            raise UserError(
                f"expected at least {recipe.batch_size * recipe.accumulate} training clips (batch_size * accumulate),"
                f" got {len(clips.training)}; lower batch_size, or set drop_last=false"
            )
        self.stepper = Stepper(recipe, self.method, self.method.inputs, here)
        self.now = Progress(missing={entry.clip_id: entry.reason for entry in clips.missing})
        self.metrics_bytes = 0
        self.randoms: dict[str, torch.Tensor] | None = None
        self.speed: Speed | None = None
        self.notes: list[str] = []

    def go(self, max_steps: int | None, shown: bool) -> TrainResult:
        """Train to the end, or to `max_steps`."""
        if self.ranks.first:
            self.out.mkdir(parents=True, exist_ok=True)
            write_json(self.out / "recipe.json", recipe_json(self.recipe))
        self.ranks.wait()
        self.stepper.settle(self.speed)
        self.metrics = Metrics(self.out, self.metrics_bytes) if self.ranks.first else None
        self.method.train()
        training = self._training_set()
        self.feed = feed_of(self.recipe, training, self.method, self.ranks, self.kept, self.stepper.note)
        batches = iter(self.feed.batches(self.plan, self.recipe.epochs, self.now.epoch, self.now.step_in_epoch))
        checkpoint.seed_everything(self.recipe.seed + 7919 * (self.ranks.rank + 1))  # ranks must not share dropout
        if self.randoms is not None:
            checkpoint.restore_random_state(self.randoms)
        total = self.recipe.epochs * self.plan.steps_per_epoch
        self.clock = Clock()
        self._begin_epoch()
        with Bar(self.recipe.name, total, self.now.step, shown) as self.bar:
            while self.now.epoch < self.recipe.epochs and (max_steps is None or self.now.step < max_steps):
                self._one_step(batches)
                if not self.now.step_in_epoch:
                    self._begin_epoch()
        if self.now.step_in_epoch:
            self._save()
        if self.metrics is not None:
            self.metrics.close()
        return self._finish()

    def _training_set(self) -> TrainingSet:
        training = TrainingSet(
            self.clips.training,
            self.method.inputs,
            seed=self.recipe.seed,
            areas=sorted(self.method.needs & AREAS.keys()),
            neighbours=find_neighbours(self.recipe, self.clips) if "neighbour" in self.method.needs else None,
            packed=self.clips.packed,
        )
        training.settle_sample_rate()
        self.validation = Validation(
            self.clips.validation,
            self.recipe.batch_size,
            self.ranks.device,
            self.recipe.num_workers,
            training.sample_rate,
            self.clips.packed,
        )
        return training

    def _one_step(self, batches: Iterator[Fetched]) -> None:
        num_batches = self.plan.num_batches(self.now.step_in_epoch)
        stacks = [stacked for stacked in (self._usable(*next(batches)) for _ in range(num_batches)) if stacked]
        rate = learning_rate(self.recipe, self.now.step, self.plan.steps_per_epoch)
        self.now.step += 1
        self.now.step_in_epoch += 1
        ends_epoch = self.now.step_in_epoch == self.plan.steps_per_epoch
        if stacks:
            terms, norm = self.stepper.step(stacks, rate)
            self.clock.count(sum(len(stacked.clips) for stacked in stacks) * self.ranks.count)
            if self.now.step % self.recipe.log_steps == 0 or ends_epoch:
                self._log(terms, norm, rate)
        else:
            self.now.empty_steps += 1
        self.bar.advance(1, f"epoch {self.now.epoch + 1} {self.clock.speed():.1f} samples/s")
        if ends_epoch:
            self._end_epoch()
        elif self.recipe.checkpoint_steps and self.now.step % self.recipe.checkpoint_steps == 0:
            self._save()

    def _usable(self, stacks: Sequence[Stack | KeptStack], missing: list[Missing]) -> Stack | KeptStack | None:
        """What this rank brings of a batch: as many clips as the rank with the fewest."""
        self.now.missing.update({entry.clip_id: entry.reason for entry in missing})
        count = len(stacks[0].clips) if stacks else 0
        least = self.ranks.smallest(count)
        self.now.trimmed += count - least
        return stacks[0].first(least) if least else None

    def _log(self, terms: Mapping[str, torch.Tensor], norm: torch.Tensor | None, rate: float) -> None:
        names = sorted(terms)
        means = self.ranks.mean(torch.stack([terms[name] for name in names]).double().tolist())  # one wait, not many
        values = {"loss": sum(means), **{f"loss_{name}": mean for name, mean in zip(names, means, strict=True)}}
        if not math.isfinite(values["loss"]):
            raise UserError(
                f"the loss became {values['loss']} at step {self.now.step}; lower learning_rate, set clip_norm, or turn"
                f" autocast off, and resume from the checkpoint in {self.out}"
            )
        self.now.last_terms = values
        if self.metrics is not None:
            clock = {"samples_per_second": self.clock.speed(), "seconds": self.clock.seconds()}
            gradient = {} if norm is None else {"gradient_norm": float(norm)}
            line = {"epoch": self.now.epoch + 1, **values, **gradient, "learning_rate": rate, **clock}
            self.metrics.write("step", self.now.step, line)
            self.clock.restart()

    def _end_epoch(self) -> None:
        if self.now.empty_steps == self.now.step:
            reason = next(iter(self.now.missing.values()), "unknown")
            raise UserError(f"expected training clips that can be read, got none; the first: {reason}")
        self.now.epoch += 1
        self.now.step_in_epoch = 0
        with looking(self.method):
            if self.clips.validation:
                self._validate()
            if self.curve is not None and self.ranks.first:
                scores = self.curve.after_epoch(
                    self.method, self.recipe.batch_size, self.ranks.device, self.recipe.num_workers
                )
                self.now.curve.append(scores)
                self._note("curve", {"benchmark": self.curve.name, **scores})
        self.ranks.wait()
        self._save()

    def _begin_epoch(self) -> None:
        self.method.before_epoch(self.now.epoch)
        begins = self.now.step_in_epoch == 0 and self.now.epoch < self.recipe.epochs
        if begins and self.method.surveys(self.now.epoch):
            with looking(self.method):
                self.method.survey(self._all_clips())

    def _all_clips(self) -> Iterator[Batch]:
        for stacked in self.feed.in_order():
            yield stacked.to_batch(self.method.inputs, self.ranks.device)

    def _validate(self) -> None:
        values: dict[str, float] = {}
        if self.recipe.choose != "retrieval":
            values["loss"] = self.validation.loss(self.method, self.ranks)
        if self.recipe.choose == "retrieval" and self.ranks.first:
            values |= self.validation.retrieval(self.method)
        if not self.ranks.first:
            return
        self._note("validation", values)
        if self.recipe.choose == "last":
            return
        by_loss = self.recipe.choose == "loss"
        value = -values["loss"] if by_loss else (values["sound_to_image"] + values["image_to_sound"]) / 2
        if self.now.best is None or value > self.now.best:
            self.now.best, self.now.best_epoch = value, self.now.epoch
            weights.save(self.method, self.out / BEST, self._origin())

    def _note(self, kind: str, values: Mapping[str, Any]) -> None:
        if self.metrics is not None:
            self.metrics.write(kind, self.now.step, {"epoch": self.now.epoch, **values})

    def _save(self) -> None:
        """Write the checkpoint; every rank takes part."""
        shares = self.ranks.collect((checkpoint.random_state(), self.now.missing, self.now.trimmed))
        self.now.missing = {name: reason for _, missing, _ in shares for name, reason in missing.items()}
        self.now.trimmed = sum(share[2] for share in shares) if self.ranks.first else 0
        if self.ranks.first:
            optimizer = checkpoint.optimizer_state(self.stepper.optimizer)
            tensors = checkpoint.with_prefix("method", self.method.state_dict())
            tensors |= checkpoint.with_prefix("memory", self.method.memory())
            tensors |= checkpoint.with_prefix("optimizer", optimizer.tensors)
            for rank, (randoms, _, _) in enumerate(shares):
                tensors |= checkpoint.with_prefix(f"random/{rank}", randoms)
            facts = {
                "recipe": recipe_json(self.recipe),
                "num_clips": len(self.clips.training),
                "num_ranks": self.ranks.count,
                "init": self.start.init,
                "now": vars(self.now),
                "optimizer": optimizer.facts,
                "speed": asdict(self.stepper.speed),
                "scaler": self.stepper.scaler.state_dict(),
                "metrics_bytes": self.metrics.position() if self.metrics else 0,
            }
            checkpoint.write(self.out, checkpoint.State(tensors, facts))
            write_missing(self.out / "missing.jsonl", self.now.missing)
        self.ranks.wait()

    def resume(self) -> None:
        """Stand where the newest checkpoint in `out` stood. UserError where it is not one of this run."""
        found = checkpoint.read_newest(self.out)
        try:
            self._stand_at(found)
        except UserError:
            raise
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:  # whole, but made by others
            raise UserError(
                f"{found.path}: expected a checkpoint that this version wrote, got another ({error});"
                " train without resume"
            ) from error

    def _stand_at(self, found: checkpoint.Found) -> None:
        facts, tensors = found.state.facts, found.state.tensors
        changed = changed_fields(facts["recipe"], recipe_json(self.recipe))
        if changed or facts["num_clips"] != len(self.clips.training):
            what = f"recipe's {', '.join(changed)}" if changed else f"number of clips ({facts['num_clips']})"
            raise UserError(f"expected the run of {found.path} to go on as it began, got another {what}; set it back")
        if found.passed_over:
            self.notes.append(f"went on from {found.path.name}: {found.passed_over}")
            if self.ranks.first:
                print(f"{self.out}: {self.notes[-1]}", file=sys.stderr)
        self.method.load_state_dict(checkpoint.under_prefix("method", tensors))
        self.method.recall(checkpoint.under_prefix("memory", tensors))
        optimizer = checkpoint.State(checkpoint.under_prefix("optimizer", tensors), facts["optimizer"])
        checkpoint.restore_optimizer(self.stepper.optimizer, optimizer)
        self.stepper.scaler.load_state_dict(facts["scaler"])
        self.speed = Speed(**facts["speed"])
        self.now = Progress(**facts["now"])
        if not self.ranks.first:
            self.now.trimmed = 0  # the first rank carries the sum on
        self.metrics_bytes = facts["metrics_bytes"]
        self.start = replace(self.start, init=facts["init"])
        if facts["num_ranks"] == self.ranks.count:
            self.randoms = checkpoint.under_prefix(f"random/{self.ranks.rank}", tensors)
        else:
            self.notes.append(
                f"went on with {self.ranks.count} ranks after {facts['num_ranks']}: not the same to the bit"
            )

    def _origin(self) -> dict[str, str]:
        """What the weights' header says of the run."""
        return {"recipe": json.dumps(recipe_json(self.recipe)), "init": self.start.init, "epochs": str(self.now.epoch)}

    def _write_weights(self) -> None:
        """The last weights, or the best on the held-out clips with the last beside them; a test set never chooses."""
        if self.recipe.choose == "last":
            weights.save(self.method, self.out / WEIGHTS, self._origin())
            return
        weights.save(self.method, self.out / LAST, self._origin())
        with written_aside(self.out / WEIGHTS) as aside:
            shutil.copyfile(self.out / BEST, aside)

    def _finish(self) -> TrainResult:
        finished = self.now.epoch == self.recipe.epochs
        chosen = self.now.best_epoch if self.recipe.choose != "last" else self.now.epoch
        summary = {
            **run_facts(self.recipe, self.start.init, self.ranks.count, self.ranks.device),
            **account(self.clips, self.now.missing),
            "finished": finished,
            "epochs": self.now.epoch,
            "steps": self.now.step,
            "weights_of_epoch": chosen,
            "validation_best": self.now.best,
            "clips_trimmed": self.now.trimmed,
            "empty_steps": self.now.empty_steps,
            "last_losses": self.now.last_terms,
            "speed": asdict(self.stepper.speed),
            "notes": self.notes + self.stepper.notes,
        }
        if self.ranks.first:
            if finished:
                self._write_weights()
            if self.curve is not None and self.now.curve:
                write_json(self.out / "curve.json", curve_summary(self.curve, self.now.curve))
            write_json(self.out / "summary.json", summary)
        self.ranks.wait()
        return TrainResult(
            out=self.out,
            weights=self.out / WEIGHTS if finished else None,
            checkpoint=self.out / checkpoint.CURRENT,
            metrics=self.out / METRICS,
            summary=summary,
            kept=self.feed if isinstance(self.feed, KeptFeatures) else None,
        )
