"""Sections as one HTML page that needs no network: styles, scripts, pictures and sounds are inside."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape

from soundspot.benchmarks.report.evidence import Section

_STYLE = """
:root { color-scheme: light dark; --faint: #767676; --line: #8884; --accent: #0072b2 }
* { box-sizing: border-box }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 1500px; padding: 0 16px 48px }
nav { position: sticky; top: 0; background: Canvas; border-bottom: 1px solid var(--line); padding: 8px 0; z-index: 2;
  display: flex; gap: 4px 14px; flex-wrap: wrap }
h1 { margin: 18px 0 2px } h2 { margin-top: 40px; border-bottom: 2px solid var(--accent) } h3 { margin: 28px 0 8px }
.faint { color: var(--faint); font-size: 13px } .wide { overflow-x: auto; max-width: 100% }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px }
td, th { padding: 3px 9px; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top }
td:nth-child(n+4) { white-space: nowrap } td:nth-child(2) { min-width: 200px }
th button { all: unset; cursor: pointer; font-weight: 600; white-space: nowrap }
th button:focus-visible { outline: 2px solid var(--accent) }
th[aria-sort=ascending] button::after { content: " \\25b2" }
th[aria-sort=descending] button::after { content: " \\25bc" }
tr.result { font-weight: 600 } tr.floor, tr.ceiling { color: var(--faint) }
.figures { display: flex; flex-wrap: wrap; gap: 12px } figure { margin: 0; max-width: 100%; min-width: 0 }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(210px, 1fr)); gap: 12px; max-width: 1480px }
svg { max-width: 100%; height: auto } li, p { overflow-wrap: anywhere }
.card img { width: 100%; display: block; border-radius: 4px }
.grid img { width: 240px; max-width: 100%; display: block; border-radius: 4px }
.grid td { white-space: normal; min-width: 150px } figcaption { font-size: 12px; overflow-wrap: anywhere }
audio { width: 100%; min-width: 150px; height: 32px; margin-top: 4px }
.kinds label { margin-right: 12px }
.key { white-space: nowrap; font-size: 12px; margin-right: 6px }
.key i { display: inline-block; width: 10px; height: 10px; margin-right: 3px; border: 1px solid #0008 }
@media (max-width: 600px) { .cards { grid-template-columns: 1fr 1fr } .grid img { width: 130px }
  body { padding: 0 8px 32px } }
"""

_SCRIPT = """
const number = text => { const found = text.match(/^[-+]?[0-9.]+(e[-+]?[0-9]+)?/i); return found ? +found[0] : NaN }
for (const button of document.querySelectorAll("th button")) button.addEventListener("click", () => {
  const head = button.parentElement, table = head.closest("table"), body = table.tBodies[0]
  const column = [...head.parentElement.children].indexOf(head)
  const down = head.getAttribute("aria-sort") !== "descending"
  for (const other of head.parentElement.children) other.removeAttribute("aria-sort")
  head.setAttribute("aria-sort", down ? "descending" : "ascending")
  const rows = [...body.rows].map((row, place) => ({ row, place, text: row.cells[column].textContent.trim() }))
  const numeric = rows.some(each => !isNaN(number(each.text)))
  rows.sort((a, b) => {
    const empty = each => each.text === "" || each.text === "\\u2013" || (numeric && isNaN(number(each.text)))
    if (empty(a) !== empty(b)) return empty(a) ? 1 : -1
    const order = numeric ? number(a.text) - number(b.text) : a.text.localeCompare(b.text)
    return (down ? -order : order) || a.place - b.place
  })
  body.append(...rows.map(each => each.row))
})
for (const box of document.querySelectorAll(".kinds input")) box.addEventListener("change", () => {
  const table = box.closest("section").querySelector("table")
  for (const row of table.querySelectorAll(`tr.${box.value}`)) row.hidden = !box.checked
})
const sounds = JSON.parse(document.getElementById("sounds").textContent)
for (const player of document.querySelectorAll("audio[data-sound]")) player.src = sounds[player.dataset.sound]
"""


def html_page(
    title: str, about: str, benchmarks: Mapping[str, Sequence[Section]], sounds: Mapping[str, str] | None = None
) -> str:
    """The page: a part a benchmark with its sections; `sounds` are data addresses by the id players name."""
    links = "".join(f'<a href="#part{number}">{escape(name)}</a>' for number, name in enumerate(benchmarks))
    parts = "\n".join(_part(number, name, sections) for number, (name, sections) in enumerate(benchmarks.items()))
    # "</" inside a script would end it
    kept = json.dumps(dict(sounds or {})).replace("</", "<\\/")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<style>{_STYLE}</style></head><body>\n<h1>{escape(title)}</h1>"
        f'<p class="faint">{escape(about)}</p><nav>{links}</nav>\n{parts}\n'
        f'<script type="application/json" id="sounds">{kept}</script><script>{_SCRIPT}</script></body></html>\n'
    )


def _part(number: int, name: str, sections: Sequence[Section]) -> str:
    inner = "\n".join(f"<section><h3>{escape(section.title)}</h3>{section.html}</section>" for section in sections)
    return f'<h2 id="part{number}">{escape(name)}</h2>\n{inner}'
