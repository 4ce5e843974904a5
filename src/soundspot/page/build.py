"""The page itself: what is where, and which event does what."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import gradio as gr

from soundspot.localize import draw
from soundspot.page import views
from soundspot.page.handlers import Handlers
from soundspot.page.limits import ENDINGS

HERE = Path(__file__).parent
SYSTEM_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
"""Those of the visitor's machine: no font is fetched from anywhere."""
GO = "Find the sound"


def theme() -> Any:
    """Plain, with the overlay's orange."""
    return gr.themes.Base(
        primary_hue=gr.themes.colors.orange,
        neutral_hue=gr.themes.colors.slate,
        font=SYSTEM_FONTS,
        font_mono=("ui-monospace", "monospace"),
    )


def head() -> str:
    """What makes timeline and players live."""
    return f"<script>{(HERE / 'page.js').read_text(encoding='utf-8')}</script>"


def css() -> str:
    """How it looks."""
    return (HERE / "page.css").read_text(encoding="utf-8")


def build(handlers: Handlers) -> gr.Blocks:
    """The page, ready to be served."""
    limits = handlers.limits
    with gr.Blocks(title="soundspot", analytics_enabled=False, delete_cache=None) as page:
        gr.HTML(views.header(limits), elem_id="spot-header")
        with gr.Row(elem_id="spot-body"):
            with gr.Column(scale=2, min_width=300, elem_id="spot-give"):
                film, pair, sample = _inputs(handlers)
                settings = _settings(handlers)
                stop = gr.Button("Stop", elem_id="spot-stop", size="sm", variant="secondary")
            with gr.Column(scale=5, min_width=300, elem_id="spot-get"):
                status = gr.HTML("", elem_id="spot-status")
                players = gr.HTML(views.WELCOME, elem_id="spot-players")
                verdict = gr.HTML("", elem_id="spot-verdict")
                downloads = gr.HTML("", elem_id="spot-downloads")
        shown = [status, players, verdict, downloads]
        working: dict[str, Any] = {
            "outputs": shown,
            "concurrency_limit": limits.at_once,
            "concurrency_id": "work",
            "show_progress": "minimal",
            "show_progress_on": [status],
            "api_visibility": "private",
        }
        quick: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        weights, *looks = settings
        runs = [
            button.click(handler, [*given, *settings], **working)
            for (button, *given), handler in (
                (film, handlers.film), (pair, handlers.pair), (sample, handlers.sample)
            )
        ]  # fmt: skip
        weights.change(handlers.threshold_of, [weights], [looks[0]], **quick)
        changed = gr.on(
            [looks[0].release, looks[1].change, looks[2].release],
            handlers.judge, looks, shown, trigger_mode="multiple", **quick,
        )  # fmt: skip
        redrawn = changed.success(handlers.redraw, None, **working)
        for event in (*runs, changed, redrawn):
            event.failure(handlers.broken, None, [status], **quick)
        stop.click(handlers.stopped, None, [status], cancels=[*runs, redrawn], **quick)
        page.unload(handlers.left)
    page.queue(max_size=limits.waiting + limits.at_once, api_open=False, default_concurrency_limit=8)
    return page


def _inputs(handlers: Handlers) -> tuple[tuple[Any, ...], ...]:
    """Three ways to give something: of each its button, then what it sends."""
    with gr.Tabs():
        with gr.Tab("Film"):
            film = _file("A film with sound", "film", "spot-film")
            of_film = gr.Button(GO, variant="primary", elem_id="spot-go-film")
        with gr.Tab("Picture + sound"):
            picture = _file("A picture", "picture", "spot-picture")
            sound = _file("A sound", "sound", "spot-sound")
            of_pair = gr.Button(GO, variant="primary", elem_id="spot-go-pair")
        with gr.Tab("Sample"):
            names = list(handlers.samples)
            chosen = gr.Radio(names, value=names[0], label="A film of ours", elem_id="spot-sample")
            of_sample = gr.Button(GO, variant="primary", elem_id="spot-go-sample")
    return (of_film, film), (of_pair, picture, sound), (of_sample, chosen)


def _file(label: str, kind: Any, elem_id: str) -> Any:
    return gr.File(label=label, file_types=sorted(ENDINGS[kind]), type="filepath", height=150, elem_id=elem_id)


def _settings(handlers: Handlers) -> tuple[Any, ...]:
    """Weights, threshold, what is drawn, how opaque."""
    names = handlers.weights.names
    with gr.Accordion("Weights, threshold, look", open=True, elem_id="spot-settings"):
        weights = gr.Dropdown(list(names), value=names[0], label="Weights", elem_id="spot-weights")
        threshold = gr.Slider(
            0.01, 0.99, value=round(handlers.weights.threshold(names[0]), 2), step=0.01,
            label="Threshold", info="On-screen from here on.",
            elem_id="spot-threshold",
        )  # fmt: skip
        show = gr.Radio(list(get_args(draw.Show)), value="heat", label="Look", elem_id="spot-show")
        opacity = gr.Slider(0.1, 1.0, value=draw.OPACITY, step=0.05, label="Opacity", elem_id="spot-opacity")
    return weights, threshold, show, opacity
