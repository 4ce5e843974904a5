"""The small file of trained weights that the tests and the figures use, from a calibrated run of `multisource.py`.

    soundspot calibrate OUT/named/ier_0.safetensors SET --out CALIBRATED
    python docs/results/multisource_weights.py CALIBRATED tests/golden/ier_instruments.safetensors

The encoders stay out of it, numbers are in half precision, and of those BITS bits count, so that the file packs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from soundspot import weights
from soundspot.train.calibrate import KEPT

ENCODERS = {"init_image": "tf_efficientnet_lite0", "init_audio": "yamnet"}
BITS = 6
ABOUT = {
    "licence": "for tests; learned from Caltech-101 photos, collected from the web for research, and FluidR3 GM (MIT)",
    "source": "docs/results/multisource.py, seed 0",
}


def rounded(values: torch.Tensor) -> torch.Tensor:
    """The same with BITS significant bits."""
    share, exponent = torch.frexp(values)
    return torch.ldexp((share * 2**BITS).round() / 2**BITS, exponent)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    for name in ("calibrated", "out"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    method = weights.load(given.calibrated)
    with torch.no_grad():
        for name, parameter in method.named_parameters():
            if parameter.ndim > 1 and not name.startswith(("image.", "audio.")):
                parameter.copy_(rounded(parameter))
    kept = {
        key: method.provenance[key] for key in (*KEPT, "class_thresholds", "calibrated_on") if key in method.provenance
    }
    path = weights.save_without_encoders(method, given.out, ENCODERS, {**kept, **ABOUT})
    print(f"{path.stat().st_size / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
