"""CLIP (Radford et al., ICML 2021, arXiv 2103.00020) through `transformers`, unmodified, its attention open."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from soundspot.ops import unit
from soundspot.pinned import place_and_revision
from soundspot.tensors import sha256
from soundspot.types import UserError

WEIGHTS = "model.safetensors"
"""What a folder written by `save_pretrained` calls its weights."""


class CLIP(nn.Module):
    """A frozen CLIP with a vision transformer."""

    def __init__(self, model: Any, tokenizer: Any) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.dim = int(model.config.projection_dim)
        self.num_layers = int(model.config.vision_config.num_hidden_layers)
        self.patch = int(model.config.vision_config.patch_size)

    @classmethod
    def load(cls, name: str) -> CLIP:
        """From a folder of `transformers`, or the hub's "owner/model", with "@revision" if wanted. Raises UserError."""
        try:
            from transformers import AutoConfig, AutoTokenizer, CLIPModel
        except ImportError as error:
            raise UserError("expected transformers for CLIP, got none; pip install 'soundspot[clip]'") from error
        place, revision = place_and_revision(name)
        try:
            # Allowed because "@revision" is the user's to give, and no code can run from JSON
            kind = AutoConfig.from_pretrained(place, trust_remote_code=False, **revision).model_type  # nosec B615
            if kind != "clip":
                raise UserError(f"{name}: expected a model of type clip, got {kind}; give a whole CLIP")
            loader: Any = CLIPModel
            model, report = loader.from_pretrained(
                place,
                attn_implementation="eager",
                dtype=torch.float32,
                output_loading_info=True,
                use_safetensors=True,  # a pickle may run code
                **revision,
            )
            tokenizer = AutoTokenizer.from_pretrained(place, trust_remote_code=False, **revision)  # nosec B615 # likewise
        except UserError:
            raise
        except (OSError, ValueError, RuntimeError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UserError(
                f"{name}: expected CLIP in a folder of transformers, or to be fetched by that name, got: {reason};"
                " give clip=FOLDER"
            ) from error
        if lacking := [*report["missing_keys"], *report["mismatched_keys"]]:
            raise UserError(
                f"{name}: expected every tensor of CLIP, got {len(lacking)} lacking or of another shape,"
                f" such as {sorted(map(str, lacking))[0]}; fetch it again"
            )
        return cls(model, tokenizer)

    def train(self, mode: bool = True) -> CLIP:
        """Stays in evaluation mode: it is frozen."""
        return super().train(False)

    def grid(self, image: Tensor) -> tuple[int, int]:
        """Rows and columns of patches of (B, 3, H, W). Raises UserError where the patch doesn't divide the sides."""
        height, width = image.shape[-2:]
        if height % self.patch or width % self.patch:
            raise UserError(
                f"expected picture sides that are multiples of CLIP's patch of {self.patch}, got {height} x {width};"
                " set image_size"
            )
        return height // self.patch, width // self.patch

    def embed_image(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) -> unit vectors (B, dim); positions are interpolated to any size that `grid` allows."""
        self.grid(image)
        seen = self.model.vision_model(pixel_values=image, interpolate_pos_encoding=True).pooler_output
        return unit(self.model.visual_projection(seen))

    @torch.no_grad()
    def embed_text(self, texts: Sequence[str]) -> Tensor:
        """N texts -> unit vectors (N, dim); a text that is too long is cut."""
        longest = int(self.model.config.text_config.max_position_embeddings)
        tokens = self.tokenizer(
            list(texts),
            padding=True,
            truncation=True,
            max_length=longest,
            return_tensors="pt",
            return_token_type_ids=False,
        ).to(self.model.device)
        return unit(self.model.text_projection(self.model.text_model(**tokens).pooler_output))

    def attention(self, image: Tensor, query: Tensor, layers: int) -> tuple[list[Tensor], list[Tensor]]:
        """(B, 3, H, W), unit (B, dim) -> attention of the last `layers` layers, (B, heads, N, N) each; its gradients.

        Of what CLIP multiplies its cosine with times the cosine of picture and query. Raises UserError for `layers`
        that CLIP doesn't have, and for a query of another width.
        """
        if not 1 <= layers <= self.num_layers:
            raise UserError(f"expected layers in 1..{self.num_layers}, as many as this CLIP has, got {layers}")
        if query.shape[1] != self.dim:
            raise UserError(
                f"expected a CLIP of {query.shape[1]} dimensions, as the query has, got {self.dim};"
                " Wav2CLIP goes with openai/clip-vit-base-patch32"
            )
        attentions: list[Tensor] = []
        last = list(self.model.vision_model.encoder.layers)[-layers:]
        hooks = [last[0].register_forward_pre_hook(_start_of_graph, with_kwargs=True)]
        hooks += [layer.self_attn.register_forward_hook(partial(_keep, attentions)) for layer in last]
        try:
            with torch.enable_grad():
                logits = self.model.logit_scale.exp() * (self.embed_image(image) * query.detach()).sum(dim=1)
                gradients = list(torch.autograd.grad(logits.sum(), attentions))
        finally:
            for hook in hooks:
                hook.remove()
        return [attention.detach() for attention in attentions], gradients


def identity(name: str) -> str:
    """What to note of the weights that `name` stands for: a folder's name and its weights' SHA-256, else the name."""
    weights = Path(name) / WEIGHTS
    return f"{weights.parent.name} sha256:{sha256(weights)}" if weights.is_file() else name


def _keep(attentions: list[Tensor], module: nn.Module, args: Any, output: tuple[Tensor, Tensor]) -> None:
    """Eager attention gives its probabilities beside its output."""
    attentions.append(output[1])


def _start_of_graph(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], Any]:
    """Gradients are wanted from this layer on: what comes before isn't recorded."""
    if args:
        return (args[0].detach().requires_grad_(), *args[1:]), kwargs
    return args, {**kwargs, "hidden_states": kwargs["hidden_states"].detach().requires_grad_()}
