"""Pictures from sentences by a model of the optional package diffusers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from PIL import Image

from soundspot.pinned import place_and_revision
from soundspot.types import UserError

Painter = Callable[[str], Image.Image]
"""A sentence -> its picture."""


def diffusion_painter(
    model: str, *, seed: int = 0, device: str = "cpu", steps: int = 50, image_size: int | None = None
) -> Painter:
    """A text-to-image model (a folder, or a name of the model hub, which diffusers then fetches) as a function.

    A name may end in "@revision". Weights are read from safetensors alone, and no code of the model's runs.

    A sentence's noise follows from the seed and the sentence alone. What the packages print is left out. Needs the
    extra `diffusion`.
    """
    if steps < 1 or (image_size is not None and image_size < 1):
        raise UserError(f"expected steps and a size of 1 or more, got {steps} and {image_size}; give others")
    try:
        import torch
        from diffusers import AutoPipelineForText2Image
    except ImportError as error:
        raise UserError(
            "expected the package diffusers for drawing pictures, got none; install soundspot[diffusion], or give"
            " soundspot.samples.is3.draft a function of your own"
        ) from error
    try:
        with _quiet():
            place, revision = place_and_revision(model)
            loader: Any = AutoPipelineForText2Image
            pipeline = loader.from_pretrained(place, use_safetensors=True, trust_remote_code=False, **revision)
            pipeline = pipeline.to(device)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"{model}: expected a text-to-image model of diffusers, got: {reason}; check the name"
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    size = {} if image_size is None else {"width": image_size, "height": image_size}

    def paint(prompt: str) -> Image.Image:
        digest = hashlib.sha256(f"{seed} {prompt}".encode()).digest()
        generator = torch.Generator("cpu").manual_seed(int.from_bytes(digest[:6], "big"))
        try:
            with _quiet():
                picture = pipeline(prompt, num_inference_steps=steps, generator=generator, **size).images[0]
        except ValueError as error:  # of a size that the model can't draw
            raise UserError(f"{model}: expected steps and a size that it draws, got: {error}; give others") from error
        assert isinstance(picture, Image.Image)
        return picture

    return paint


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the bars and the remarks of the packages below; their errors are raised all the same."""
    from diffusers.utils import logging as of_diffusers
    from transformers.utils import logging as of_transformers

    packages = (of_diffusers, of_transformers)
    before = [(package, package.get_verbosity(), package.is_progress_bar_enabled()) for package in packages]
    for package in packages:
        package.set_verbosity_error()
        package.disable_progress_bar()
    try:
        yield
    finally:
        for package, level, bars in before:
            package.set_verbosity(level)
            if bars:
                package.enable_progress_bar()
