"""Style and script of the page."""

STYLE = """
:root { color-scheme: light dark; --faint: #767676; --line: #8884; --accent: #0072b2 }
* { box-sizing: border-box }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 1000px; padding: 0 16px 40px }
h1 { font-size: 22px; margin: 16px 0 2px; overflow-wrap: anywhere }
.faint { color: var(--faint); font-size: 13px; margin: 0 0 10px; overflow-wrap: anywhere }
video, img { width: 100%; max-height: 75vh; display: block; background: #000; border-radius: 6px; object-fit: contain }
video::cue { background: #000a }
.chart { position: relative; margin: 12px 0 4px; overflow: hidden }
.chart span { position: absolute; left: 6px; font-size: 12px; line-height: 16px; color: #fff; pointer-events: none;
  text-shadow: 0 0 3px #000, 0 0 3px #000; white-space: nowrap }
#timeline { display: block; width: 100%; cursor: pointer; touch-action: manipulation; background: #121216;
  border-radius: 6px }
#timeline:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
.keys { display: flex; flex-wrap: wrap; gap: 2px 14px; font-size: 13px; margin: 0 0 14px; padding: 0; list-style: none }
i { display: inline-block; width: 11px; height: 11px; margin-right: 6px; border: 1px solid #0006; border-radius: 2px }
i.v-on-screen { background: #e69f00 } i.v-off-screen { background: #56b4e9 } i.v-silent { background: #6e6e6e }
i.v-unsure { background: #cc79a7 } i.v-none { background: #c8c8c8 }
.wide { overflow-x: auto; max-width: 100% }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 14px; width: 100% }
td, th { padding: 4px 9px 4px 0; text-align: left; border-bottom: 1px solid var(--line); vertical-align: top }
td:first-child { white-space: nowrap } td { overflow-wrap: break-word }
tr.now td { background: #e69f0033 }
td button { all: unset; cursor: pointer; color: var(--accent); text-decoration: underline }
td button:focus-visible { outline: 2px solid var(--accent) }
@media (prefers-color-scheme: dark) { td button { color: #56b4e9 } }
details { margin-top: 18px; font-size: 13px } dd { margin: 0 0 6px; overflow-wrap: anywhere; color: var(--faint) }
@media (max-width: 600px) { body { padding: 0 10px 28px } table { font-size: 13px } td, th { padding-right: 7px } }
"""

SCRIPT = """
const video = document.querySelector("video"), chart = document.getElementById("timeline")
const offset = video ? +video.dataset.offset : 0
const from = +chart.dataset.start, until = +chart.dataset.end
const head = document.getElementById("playhead"), rows = [...document.querySelectorAll("tr[data-start]")]
const show = time => {
  const x = Math.min(Math.max((time - from) / (until - from), 0), 1) * chart.viewBox.baseVal.width
  head.setAttribute("x1", x); head.setAttribute("x2", x)
  chart.setAttribute("aria-valuenow", time.toFixed(1))
  for (const row of rows) row.classList.toggle("now", time >= +row.dataset.start && time < +row.dataset.end)
}
const go = time => {
  const inside = Math.min(Math.max(time, from), until)
  if (video) video.currentTime = Math.max(0, inside - offset)
  show(inside)
}
chart.addEventListener("click", event => {
  const box = chart.getBoundingClientRect()
  go(from + (event.clientX - box.left) / box.width * (until - from))
})
chart.addEventListener("keydown", event => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
  if (!step) return
  event.preventDefault()
  go((video ? video.currentTime + offset : +chart.getAttribute("aria-valuenow")) + step)
})
for (const button of document.querySelectorAll("button[data-time]"))
  button.addEventListener("click", () => go(+button.dataset.time))
if (video) {
  video.addEventListener("timeupdate", () => show(video.currentTime + offset))
  const missing = () => { document.getElementById("missing").hidden = false }
  video.addEventListener("error", missing)
  if (video.error) missing()
}
show(from)
"""
