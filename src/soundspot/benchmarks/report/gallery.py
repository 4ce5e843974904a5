"""Clips to look at and listen to: the best, the worst and random ones, methods side by side, one picture's sounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

import numpy as np

from soundspot.benchmarks.report.classes import Key, is_classed
from soundspot.benchmarks.report.evidence import Evidence, Section
from soundspot.benchmarks.report.pictures import Seen
from soundspot.benchmarks.result import Record, Result
from soundspot.metrics.intervals import SEED

CLIPS = 6
"""Of the best, the worst and random ones each."""
ORDER = "ciou_adaptive"


class Sounds:
    """The page's sounds, each kept once however often it is shown."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    def player(self, seen: Seen) -> str:
        """A player of the clip's sound, or a remark that there is none."""
        if seen.clip.id not in self.kept:
            address = seen.sound()
            if address is None:
                return '<span class="faint">no sound at hand</span>'
            self.kept[seen.clip.id] = address
        return f'<audio controls preload="none" data-sound="{escape(seen.clip.id)}"></audio>'


class Gallery:
    """Shows clips of one benchmark; every picture is read once."""

    def __init__(self, evidence: Evidence, results: Sequence[Result], sounds: Sounds, clips: int = CLIPS) -> None:
        self.evidence, self.sounds, self.count = evidence, sounds, clips
        self.results = [result for result in results if result.name in evidence.predictions]
        self.records = {result.name: {str(row["clip_id"]): row for row in result.records} for result in self.results}
        self._seen: dict[str, Seen] = {}
        self._targets = {target.clip_id: target for target in evidence.targets}
        self._places = {target.clip_id: place for place, target in enumerate(evidence.targets)}
        self._key = Key.of(evidence)

    def sections(self) -> list[Section]:
        """What there is to show; maps of several classes in colours, with a key below."""
        methods = [each for each in self.results if not _is_prior(each)]  # a prior's maps are all alike
        found = [self._chosen(result) for result in methods]
        return [section for section in [*found, self._side_by_side(), self._sounds_of_a_picture()] if section]

    def seen(self, clip_id: str) -> Seen:
        if clip_id not in self._seen:
            self._seen[clip_id] = Seen(self.evidence.clips[clip_id], self._targets[clip_id])
        return self._seen[clip_id]

    def _chosen(self, result: Result) -> Section | None:
        """Of one method, with its own measure to sort by."""
        worth = {str(row["clip_id"]): self._worth(result, row) for row in result.records if row["status"] == "scored"}
        rows = [row for row in result.records if worth.get(str(row["clip_id"])) is not None]
        if not rows:
            return None
        order = sorted(rows, key=lambda row: worth[str(row["clip_id"])] or 0, reverse=True)
        random = [rows[place] for place in _random(len(rows), self.count)]
        parts = {"best": order[: self.count], "worst": order[::-1][: self.count], "random": random}
        sure = [row for row in result.records if row["kind"] != "visible" and row["confidence"] is not None]
        parts["surest where nothing in view sounds"] = sorted(
            sure, key=lambda row: float(row["confidence"] or 0), reverse=True
        )[: self.count]
        html = "".join(
            f"<h4>{escape(title)}</h4>{self._cards(result.name, chosen)}" for title, chosen in parts.items() if chosen
        )
        return Section(f"Clips of {result.name}", html)

    def _worth(self, result: Result, row: Record) -> float | None:
        """What clips are sorted by: overlap with the true area, or of maps by class the mean over sounding classes."""
        if is_classed(result):
            return self._of_classes(result.name, str(row["clip_id"]))[0]
        return None if row.get(ORDER) is None else float(row[ORDER] or 0)

    def _of_classes(self, name: str, clip_id: str) -> tuple[float | None, float | None]:
        """A clip's overlap over sounding classes and its share of silent pixels, where there is such a thing."""
        known = self.evidence.class_values.get(name)
        if known is None:
            return None, None
        overlap, silent = (float(values[self._places[clip_id]]) for values in known)
        return None if math.isnan(overlap) else overlap, None if math.isnan(silent) else silent

    def _cards(self, name: str, rows: Sequence[Record]) -> str:
        cards = []
        for row in rows:
            clip_id = str(row["clip_id"])
            seen = self.seen(clip_id)
            source, key = self._picture(name, seen)
            words = escape(_words(seen, row, self._overlap(name, row)))
            cards.append(
                f'<figure class="card"><img loading="lazy" alt="{escape(clip_id)}" src="{source}">'
                f"<figcaption>{key}{words}</figcaption>{self._player(name, seen)}</figure>"
            )
        return f'<div class="cards">{"".join(cards)}</div>'

    def _player(self, name: str, seen: Seen) -> str:
        """The clip's own sound is not what a control has heard."""
        if "sounds" in self.evidence.predictions[name].provenance:
            return '<span class="faint">heard another clip\'s sound</span>'
        return self.sounds.player(seen)

    def _picture(self, name: str, seen: Seen) -> tuple[str, str]:
        """A clip with a method's map over it; of maps by class also what each colour stands for."""
        predictions = self.evidence.predictions[name]
        scores = predictions.maps.get(seen.clip.id)
        if scores is None or scores.ndim == 2 or self._key is None:
            return seen.picture(scores, self._key), ""
        layers = self._key.layers(scores, predictions.class_names)
        shown = self._key.html([layer.name for layer in layers])
        return seen.picture_of_classes(layers, self._key), f"{shown}<br>"

    def _overlap(self, name: str, row: Record) -> str:
        """How well a clip's truth is met: by one map, by class, or both."""
        if row["kind"] != "visible":
            return "nothing to find"
        overlap, silent = self._of_classes(name, str(row["clip_id"]))
        values = {"overlap": row.get("ciou"), "with the true area": row.get(ORDER)}
        values |= {"by class": overlap, "silent classes silent": silent}
        return ", ".join(f"{what} {float(value):.2f}" for what, value in values.items() if value is not None)

    def _side_by_side(self) -> Section | None:
        """Random clips by line, methods by column, the truth first (the papers' qualitative figures)."""
        if len(self.results) < 2:
            return None
        ids = [
            clip_id for clip_id in self.evidence.clips if all(self._scored(result, clip_id) for result in self.results)
        ]
        visible = [clip_id for clip_id in ids if self._targets[clip_id].kind == "visible"]
        chosen = [visible[place] for place in _random(len(visible), self.count)]
        return Section("Side by side", self._grid([(clip_id, clip_id) for clip_id in chosen])) if chosen else None

    def _sounds_of_a_picture(self) -> Section | None:
        """One picture with each of its sounds."""
        groups: dict[str, list[str]] = {}
        for target in self.evidence.targets:
            if target.group is not None and all(self._scored(result, target.clip_id) for result in self.results):
                groups.setdefault(target.group, []).append(target.clip_id)
        several = [(group, ids) for group, ids in groups.items() if len(ids) > 1]
        if not several or not self.results:
            return None
        chosen = [several[place] for place in _random(len(several), max(1, self.count // 2))]
        return Section("One picture, its sounds", self._grid([(clip, group) for group, ids in chosen for clip in ids]))

    def _scored(self, result: Result, clip_id: str) -> bool:
        return self.records[result.name].get(clip_id, {}).get("status") == "scored"

    def _grid(self, lines: Sequence[tuple[str, str]]) -> str:
        head = "".join(f"<th>{escape(result.name)}</th>" for result in self.results)
        body = []
        for clip_id, group in lines:
            seen = self.seen(clip_id)
            truth = seen.picture(key=self._key)
            cells = [f'<img loading="lazy" alt="truth of {escape(clip_id)}" src="{truth}">']
            for result in self.results:
                row = self.records[result.name][clip_id]
                source, key = self._picture(result.name, seen)
                picture = f'<img loading="lazy" alt="{escape(clip_id)} by {escape(result.name)}" src="{source}">'
                cells.append(f"{picture}<br>{key}{escape(self._overlap(result.name, row))}")
            labels = ", ".join(seen.clip.labels) or clip_id
            first = f'{escape(labels)}<br><span class="faint">{escape(group)}</span><br>{self.sounds.player(seen)}'
            body.append("<tr><td>" + first + "</td>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
        table = f"<table><tr><th>sound</th><th>truth</th>{head}</tr>{''.join(body)}</table>"
        return f'<div class="wide grid">{table}</div>'


def _is_prior(result: Result) -> bool:
    return str(result.provenance["predictions"].get("method", "")).startswith("prior:")


def _words(seen: Seen, row: Record, overlap: str) -> str:
    kind = "" if row["kind"] == "visible" else f"{row['kind']}, "
    labels = ", ".join(seen.clip.labels)
    confidence = row["confidence"]
    sure = "" if confidence is None else f", confidence {float(confidence):.2f}"
    return f"{kind}{labels + ': ' if labels else ''}{overlap}{sure} ({row['clip_id']})"


def _random(many: int, count: int) -> list[int]:
    """Places, the same each time."""
    return sorted(np.random.default_rng(SEED).permutation(many)[:count].tolist())
