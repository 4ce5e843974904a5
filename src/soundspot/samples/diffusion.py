"""Pictures from sentences by a model of the optional package diffusers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from PIL import Image

from soundspot.types import UserError

Painter = Callable[[str], Image.Image]
"""A sentence -> its picture."""


def diffusion_painter(
    model: str, *, seed: int = 0, device: str = "cpu", steps: int = 50, image_size: int | None = None
) -> Painter:
    """A text-to-image model (a folder, or a name of the model hub, which diffusers then fetches) as a function.

    A sentence's noise follows from the seed and the sentence alone. Needs the extra `diffusion`.
    """
    try:
        import torch
        from diffusers import AutoPipelineForText2Image
    except ImportError as error:
        raise UserError(
            "expected the package diffusers for drawing pictures, got none; install soundspot[diffusion], or give"
            " soundspot.samples.is3.draft a function of your own"
        ) from error
    try:
        pipeline = AutoPipelineForText2Image.from_pretrained(model).to(device)
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
        picture = pipeline(prompt, num_inference_steps=steps, generator=generator, **size).images[0]
        assert isinstance(picture, Image.Image)
        return picture

    return paint
