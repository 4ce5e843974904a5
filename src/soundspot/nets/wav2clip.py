"""Wav2CLIP (Wu et al., ICASSP 2022, arXiv 2110.11499): sounds in CLIP's space, by a ResNet-18 on a spectrogram."""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor, nn

from soundspot import ops
from soundspot.nets.audio import AudioTower
from soundspot.tensors import BACKBONE, read_safetensors, sha256
from soundspot.types import UserError

DIM = 512


class Wav2CLIP(nn.Module):
    """(B, 1, F, T) log power -> (B, 512), not normalised."""

    def __init__(self, path: Path | None = None) -> None:
        """From the authors' file, converted as a backbone, or at random. UserError for a file of something else."""
        super().__init__()
        self.encoder = AudioTower("resnet18")
        self.transform = nn.Sequential(nn.Linear(DIM, DIM), nn.ReLU(), nn.Dropout(0.1), nn.Linear(DIM, DIM))
        self.initial = "random init"
        if path is not None:
            self._fill(path)
            self.initial = f"{path.name} sha256:{sha256(path)}"

    def forward(self, spectrogram: Tensor) -> Tensor:
        """The published network standardises over the whole batch; here each clip is heard alone, as one at a time."""
        return self.transform(ops.mean_pool(self.encoder(ops.standardise(spectrogram))))

    def _fill(self, path: Path) -> None:
        from soundspot.convert import LAYOUTS

        layout = LAYOUTS["clip_audio_tran"]
        given = read_safetensors(path, BACKBONE)[0]
        alive = {name: value for name, value in given.items() if not re.match(layout.dead, name)}
        given = {layout.rename(name).removeprefix("wav2clip."): value for name, value in alive.items()}
        wanted = self.state_dict()
        shapes = [{name: tuple(value.shape) for name, value in state.items()} for state in (given, wanted)]
        if shapes[0] != shapes[1]:
            wrong = sorted(name for name, _ in shapes[0].items() ^ shapes[1].items())
            raise UserError(
                f"{path}: expected Wav2CLIP's published tensors, got {len(given)} of which {len(set(wrong))} differ in"
                f" name or shape, such as {wrong[0]}; give what `soundspot convert Wav2CLIP.pt backbone"
                " Wav2CLIP.safetensors` writes"
            )
        self.load_state_dict(given)
