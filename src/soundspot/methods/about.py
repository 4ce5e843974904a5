"""Each method beside its paper: what it changes on the common skeleton, what paper and code disagree on, licences.

`python docs/methods_table.py` writes the table of docs/methods.md from this; no method is imported for it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class About:
    """A row of the table."""

    paper: str
    difference: str
    paper_and_code: str
    licence: str
    """Of the authors' code."""


ABOUT: dict[str, About] = {
    "attention10k": About(
        "Learning to Localize Sound Source in Visual Scenes, CVPR 2018 (1803.03849)",
        "the sound attends to places; what it finds must lie nearer to its own sound's vector than to another's",
        "as the code: distances to raw sound vectors, supervised term not divided by area; towers are ours; the map is"
        " the cosine before ReLU (shown=attention: the published softmax)",
        "none; research purposes only",
    ),
    "avobject": About(
        "Self-Supervised Learning of Audio-Visual Objects from Video, ECCV 2020 (2008.04237)",
        "the best place of each frame, mean over time, against the same sound shifted; peaks linked to tracks",
        "inference alone was released; left out: optical flow, synchronisation, separation, speaker detection; a tower"
        " of stills and a convolution over time, unit vectors",
        "MIT (its flow network has its own)",
    ),
    "avol": About(
        "Objects that Sound, ECCV 2018 (1712.06651)",
        "dot product, scaled and shifted, best place, cross-entropy with one negative",
        "no code; heads and negatives as in DSOL's first stage; the map is log-odds, before the sigmoid",
        "none published (DSOL: MIT)",
    ),
    "clip_audio_tran": About(
        "How to Listen?, Interspeech 2022 (2204.05156); Wav2CLIP (2110.11499); Transformer-MM (2103.15679)",
        "not trained: a frozen CLIP asked by Wav2CLIP's vector; the map is its attention's relevance",
        "the code looks at the last layer alone (layers=1, default), the paper describes all",
        "MIT (all three)",
    ),
    "clip_text_tran": About(
        "How to Listen?, Interspeech 2022 (2204.05156)",
        "the same, asked by the class as text; by audio tags where there is no label (ours)",
        "the code gives the class without a prompt, as here by default; the paper names none",
        "MIT",
    ),
    "coarse_to_fine": About(
        "Multiple Sound Sources Localization from Coarse to Fine, ECCV 2020 (2007.06355)",
        "stage 1: match and classes; stage 2: vectors pooled by class activation, contrastive distance",
        "as the newer code; labels are the clips' own, not pretrained classifiers'",
        "none",
    ),
    "dmc": About(
        "Deep Multimodal Clustering, CVPR 2019 (1807.03094)",
        "soft k-means of a picture and of a sound, contrastive on nearest centres; the map is the matched"
        " cluster's share",
        "as the simplified code; the first code differs and is not built",
        "Simplified_DMC: MIT; DMC: none",
    ),
    "dsol": About(
        "Discriminative Sounding Objects Localization, NeurIPS 2020 (2010.05466); CSOL, TPAMI 2021",
        "stage 1: best place's scaled cosine with one negative, clusters of what sounds, class heads; stage 2: class"
        " maps gated by the single map, against what a frozen teacher hears in mixtures",
        "as the music code, but for its defects: clusters are matched optimally on other clips; divide_by=, kl= give"
        " the code's constants (default) or the usual ones",
        "MIT",
    ),
    "ez_vsl": About(
        "Localizing Visual Sounds the Easy Way, ECCV 2022 (2203.09324)",
        "the skeleton: best place's cosine, symmetric InfoNCE",
        "they agree; matching= gives the three rows of the paper's table",
        "Apache-2.0",
    ),
    "fnac": About(
        "Learning Audio-Visual Source Localization via False Negative Aware Contrastive Learning, CVPR 2023"
        " (2303.11302)",
        "EZ-VSL, dropout 0.9, and after a warm-up three differences of softmaxed similarities",
        "as the code; not compared with the paper",
        "none",
    ),
    "hard_pos": About(
        "Learning Sound Localization Better from Semantically Similar Samples, ICASSP 2022 (2202.03007)",
        "LVS whose positive is four pairs of own and neighbour's picture and sound",
        "no code; how they are added, each pair's mask and k are stated choices",
        "none published",
    ),
    "hear_the_flow": About(
        "Hear The Flow, WACV 2023 (2211.03019)",
        "LVS at 7 x 7 on cells that attend to optical flow",
        "code: batch norms move on, flow stored as bytes; the paper's is the default (moving_statistics, flow=bytes)",
        "MIT",
    ),
    "interference_eraser": About(
        "Visual Sound Localization in the Wild by Cross-Modal Interference Erasing, AAAI 2022 (2202.06406)",
        "stage 1: averaged cosine, prototypes of clusters seen and heard; stage 2: a step a class on the sound's"
        " feature, learned on mixtures; stage 3: class shares by sight and by ear taught to each other",
        "no code; every choice is in docs/interference_eraser.md",
        "none published",
    ),
    "lcbm": About(
        "Less Can Be More, WACV 2022",
        "a supervised classifier of both modalities; the map is the cosine",
        "abstract alone, no code; every choice stands in the file",
        "none published",
    ),
    "lvs": About(
        "Localizing Visual Sounds the Hard Way, CVPR 2021 (2104.02691)",
        "soft threshold into sounding and background; the same picture's background is a negative",
        "the code hides the diagonal by -99 times (diagonal_quirk=true); the default leaves it out",
        "Apache-2.0",
    ),
    "margin_nce": About(
        "MarginNCE, ICASSP 2023 (2211.01966)",
        "EZ-VSL with a negative margin on own pairs in the loss",
        "no code; the margin of -0.2 is not verified",
        "none published",
    ),
    "ogl": About(
        "Localizing Visual Sounds the Easy Way, ECCV 2022 (2203.09324)",
        "never hears: mean absolute feature, or largest class logit, of an ImageNet network",
        "form=norm as the code; form=class is our reading of the poster",
        "Apache-2.0",
    ),
    "rcgrad": About(
        "How to Listen?, Interspeech 2022 (2204.05156)",
        "averaged pictures and sounds, InfoNCE with a learned scale; the map is Grad-CAM",
        "paper: first norm layer of the last block; code (default): the whole block; the code standardises a batch"
        " at once",
        "MIT",
    ),
    "slavc": About(
        "A Closer Look at Weakly-Supervised Audio-Visual Source Localization, NeurIPS 2022 (2209.09634)",
        "EZ-VSL, dropout 0.9, two subspaces, slow teachers",
        "code (default): sum over places, both terms choose among sounds; variant=paper: eq. 6",
        "Apache-2.0",
    ),
    "sound_of_pixels": About(
        "The Sound of Pixels, ECCV 2018 (1804.03160)",
        "separates mixed sounds by their pictures; the map is each pixel's share of the sound's energy; regions can be"
        " listened to",
        "code (default): 32 channels, weighted loss, masks of half the mixture, hard masks; paper: 16, no weights, the"
        " loudest source; the map's formula is ours",
        "MIT",
    ),
    "spot": About(
        "none: soundspot's default",
        "frozen encoders, a supervised head for known sounds, AudioSet tags asked of ImageNet classes for others",
        "-",
        "Apache-2.0",
    ),
    "ssl_align": About(
        "Aligning Sight and Sound, ICCV 2023 (2309.10724), TPAMI (2407.13676)",
        "nine pairs of own, augmented and neighbour's views, by places and as wholes",
        "code (default): soft mask, max-pool; paper: mean over all places, average-pool",
        "none stated",
    ),
    "ssl_tie": About(
        "SSL-TIE, ACM MM 2022 (2206.12772)",
        "LVS twice, on a picture and its turned copy, whose maps must agree",
        "as the code: neither map is held fixed",
        "MIT",
    ),
    "sspl": About(
        "Self-Supervised Predictive Learning, CVPR 2022 (2203.13412)",
        "no negatives: what sounds in two views must agree; a predictive-coding module corrects the picture",
        "as the code; VGGish is replaced; its own test thresholds at 0.5",
        "MIT",
    ),
}
