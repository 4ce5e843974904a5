"""Sets without truth that papers name: why asking for them ends, and what to do instead."""

from __future__ import annotations

_ERASER = (
    "expected a published data set, got one that only its paper knows: neither clips nor annotations of Interference"
    " Eraser's set were found in public; use films of your own: `predict WEIGHTS videos --root FOLDER`, or train on"
    " FOLDER with video/<id>.mp4"
)
NO_TRUTH = {
    "videos": (
        "videos: expected a benchmark, got films that have no truth to compare with; `predict` takes them, and a folder"
        " with truths in soundspot's own layout is the benchmark `samples`"
    ),
    "music_unlabelled": f"music_unlabelled: {_ERASER}",
    "vggsound_unlabelled": f"vggsound_unlabelled: {_ERASER}",
}
"""By name, the message for whoever asks for it as a benchmark."""
