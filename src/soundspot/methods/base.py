"""What every method is to the rest of soundspot: a module that says what it eats and gives raw maps and losses."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from soundspot.lookup import find
from soundspot.types import Batch, Inputs, UserError

Option = int | float | str | bool
Space = Literal["projected", "backbone"]
"""Where vectors for retrieval live: where the method's own heads put them, or as its encoders give them."""
Embed = Callable[[Batch], tuple[Tensor, Tensor]]
"""What gives unit vectors (B, C) of a batch's pictures and (B, C) of its sounds."""

VAGUE_SHARE = 0.5
"""The name of a family, such as Animal, must be twice as likely as an exact one to come first."""

IMAGE_NORMS: dict[str, tuple[tuple[float, float, float], tuple[float, float, float]]] = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "clip": ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)),
    "lite": ((127 / 255,) * 3, (128 / 255,) * 3),  # EfficientNet-Lite: (bytes - 127) / 128
}
"""Mean and standard deviation of a picture's channels, by the weights they go with."""


class Method(nn.Module):
    """Base of all methods. A subclass takes plain options, sets `inputs`, and says how to localize and what to lose."""

    inputs: Inputs
    needs: frozenset[str] = frozenset()
    """What of a batch it needs beyond image and audio: "draws", "neighbour", "flow", "frames", "labels", "mask", ..."""
    trains: ClassVar[bool] = True
    """Whether it can be trained: priors and training-free methods cannot."""
    stages: ClassVar[tuple[str, ...]] = ()
    """Names of its training stages in order, chosen by its option `stage`; none where there is one stage only."""
    score_range: tuple[float, float] | None = None
    """The bounds of a raw score, where there are any."""
    hears: ClassVar[bool] = True
    """False for priors, whose maps do not depend on the sound."""
    side_by_side: ClassVar[bool] = False
    """Whether `localize_and_hear` may run in several threads at once, after it ran once."""
    options: dict[str, Option]
    """The constructor's arguments, defaults included; noted before the constructor runs."""
    initial: dict[str, str]
    """What each tower started from: "random init", or the weights' file name and SHA-256."""
    provenance: dict[str, str]
    """Where loaded weights come from (method, options, weights_sha256, licence, source); empty before."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Note the options: the constructor's arguments; a last `**rest` stands for those of the class above."""
        super().__init_subclass__(**kwargs)
        parameters = list(inspect.signature(cls.__init__, eval_str=False).parameters.values())[1:]
        if parameters and parameters[-1].kind is inspect.Parameter.VAR_KEYWORD:
            own = {parameter.name for parameter in parameters}
            above = inspect.signature(cls.__mro__[1]).parameters.values()
            parameters[-1:] = [each.replace(kind=each.KEYWORD_ONLY) for each in above if each.name not in own]
        cls.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]

    def __new__(cls, *args: Any, **kwargs: Any) -> Method:
        method = super().__new__(cls)
        given = inspect.signature(cls).bind_partial(*args, **kwargs)
        given.apply_defaults()
        object.__setattr__(method, "options", dict(given.arguments))
        return method

    def __init__(self) -> None:
        super().__init__()
        self.initial = {}
        self.provenance = {}

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        """The loss: DistributedDataParallel synchronises gradients only of what runs through forward."""
        return self.loss(batch)

    def localize(self, batch: Batch) -> Tensor:
        """Raw scores at the method's own resolution, (B, h, w); never moves a weight.

        (B, K, h, w) of methods that tell classes apart: a map a name in `class_names`.
        """
        raise NotImplementedError

    class_names: tuple[str, ...] = ()
    """What each map of a method stands for that tells classes apart; its `tag_names` are then the same."""

    def see(self, batch: Batch) -> Tensor:
        """(B, K, h, w) in 0..1: where a thing of each of `class_names` is in view, whether it sounds or not."""
        raise NotImplementedError

    tag_names: tuple[str, ...] = ()
    """What `hear` gives probabilities of."""
    vague_tags: frozenset[str] = frozenset()
    """Those of them that name a whole family of sounds: told only where nothing more exact is nearly as probable."""

    def hear(self, batch: Batch) -> Tensor:
        """Probabilities (B, T) of the sounds in `tag_names`; most methods have no names for what they hear."""
        return batch.audio.new_zeros(len(batch), 0)

    def localize_and_hear(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What `localize` and `hear` give; a method may do both for less than one after the other."""
        return self.localize(batch), self.hear(batch)

    def told(self, probabilities: Sequence[float], count: int) -> tuple[tuple[str, float], ...]:
        """(T,) of `tag_names` -> the `count` likeliest with their probabilities, those of families at VAGUE_SHARE."""
        shares = [VAGUE_SHARE if name in self.vague_tags else 1.0 for name in self.tag_names]
        order = sorted(range(len(shares)), key=lambda index: -float(probabilities[index]) * shares[index])
        return tuple((self.tag_names[index], float(probabilities[index])) for index in order[:count])

    def frozen(self, batch: Batch) -> dict[str, Tensor]:
        """What the parts that never learn make of a batch, by name, (B, ...); found again in `batch.extra` when kept.

        A method that has no such parts cannot be trained from kept features: it gives nothing.
        """
        return {}

    def embed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Unit vectors (B, C) of the pictures and (B, C) of the sounds, for retrieval."""
        raise NotImplementedError

    def spaces(self) -> dict[Space, Embed]:
        """What gives such vectors, by space; the first is `embed`. Most methods have one space, towers two."""
        return {"projected": self.embed}

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Named scalars, already weighted; the training loop adds them up."""
        raise NotImplementedError

    def tune(self, batches: Iterable[Batch]) -> None:
        """Fit what is not learned by gradient on labelled scenes kept for that; most methods have nothing to fit."""

    def before_epoch(self, epoch: int) -> None:
        """Called before epoch number `epoch` (from 0): for warm-ups and curricula."""

    def surveys(self, epoch: int) -> bool:
        """Whether it wants to see all training clips before epoch number `epoch`, to cluster them, say."""
        return False

    def survey(self, batches: Iterable[Batch]) -> None:
        """See all training clips, in order, as they are, without gradients: what `surveys` asked for.

        Random draws in it leave no trace; every process sees all clips.
        """

    def memory(self) -> dict[str, Tensor]:
        """What a run must find again when it is resumed and what is no weight, such as labels of training clips."""
        return {}

    def recall(self, memory: Mapping[str, Tensor]) -> None:
        """Take back what `memory` gave."""

    def after_step(self) -> None:
        """Called once after every step of the optimiser; moves what is not learned by gradient (teachers)."""


def media_inputs(
    *,
    image_size: int,
    image_norm: str,
    spectrogram: str,
    seconds: float,
    sample_rate: int,
    resize: str = "squash",
    window: str = "centre",
) -> Inputs:
    """What a method eats, from plain options (`sample_rate` 0: each file's own)."""
    mean, std = find(IMAGE_NORMS, image_norm, "image_norm")
    return Inputs(
        image_size=image_size,
        image_mean=mean,
        image_std=std,
        resize=find({"squash": "squash", "crop": "crop"}, resize, "resize"),
        sample_rate=sample_rate or None,
        seconds=seconds,
        window=find({"centre": "centre", "first": "first", "frame": "frame"}, window, "window"),
        spectrogram=spectrogram,
    )


def weights_path(path: str) -> Path | None:
    """The initial weights an option names; "" means none. Raises UserError when the file is not there."""
    if not path:
        return None
    if not Path(path).is_file():
        raise UserError(f"expected initial weights at {path}, got no file there; fetch them, or leave the option empty")
    return Path(path)


def positive(value: float, what: str) -> float:
    """`value`, which must be above zero."""
    if not value > 0:
        raise UserError(f"expected {what} above 0, got {value}")
    return value
