"""What the image's and the sound's towers share: building by name, initial weights from a file, freezing."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models.efficientnet import EfficientNet
from timm.models.resnet import ResNet
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from soundspot import nets
from soundspot.lookup import find, unknown
from soundspot.nets.inductor import CompiledStages
from soundspot.tensors import BACKBONE, read_safetensors, sha256
from soundspot.types import UserError

TRAINABLE = ("all", "last_block", "heads")
"""What of a tower learns: everything; its last stage and what follows; nothing (only the method's heads do)."""


BATCH_NORMS = {"batch": False, "frozen": True}
"""What normalises a training batch: its own statistics, which the running ones follow; or the running ones, left as
they are (scale and shift still learn), so that no clip depends on the others of its process."""


class Tower(nn.Module):
    """A backbone without its classifier: `(B, channels_in, H, W) -> (B, channels, h, w)`, last stage's features."""

    def __init__(
        self,
        name: str,
        *,
        channels_in: int,
        output_stride: int = 32,
        pretrained: Path | None = None,
        dilated: bool = False,
        num_classes: int = 0,
        trainable: str = "all",
        batch_norm: str = "batch",
    ) -> None:
        """Build the backbone `name` (of nets.TOWERS, or any of timm's).

        `output_stride` is input size over map size. Where it is below the backbone's own, its last stages stop
        striding; their convolutions stay dense, as the papers of this field do it, unless `dilated`.
        `num_classes` keeps a classifier of that many classes. `batch_norm` is one of BATCH_NORMS. Raises UserError for
        an unknown name, or for weights that do not fit.
        """
        super().__init__()
        if trainable not in TRAINABLE:
            raise unknown(TRAINABLE, trainable, "value of trainable")
        if name in nets.TOWERS:
            self.net: Any = nets.registered(name)(output_stride=output_stride, pretrained=pretrained)
            self.channels = int(self.net.channels)
        else:
            self.net = _timm_net(name, channels_in, output_stride, dilated, num_classes)
            self.channels = int(self.net.num_features)
            if pretrained is None:
                init_from_scratch(self.net)
            else:
                load_into(self.net, pretrained)
            self._check_classifier(name, num_classes)
        self.is_timm = name not in nets.TOWERS
        self.initial = "random init" if pretrained is None else f"{pretrained.name} sha256:{sha256(pretrained)}"
        self._frozen = _freeze(self.net, trainable)
        if find(BATCH_NORMS, batch_norm, "batch_norm"):
            self._frozen += [module for module in self.net.modules() if isinstance(module, _BatchNorm)]
        self._before, self._after = _cut(self.net, trainable)
        self._compiled: CompiledStages | None = None
        self._channels_last = False

    def train(self, mode: bool = True) -> Tower:
        """As usual, except that frozen parts stay in evaluation mode: their statistics must not drift."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels_in, H, W) -> (B, channels, h, w)."""
        return self.rest(self.frozen(x))

    @property
    def keeps(self) -> bool:
        """Whether `frozen` does anything: its output can then be kept, and training runs `rest` alone."""
        return bool(self._before)

    def frozen(self, x: Tensor) -> Tensor:
        """What the stages that never learn make of (B, channels_in, H, W); where there are none, that itself."""
        return self._run("frozen", x) if self.keeps else x

    def rest(self, y: Tensor) -> Tensor:
        """The output of `frozen` -> (B, channels, h, w)."""
        return self._run("rest", y)

    def lay_channels_last(self) -> None:
        """Keep weights, and take pictures, with the channels of a place side by side: the same values."""
        self._channels_last = True
        self.net.to(memory_format=torch.channels_last)

    def compile_stages(self, batch_size: int, failed: Callable[[str], None]) -> None:
        """From now on, while it trains, `frozen` and `rest` run as CompiledStages; state and copies stay as they are.

        Not compiled is what looks, in evaluation mode: it would need graphs of its own. `failed` hears why something
        cannot be compiled.
        """
        stages = {"rest": self._rest, **({"frozen": self._frozen_stages} if self.keeps else {})}
        self._compiled = CompiledStages(self.net, stages, batch_size, failed)

    def run_eagerly(self) -> None:
        """Take compile_stages back."""
        self._compiled = None

    def _run(self, stage: str, x: Tensor) -> Tensor:
        if self._channels_last and x.ndim == 4:
            x = x.contiguous(memory_format=torch.channels_last)
        if self._compiled is not None and self.training:
            return self._compiled(stage, x)
        return self._rest(x) if stage == "rest" else self._frozen_stages(x)

    def _frozen_stages(self, x: Tensor) -> Tensor:
        return _through(self._before, x)

    def _rest(self, y: Tensor) -> Tensor:
        if self.keeps:
            return _through(self._after, y)
        return _as_map(self.net, self.net.forward_features(y), y) if self.is_timm else self.net(y)

    def _check_classifier(self, name: str, num_classes: int) -> None:
        """Raises UserError where the classifier reads something else than the last stage's features."""
        width = self.net.get_classifier().in_features if num_classes else self.channels
        if width != self.channels:
            raise UserError(
                f"backbone {name}: expected a classifier of its {self.channels} features, got one of {width}, "
                "with layers between; choose a backbone such as resnet18"
            )

    def class_logits(self, maps: Tensor) -> Tensor:
        """(B, channels, h, w) -> (B, num_classes, h, w): the classifier applied at every cell."""
        return self.net.get_classifier()(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def init_from_scratch(net: nn.Module) -> None:
    """EZ-VSL's initialisation: convolutions Kaiming (fan out, ReLU), linear N(0, .01), batch norm weights N(1, .02).

    Draws from torch's global generator.
    """
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, mean=0.0, std=0.01)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, mean=1.0, std=0.02)
            nn.init.zeros_(module.bias)


def _timm_net(name: str, channels_in: int, output_stride: int, dilated: bool, num_classes: int) -> nn.Module:
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, [*nets.TOWERS, *timm.list_models()], n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "see timm.list_models()"
        raise UserError(f"unknown backbone {name!r}: expected a model of timm or one of {sorted(nets.TOWERS)}; {hint}")
    options: dict[str, Any] = {}
    if output_stride != 32:
        options["output_stride"] = output_stride
    if timm.models.is_model_in_modules(name, ["vision_transformer"]):
        options["dynamic_img_size"] = True  # else it takes one picture size only
    try:
        net = timm.create_model(name, in_chans=channels_in, num_classes=num_classes, global_pool="", **options)
    except (TypeError, AssertionError) as error:
        raise UserError(
            f"backbone {name}: expected one that can be built with {options or 'its own stride'}, got: {error}; "
            "leave output_stride=32 or choose a convolutional backbone"
        ) from error
    if not dilated:
        _make_dense(net)
    return net


def _make_dense(net: nn.Module) -> None:
    """Undo the dilation that timm adds where it takes strides away."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d) and max(module.dilation) > 1:
            module.dilation = (1, 1)
            module.padding = tuple(size // 2 for size in module.kernel_size)


def load_into(net: nn.Module, path: Path) -> None:
    """Fill `net` from the file; three input channels are summed where `net` has one. Raises UserError on a misfit."""
    wanted = net.state_dict()
    given = {
        name: value
        for name, value in read_safetensors(path, BACKBONE)[0].items()
        if name in wanted or not _is_classifier(name)
    }
    for name, value in given.items():
        if (
            name in wanted
            and wanted[name].ndim == value.ndim == 4
            and wanted[name].shape[1] == 1
            and value.shape[1] == 3
        ):
            given[name] = value.sum(dim=1, keepdim=True)
    wrong = sorted(
        name
        for name in wanted.keys() | given.keys()
        if name not in given or name not in wanted or given[name].shape != wanted[name].shape
    )
    wrong = [name for name in wrong if not name.endswith("num_batches_tracked")]
    if wrong:
        raise UserError(
            f"{path}: expected this backbone's {len(wanted)} tensors, got {len(given)} of which {len(wrong)} differ "
            f"in name or shape, such as {', '.join(wrong[:3])}; give the weights of the same architecture"
        )
    net.load_state_dict(given, strict=False)  # strict but for counters that old files lack: checked just above


def _is_classifier(name: str) -> bool:
    return name.split(".")[0] in {"fc", "classifier", "head"}


def _as_map(net: Any, features: Tensor, x: Tensor) -> Tensor:
    """Feature maps (B, C, h, w), whatever order of axes the backbone has."""
    if features.ndim == 3:
        h, w = net.patch_embed.dynamic_feat_size(x.shape[-2:])
        cells = features[:, getattr(net, "num_prefix_tokens", 0) :]
        return cells.transpose(1, 2).reshape(len(x), -1, h, w)
    if getattr(net, "output_fmt", "NCHW") == "NHWC":
        return features.permute(0, 3, 1, 2)
    return features


def _freeze(net: nn.Module, trainable: str) -> list[nn.Module]:
    """Stop gradients before what is trainable; returns the modules that must stay in evaluation mode."""
    if trainable == "all":
        return []
    first = last_stage(net) if trainable == "last_block" else None
    for name, parameter in net.named_parameters():
        if first is not None and name.startswith(f"{first}."):
            break  # parameters and modules are registered in the order in which they run
        parameter.requires_grad_(False)
    frozen: list[nn.Module] = []
    for name, module in net.named_modules():
        if first is not None and name.startswith(first):
            break
        if next(module.children(), None) is None:
            frozen.append(module)
    return frozen


def last_stage(net: nn.Module) -> str:
    """The name of the module that holds the last stage: timm says; else the last (stage) with parameters."""
    info: Any = getattr(net, "feature_info", None)
    if info:
        return str(info[-1]["module"])
    stages = _stages(net) or list(net.named_children())
    return [name for name, child in stages if next(child.parameters(), None) is not None][-1]


def _stages(net: nn.Module) -> list[tuple[str, nn.Module]]:
    """What `net` runs, first to last, by the modules' names; empty where that is not all that makes its map."""
    if type(net) is EfficientNet:  # a subclass may do more between its modules
        blocks = [(f"blocks.{name}", block) for name, block in net.blocks.named_children()]
        return [*_named(net, "conv_stem", "bn1"), *blocks, *_named(net, "conv_head", "bn2")]
    if type(net) is ResNet:
        return _named(net, "conv1", "bn1", "act1", "maxpool", "layer1", "layer2", "layer3", "layer4")
    stages = getattr(net, "stages", None)
    if not hasattr(net, "forward_features") and isinstance(stages, nn.Sequential):
        return [(f"stages.{name}", stage) for name, stage in stages.named_children()]
    return []


def _named(net: nn.Module, *names: str) -> list[tuple[str, nn.Module]]:
    return [(name, net.get_submodule(name)) for name in names]


def _cut(net: nn.Module, trainable: str) -> tuple[list[nn.Module], list[nn.Module]]:
    """The stages that never learn, and those from the first that does; none where `net` is not made of stages."""
    stages = [] if trainable == "all" else _stages(net)
    names = [name for name, _ in stages]
    first = names.index(last_stage(net)) if stages and trainable == "last_block" else len(stages)
    modules = [module for _, module in stages]
    return modules[:first], modules[first:]


def _through(stages: list[nn.Module], x: Tensor) -> Tensor:
    for stage in stages:
        x = stage(x)
    return x
