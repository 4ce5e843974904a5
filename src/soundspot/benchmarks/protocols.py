"""How scores become numbers, where papers differ: each protocol is named data, and nothing else decides."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from soundspot.metrics.areas import AreaRule
from soundspot.metrics.maps import Enlarge, Stretch
from soundspot.metrics.truth import BoxRounding, MaskSampling

Form = Literal["segmentation", "classes", "false_area"]
"""What may be measured beside overlaps: masks in AVSBench's form, maps by class in DSOL's, what negatives claim."""


@dataclass(frozen=True)
class Protocol:
    """One way to score: the steps in the order they are taken."""

    name: str
    source: str
    """Whose code or text it follows."""
    grid: int = 224
    """Side of the square grid on which scores and truth meet."""
    truth: Literal["boxes", "mask"] = "boxes"
    """What to take where a target has both."""
    box_rounding: BoxRounding = "clip_floor"
    mask_sampling: MaskSampling = "area"
    enlarge: Enlarge = "bilinear"
    stretch: Stretch = "none"
    """Of the enlarged map; `range` needs a method that states its score range."""
    area: AreaRule = "half_exact"
    level: float = 0.5
    """For the area rules that have one."""
    adaptive: Literal["exact", "one_fewer"] = "exact"
    """Adaptive cIoU claims as many pixels as are true: exactly, or one fewer (SSLalign's `>` of the value there)."""
    strictly: bool = False
    """Success: overlap > threshold instead of >=."""
    confidence: Literal["max", "top_quarter"] = "top_quarter"
    """Of the enlarged map before stretching, scaled by the method's score range where it states one."""
    precision: Literal["slavc", "all"] = "slavc"
    """AP and F1 over the confidences that SLAVC's code samples with its recall, or over all with both recalls."""
    groups: Literal["two_or_more", "all"] = "all"
    """Which groups of clips that share a frame count for IIoU: those of at least two, or lone ones as well."""
    thresholds: tuple[float, ...] = (0.5, 0.75)
    """Overlaps that count as a success; the first is the headline."""
    forms: tuple[Form, ...] = ()
    segmentation: Literal["levels", "mask"] = "levels"
    """The F-score's input: the stretched scores over 255 levels, or the claimed mask alone."""
    missing: Literal["zero", "leave_out"] = "leave_out"
    """A clip without a map. zero: fails, and as a negative counts as claimed; leave_out: counted, but not scored."""

    @property
    def description(self) -> str:
        """One line that says every rule."""
        taken = [f"{self.enlarge} to {self.grid}", f"stretch {self.stretch}", f"area {self.area}"]
        if "level" in self.area or self.area == "share_of_max":
            taken.append(f"level {self.level:g}")
        taken += [f"adaptive {self.adaptive}", f"success {'>' if self.strictly else '>='}", f"truth {self.truth} first"]
        taken += [f"box {self.box_rounding}", f"confidence {self.confidence}", f"AP {self.precision}"]
        taken += [f"at {', '.join(f'{value:g}' for value in self.thresholds)}", f"groups {self.groups}"]
        if "segmentation" in self.forms:
            taken.append(f"F-score of {self.segmentation}")
        return ", ".join([*taken, f"missing {self.missing}"])


_AVSBENCH = Protocol(
    "avsbench",
    "AVSBench (arXiv 2207.05042), evaluation code, of maps put on 0..1",
    truth="mask",
    mask_sampling="nearest",
    enlarge="bilinear",
    stretch="minmax",
    area="level_gt",
    adaptive="exact",
    forms=("segmentation",),
)

_ALL = (
    Protocol(
        "strict",
        "ours: exact areas, masks where there are any, every clip counted",
        truth="mask",
        enlarge="bilinear",
        area="half_exact",
        adaptive="exact",
        confidence="max",
        precision="all",
        groups="two_or_more",
        forms=("false_area",),
        missing="zero",
    ),
    Protocol(
        "ezvsl",
        "EZ-VSL (arXiv 2203.09324), test code",
        enlarge="bilinear_corners",
        stretch="minmax",
        area="half_ge",
        adaptive="one_fewer",
    ),
    Protocol(
        "ezvsl_training",
        "EZ-VSL, FNAC and SLAVC, validation while training (on the test set, in their code)",
        enlarge="bicubic",
        stretch="minmax",
        area="half_ge",
        adaptive="one_fewer",
    ),
    Protocol(
        "lvs",
        "LVS (arXiv 2104.02691), test code",
        enlarge="bilinear",
        stretch="minmax_inverted",
        area="half_gt_or_one",
        adaptive="one_fewer",
    ),
    Protocol(
        "ssl_tie",
        "SSL-TIE (arXiv 2206.12772), test code: boxes are not cut to the frame",
        enlarge="bilinear",
        stretch="minmax_inverted",
        area="half_gt_or_one",
        adaptive="one_fewer",
        box_rounding="unclamped_floor",
    ),
    Protocol(
        "slavc",
        "SLAVC (arXiv 2209.09634), test code with --relative_prediction",
        enlarge="bicubic_corners",
        stretch="minmax",
        area="half_ge",
        adaptive="one_fewer",
    ),
    Protocol(
        "slavc_absolute",
        "SLAVC (arXiv 2209.09634), test code as its scripts call it",
        enlarge="bicubic_corners",
        stretch="range",
        area="level",
        adaptive="one_fewer",
    ),
    Protocol(
        "sslalign",
        "SSLalign (arXiv 2407.13676), test code for LVS and its own model",
        enlarge="bilinear",
        stretch="minmax_inverted",
        area="half_gt",
        adaptive="one_fewer",
    ),
    Protocol(
        "sslalign_corners",
        "SSLalign (arXiv 2407.13676), test code for the EZ-VSL family and for all models outside VGG-SS",
        enlarge="bilinear_corners",
        stretch="minmax",
        area="half_gt",
        adaptive="one_fewer",
    ),
    Protocol(
        "rcgrad",
        "RCGrad (arXiv 2204.05156), evaluation code",
        enlarge="bilinear",
        stretch="minmax_inverted",
        area="half_ge_and_level",
        adaptive="one_fewer",
    ),
    Protocol(
        "rcgrad_0.3",
        "RCGrad (arXiv 2204.05156), evaluation code, as its Urbansas and Music Synthesis columns",
        enlarge="bilinear",
        stretch="minmax_inverted",
        area="half_ge_and_level",
        adaptive="one_fewer",
        thresholds=(0.3, 0.5),
    ),
    *(
        Protocol(
            f"dsol_{part}",
            f"DSOL (arXiv 2010.05466), evaluation code for {where}",
            enlarge="bilinear",
            area="share_of_max",
            level=share,
            adaptive="one_fewer",
            box_rounding="unclamped_floor",
            thresholds=thresholds,
            forms=("classes",),
        )
        for part, where, share, thresholds in (
            ("solo", "MUSIC solo", 0.1, (0.5, 0.3)),
            ("synthetic", "MUSIC-Synthetic", 0.5, (0.3, 0.5)),
            ("duet", "MUSIC duet", 0.2, (0.3, 0.5)),
        )
    ),
    *(
        Protocol(
            name,
            f"CoarseToFine (arXiv 2007.06355), {script}",
            grid=256,
            box_rounding="coarse_to_fine",
            enlarge="bilinear",
            area="share_of_max",
            level=level,
            adaptive="one_fewer",
        )
        for name, script, level in (
            ("coarse_to_fine", "test code", 0.5),
            ("coarse_to_fine_low", "its second metric script", 0.001),
        )
    ),
    _AVSBENCH,
    replace(
        _AVSBENCH,
        name="avsbench_dataset",
        source="CAVP (arXiv 2304.02970), evaluation code: the metrics ending in _dataset, over all frames' pixels"
        " at once",
    ),
    Protocol(
        "sslalign_masks",
        "SSLalign (arXiv 2407.13676), tables XIII and XIV: code unpublished, F of the claimed mask fits their numbers",
        truth="mask",
        mask_sampling="nearest",
        enlarge="bilinear",
        stretch="minmax",
        area="half_gt",
        adaptive="one_fewer",
        forms=("segmentation",),
        segmentation="mask",
    ),
    Protocol(
        "sspl",
        "SSPL (arXiv 2203.13412), test code",
        enlarge="bilinear",
        stretch="minmax",
        area="level",
        adaptive="one_fewer",
    ),
    Protocol(
        "heartheflow",
        "HearTheFlow (arXiv 2211.03019), test code",
        enlarge="bicubic",
        stretch="minmax",
        area="half_gt_or_one",
        adaptive="one_fewer",
    ),
)

PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in _ALL}
