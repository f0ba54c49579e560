"""A gallery of small maps, each with its name, a line of numbers and perhaps a drawing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import param

_STYLE = """
:host { display: block; }
.cards { width: 100%; display: grid; gap: 8px;
  grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); }
.card { font: inherit; font-size: 0.78rem; line-height: 1.25; text-align: left; margin: 0;
  padding: 5px; color: inherit; background: none; border: 1px solid rgba(128, 128, 128, 0.45);
  border-radius: 4px; display: flex; flex-direction: column; gap: 3px; min-width: 0; }
button.card { cursor: pointer; }
button.card:hover { border-color: currentColor; }
button.card:focus-visible { outline: 2px solid #0b6e75; outline-offset: 1px; }
button.card[aria-pressed=true] { border: 2px solid #0e8c95; padding: 4px; }
.card img { width: 100%; display: block; object-fit: contain; image-rendering: pixelated;
  background: repeating-conic-gradient(rgba(128, 128, 128, 0.25) 0 25%, transparent 0 50%)
  0 0 / 12px 12px; }
.card .name { font-weight: 600; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.card .note { font-variant-numeric: tabular-nums; min-height: 1.25em; }
.card svg { width: 100%; height: 34px; display: block; }
"""

#: Cards are kept and only their contents change: the focus stays, and nothing jumps.
_SCRIPT = """
export function render({ model }) {
  const list = document.createElement("div")
  list.className = "cards"
  const cards = new Map()

  const made = id => {
    const card = document.createElement(model.pick ? "button" : "figure")
    card.className = "card"
    card.innerHTML = '<img alt=""><span class="name"></span><span class="note"></span><span></span>'
    if (model.pick) {
      card.type = "button"
      card.onclick = () => model.send_msg(id)
    }
    return card
  }
  const put = (node, key, value) => { if (node[key] !== value) node[key] = value }

  const draw = () => {
    const kept = model.items.map(item => {
      const card = cards.get(item.id) ?? made(item.id)
      cards.set(item.id, card)
      const [image, name, note, chart] = card.children
      if (image.getAttribute("src") !== item.image) image.setAttribute("src", item.image)
      image.style.aspectRatio = item.aspect
      put(name, "textContent", item.name)
      put(card, "title", item.title)
      put(note, "textContent", item.note)
      if (model.pick) card.setAttribute("aria-pressed", item.chosen)
      if (chart.drawn !== item.chart) { chart.innerHTML = item.chart; chart.drawn = item.chart }
      return card
    })
    if (kept.some((card, i) => list.children[i] !== card) || list.children.length != kept.length)
      list.replaceChildren(...kept)
  }
  model.on("items", draw)
  draw()
  return list
}
"""


class Gallery(pn.custom.JSComponent):
    """Cards side by side; with something to call, one of them can be chosen."""

    items = param.List(doc="What `card` makes.")
    pick = param.Boolean(default=False, constant=True, doc="Whether cards are buttons.")

    _esm = _SCRIPT
    _stylesheets = [_STYLE]  # noqa: RUF012 (Panel's way of declaring them)

    def __init__(self, picked: Callable[[int], None] | None = None, **params: Any) -> None:
        super().__init__(pick=picked is not None, **params)
        self._picked = picked

    def _handle_msg(self, msg: Any) -> None:
        """The id of the card that was clicked."""
        if self._picked is not None:
            self._picked(int(msg))


def card(
    identifier: int, name: str, image: str, aspect: float, *, note: str = "", title: str = "",
    chart: str = "", chosen: bool = False,
) -> dict[str, object]:  # fmt: skip
    """A card: a picture of width / height `aspect`, a name, a line, a longer tooltip, a drawing."""
    return {
        "id": identifier, "name": name, "title": title or name, "note": note,
        "image": image, "aspect": f"{aspect:.4f}", "chart": chart,
        "chosen": bool(chosen),
    }  # fmt: skip
