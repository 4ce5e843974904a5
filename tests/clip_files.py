"""Tiny CLIPs of random weights, saved as transformers saves them; for tests alone."""

from __future__ import annotations

import json
from pathlib import Path

import torch

WORDS = ("dog", "cat", "violin", "a", "photo", "of", "animal")


def save_tokenizer(folder: Path) -> int:
    """A byte-level tokenizer of whole words and letters; gives the size of its vocabulary."""
    from transformers import CLIPTokenizer

    letters = [chr(number) for number in range(ord("a"), ord("z") + 1)]
    ends = [f"{letter}</w>" for letter in letters]
    merges, made = [], []
    for word in WORDS:
        pieces = [*word[:-1], f"{word[-1]}</w>"]
        while len(pieces) > 1:
            pair = f"{pieces[0]} {pieces[1]}"
            joined = pieces[0] + pieces[1]
            if pair not in merges:
                merges.append(pair)
                made.append(joined)
            pieces = [joined, *pieces[2:]]
    tokens = [*dict.fromkeys([*letters, *ends, *made]), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps({token: number for number, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    CLIPTokenizer.from_pretrained(folder).save_pretrained(folder)
    return len(tokens)


def save_clip(folder: Path, *, dim: int = 512, image_size: int = 64, patch: int = 16, layers: int = 3) -> Path:
    """A CLIP of `dim` dimensions with its tokenizer, in `folder`."""
    from transformers import CLIPConfig, CLIPModel

    size = save_tokenizer(folder)
    torch.manual_seed(0)
    tower = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "projection_dim": dim}
    text = {"vocab_size": size, "max_position_embeddings": 16, "num_hidden_layers": 2}
    config = CLIPConfig(
        text_config={**tower, **text, "bos_token_id": size - 2, "eos_token_id": size - 1, "pad_token_id": size - 1},
        vision_config={**tower, "num_hidden_layers": layers, "image_size": image_size, "patch_size": patch},
        projection_dim=dim,
    )
    model = CLIPModel(config)
    for parameter in model.parameters():  # initial weights are so small that nothing depends on anything
        if parameter.ndim:
            parameter.data += 0.3 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    return folder
