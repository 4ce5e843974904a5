"""What a visitor sees of a piece of work: how far it is, both films, the verdict, the timeline, downloads."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from soundspot.page.curve import Curve, clock, colour_of
from soundspot.page.limits import Limits, harmless
from soundspot.page.steps import Step
from soundspot.page.work import OWN, Found, exports

SAYS: Mapping[str | None, str] = {
    "on-screen": "the source is in view",
    "off-screen": "heard, but its source is not in view",
    "silent": "nothing is heard",
    "unsure": "could be either",
    None: "heat shows where, and not how sure",
}
MAX_STRETCHES = 200
# A browser's own controls would lie over the film's caption and strip; these are for both films at once.
CONTROLS = """<div class="spot-controls"><button type="button" data-do="play" aria-label="Play">▶ Play</button>
<span class="spot-clock"></span><button type="button" data-do="mute" aria-label="Mute">Mute</button>
<button type="button" data-do="large" aria-label="Full screen"><svg viewBox="0 0 16 16"
aria-hidden="true"><path d="M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4"/></svg></button></div>"""

WELCOME = """
<section class="spot-welcome">
<h2>Where does the sound come from?</h2>
<p>Drop a film, or a picture and a sound, or take a sample. You get</p>
<ul>
<li><b>the film with the sound's place marked</b>, beside the original;</li>
<li><b>a timeline you can click</b>: how sure it is that what sounds is in view, what is heard, and when nobody in view
makes it;</li>
<li><b>files to take home</b>: the film, the timeline for machines, one picture that sums it up.</li>
</ul>
</section>
"""


def header(limits: Limits) -> str:
    """The page's head: what it is, and what it keeps."""
    return (
        '<header class="spot-top"><svg viewBox="0 0 32 32" aria-hidden="true"><circle cx="16" cy="16" r="15"/>'
        '<circle cx="16" cy="16" r="9.5"/><circle cx="16" cy="16" r="4"/></svg><div><h1>soundspot</h1>'
        "<p>finds where in the picture a sound comes from</p></div></header>"
        f'<p class="spot-terms">Up to {limits.max_mb} MB and {limits.max_seconds:g} s. Your files stay on this machine'
        f" and are deleted when you leave, or {limits.keep_minutes:g} minutes after you last used them.</p>"
    )


def problem(text: str) -> str:
    """One sentence that says what went wrong."""
    return f'<p class="spot-problem" role="alert">{harmless(text[:1].upper() + text[1:])}</p>'


def progress(step: Step) -> str:
    """How far a piece of work is."""
    share = step.done / step.total if step.total else 0.0
    left = step.seconds_left()
    told = f"{share:.0%}" + ("" if left is None or left < 1 else f", about {_about(left)} left") if step.total else ""
    bar = f'<b style="width:{share:.1%}"></b>' if step.total else '<b class="spot-unknown"></b>'
    return (
        f'<div class="spot-progress" role="status"><span>{harmless(step.name)} …</span><span>{told}</span>'
        f"<div>{bar}</div></div>"
    )


def _about(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def players(found: Found) -> str:
    """The original and the overlay, side by side; page.js keeps them together."""
    if found.source.still is None:
        address = _address(found, "original.mp4")
        original = f'<video data-part="original" src="{address}" muted playsinline preload="auto"></video>'
    else:
        original = f'<img src="{_address(found, "original.jpg")}" alt="The picture as it was given">'
    overlay = f'<video data-part="overlay" src="{_address(found, "overlay.mp4")}" playsinline preload="auto"></video>'
    return (
        f'<section class="spot-players" data-result="{harmless(found.folder.parent.name + found.folder.name)}">'
        f"<figure><figcaption>Original</figcaption>{original}</figure>"
        f"<figure><figcaption>Where it sounds</figcaption>{overlay}</figure>{CONTROLS}</section>"
    )


def verdict(found: Found) -> str:
    """What is said of the whole film, the clickable timeline, and its stretches."""
    timeline = found.timeline
    calibrated = found.judge.calibration is not None
    curve = Curve(timeline, found.source.seconds, found.threshold if calibrated else None)
    return (
        f'<section class="spot-result"><h2>{harmless(timeline.source)}</h2>{_shares(found)}'
        f'<div class="spot-now" aria-live="off"></div>{curve.html()}{_legend(found)}{_stretches(found)}</section>'
    )


def _shares(found: Found) -> str:
    """Which share of the time has which verdict, as a bar and in words."""
    shares = {None if name == "relative" else name: share for name, share in found.timeline.shares().items()}
    bar = "".join(
        f'<b style="flex:{share:.4f};background:{colour_of(name)}"></b>'  # type: ignore[arg-type]
        for name, share in shares.items()
    )
    words = "".join(
        f'<li><i style="background:{colour_of(name)}"></i><b>{harmless(name or "relative")} {share:.0%}</b>'  # type: ignore[arg-type]
        f"<span>{SAYS[name]}</span></li>"
        for name, share in shares.items()
    )
    return f'<div class="spot-shares" aria-hidden="true">{bar}</div><ul class="spot-words">{words}</ul>'


def _legend(found: Found) -> str:
    if found.judge.calibration is None:
        classes = "Curve: how sure that a class that is heard is in view. Wave: the sound."
        plain = "Wave: the sound. These weights hold no calibration, so there is no curve."
        told = classes if found.timeline.tells_classes else plain
        return f'<p class="spot-legend">{told} Click to jump; arrow keys step.</p>'
    return (
        '<p class="spot-legend">Curve: how sure that the source is in view (top: certain). Dashed: your threshold,'
        f" {found.threshold:.0%}. Wave: the sound. Click to jump; arrow keys step.</p>"
    )


def _stretches(found: Found) -> str:
    rows = []
    start_seconds = found.timeline.start_seconds
    for start, end, judged, heard in list(found.timeline.stretches())[:MAX_STRETCHES]:
        rows.append(
            f'<li><button type="button" class="spot-jump" data-time="{max(0.0, start - start_seconds):.3f}">'
            f"<time>{clock(start)} – {clock(min(end, found.source.seconds))}</time>"
            f'<i style="background:{colour_of(judged)}"></i><b>{judged or "relative"}</b>'
            f"<span>{harmless(heard)}</span></button></li>"
        )
    return f'<ol class="spot-stretches">{"".join(rows)}</ol>'


def downloads(found: Found) -> str:
    """What may be taken home."""
    names = {**{name: OWN[name] for name in ("overlay.mp4", "timeline.jsonl", "summary.png")}}
    names |= {export.file_name: export.about for export in exports().values()}
    links = "".join(
        f'<li><a href="{_address(found, name, take=True)}" download="{harmless(name)}">{harmless(name)}</a>'
        f"<span>{harmless(about)}</span></li>"
        for name, about in names.items()
    )
    return (
        f'<section class="spot-downloads"><h3>Take it home</h3><ul>{links}</ul></section>'
        f'<img class="spot-summary" src="{_address(found, "summary.png")}" alt="The whole film in one picture">'
    )


def _address(found: Found, name: str, *, take: bool = False) -> str:
    """Where a browser finds a file of a visit."""
    token = found.folder.parent.name
    return f"result/{quote(token)}/{found.folder.name}/{quote(name)}?v={found.version}" + ("&take=1" if take else "")
