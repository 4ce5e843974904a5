"""What methods of a picture tower and a sound tower share: the options that build both, and their features."""

from __future__ import annotations

from torch import Tensor, nn

from soundspot import ops
from soundspot.methods.base import Embed, Method, Space, media_inputs, weights_path
from soundspot.nets.audio import AudioTower
from soundspot.nets.image import ImageTower
from soundspot.nets.tower import Tower
from soundspot.types import Batch, UserError


class TwoTowers(Method):
    """A picture tower and a sound tower. A method's constructor names what it takes itself and passes the rest on."""

    image: ImageTower
    audio: AudioTower

    def __init__(
        self,
        image_backbone: str = "resnet18",
        audio_backbone: str = "resnet18",
        output_stride: int = 32,
        audio_stride: int = 32,
        init_image: str = "",
        init_audio: str = "",
        trainable: str = "all",
        trainable_audio: str = "all",
        image_size: int = 224,
        image_norm: str = "imagenet",
        resize: str = "squash",
        spectrogram: str = "psd_hop238",
        seconds: float = 3.0,
        sample_rate: int = 0,
        window: str = "centre",
        batch_norm: str = "batch",
    ) -> None:
        """`output_stride` is the picture's; `sample_rate` 0 keeps each file's own; `trainable` is one of TRAINABLE.

        `batch_norm` "frozen" normalises with the running statistics of the initial weights in training too.
        """
        super().__init__()
        self.inputs = media_inputs(
            image_size=image_size,
            image_norm=image_norm,
            resize=resize,
            spectrogram=spectrogram,
            seconds=seconds,
            sample_rate=sample_rate,
            window=window,
        )
        self.image = ImageTower(
            image_backbone,
            output_stride=output_stride,
            pretrained=weights_path(init_image),
            trainable=trainable,
            batch_norm=batch_norm,
        )
        self.audio = AudioTower(
            audio_backbone,
            output_stride=audio_stride,
            pretrained=weights_path(init_audio),
            trainable=trainable_audio,
            batch_norm=batch_norm,
        )
        self.initial = {"image": self.image.initial, "audio": self.audio.initial}

    def heads(self, dim: int, *, bias: bool = True) -> tuple[nn.Module, nn.Module]:
        """A linear head each into `dim` (`bias`: of the picture's); 0: none, the towers' own features are compared.

        Raises UserError where they have no equal width.
        """
        if dim:
            return nn.Conv2d(self.image.channels, dim, kernel_size=1, bias=bias), nn.Linear(self.audio.channels, dim)
        if self.image.channels != self.audio.channels:
            raise UserError(
                f"expected towers of equal width, got {self.image.channels} and {self.audio.channels} channels "
                "(picture and sound); set dim, the width of a linear head each"
            )
        return nn.Identity(), nn.Identity()

    def towers(self) -> tuple[ImageTower, AudioTower]:
        """Both towers, wherever a method keeps them."""
        return self.image, self.audio

    def frozen(self, batch: Batch) -> dict[str, Tensor]:
        """What the towers' frozen stages give: "image" and "audio"; nothing unless both have such stages."""
        return self.through_frozen(batch) if self.keeps else {}

    @property
    def keeps(self) -> bool:
        """Whether both towers have stages that never learn: then what they give can be kept."""
        return all(tower.keeps for tower in self.towers())

    def through_frozen(self, batch: Batch) -> dict[str, Tensor]:
        """What the frozen stages make of a batch, for the towers' `rest`: as the batch brings it, or made now."""
        image, audio = self.towers()
        made: dict[str, tuple[Tower, Tensor]] = {"image": (image, batch.image), "audio": (audio, batch.audio)}
        return {
            name: batch.extra[name] if name in batch.extra else tower.frozen(raw) for name, (tower, raw) in made.items()
        }

    def features(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The towers' maps: (B, C, h, w) of the picture, (B, C', f, t) of the sound."""
        image, audio = self.towers()
        given = self.through_frozen(batch)
        return image.rest(given["image"]), audio.rest(given["audio"])

    def spaces(self) -> dict[Space, Embed]:
        """`embed`, and the towers' own vectors; these alone where no head stands between towers and loss."""
        if isinstance(getattr(self, "image_head", None), nn.Identity):
            return {"backbone": self.embed}
        return {"projected": self.embed, "backbone": self.embed_backbone}

    def embed_backbone(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Unit vectors (B, C) each of the towers' features; UserError where the towers have no equal width."""
        image, audio = self.features(batch)
        return directions(image, ops.max_pool(audio))


def directions(cells: Tensor, sounds: Tensor) -> tuple[Tensor, Tensor]:
    """Cells (B, C, h, w), sounds (B, C) -> unit vectors (B, C) each: a picture is the mean of its unit cells.

    UserError where their widths differ: then there is no cosine.
    """
    require_one_width(cells, sounds)
    return ops.unit(ops.mean_pool(ops.unit(cells))), ops.unit(sounds)


def require_one_width(cells: Tensor, sounds: Tensor) -> None:
    """UserError unless (B, C, ...) and (B, C') are of one width."""
    if cells.shape[1] != sounds.shape[1]:
        raise UserError(
            f"expected towers of equal width for the space backbone, got {cells.shape[1]} and {sounds.shape[1]} "
            "channels (picture and sound); use the space projected"
        )
