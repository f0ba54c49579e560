"""The legend: what the colours mean, how much of the view they cover, and which are shown."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, ClassVar

import panel_material_ui as pmui
import param
from panel.custom import JSComponent

from dashboard.painting.picture import Entry, Picture
from dashboard.ramps import Ramp
from dashboard.state import State
from dashboard.ties import sentence, spoken, words


class Rows(JSComponent):
    """The lines of a legend: a click hides or shows one, a double click leaves it alone."""

    rows = param.List(doc="Of each class its name, colour and share as words.")
    hidden = param.List(doc="Names of those that are not painted.")

    _esm = """
    export function render({ model }) {
      const list = document.createElement('ul')
      list.setAttribute('aria-label', 'Legend')
      const all = document.createElement('button')
      all.className = 'all'
      all.textContent = 'Show all'
      all.onclick = () => { model.hidden = [] }
      let before = []
      const toggle = name => {
        before = model.hidden
        model.hidden = before.includes(name) ? before.filter(n => n != name) : [...before, name]
      }
      const isolate = (name, hidden) => {
        const others = model.rows.map(row => row.name).filter(n => n != name)
        const alone = others.length && others.every(n => hidden.includes(n))
        model.hidden = alone ? [] : others
      }
      const state = () => {
        for (const button of list.querySelectorAll('button'))
          button.setAttribute('aria-pressed', !model.hidden.includes(button.dataset.name))
        all.style.visibility = model.hidden.length ? 'visible' : 'hidden'
      }
      const draw = () => {
        const focused = list.getRootNode().activeElement?.dataset?.name
        list.replaceChildren(...model.rows.map(row => {
          const [item, button] = ['li', 'button'].map(tag => document.createElement(tag))
          const [patch, name, share] = ['i', 'span', 'b'].map(tag => document.createElement(tag))
          patch.style.background = row.color || 'transparent'
          name.textContent = row.name
          share.textContent = row.share
          button.dataset.name = row.name
          button.title = 'Click to hide or show; double-click (or Shift+Enter) for this one alone'
          button.append(patch, name, share)
          button.onclick = event => {
            if (event.shiftKey) isolate(row.name, model.hidden)
            else if (event.detail == 2) isolate(row.name, before)
            else toggle(row.name)
          }
          item.append(button)
          return item
        }))
        state()
        for (const button of list.querySelectorAll('button'))
          if (button.dataset.name == focused) button.focus()
      }
      model.on('rows', draw)
      model.on('hidden', state)
      draw()
      const whole = document.createElement('div')
      whole.append(list, all)
      return whole
    }
    """

    _stylesheets: ClassVar = ["""
    ul { list-style: none; margin: 0; padding: 0; font-size: 0.82rem }
    button { font: inherit; color: inherit; background: none; border: 0; cursor: pointer }
    li button { display: flex; gap: 6px; width: 100%; padding: 2px 4px; text-align: left;
                align-items: center; border-radius: 3px }
    button:hover, button:focus-visible { background: rgba(128, 128, 128, 0.22) }
    button:focus-visible { outline: 2px solid currentColor; outline-offset: -2px }
    i { flex: none; width: 14px; height: 12px; border: 1px solid rgba(128, 128, 128, 0.8) }
    span { flex: 1; line-height: 1.2 }
    b { font-weight: normal; font-variant-numeric: tabular-nums; white-space: nowrap }
    [aria-pressed=false] i { background: none !important }
    [aria-pressed=false] span { text-decoration: line-through; opacity: 0.75 }
    .all { padding: 2px 4px; text-decoration: underline; font-size: 0.78rem }
    """]  # fmt: skip


class LegendView:
    """Explains a picture; what is hidden in it is hidden in the state."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.title, self.unit = words(), words()
        self.rows = Rows(sizing_mode="stretch_width", margin=(0, 6))
        self.panel = pmui.Column(self.title, self.rows, self.unit, sizing_mode="stretch_width")
        self._picture: Picture | None = None
        self.rows.hidden = list(state.hidden)
        self.rows.param.watch(lambda event: state.param.update(hidden=event.new), "hidden")
        state.param.watch(lambda event: self.rows.param.update(hidden=event.new), "hidden")
        state.param.watch(self._again, "by")

    def show(self, picture: Picture) -> None:
        """Explain this picture."""
        self._picture = picture
        self._again()

    def _again(self, *_: Any) -> None:
        picture = self._picture
        if picture is None:
            return
        lines = rows(picture.entries if picture.scale is None else (), self.state.by)
        if lines != self.rows.rows:
            self.rows.rows = lines
        self.rows.visible = bool(lines)
        self.title.object = f"<div style='font-size:0.8rem'>{escape(heading(picture))}</div>"
        self.unit.object = footing(picture)


def rows(entries: Sequence[Entry], by: str = "legend") -> list[dict[str, str]]:
    """The lines in the legend's order, or the largest share of the view first."""
    ordered = sorted(entries, key=lambda entry: -entry.share) if by == "area" else entries
    return [{"name": e.name, "color": e.color, "share": share(e.share)} for e in ordered]


def heading(picture: Picture) -> str:
    """What is shown."""
    return picture.title or "No layer over the image."


def footing(picture: Picture) -> str:
    """What the numbers beside the colours are, and what to know of them; HTML."""
    parts = []
    if picture.scale is not None:
        parts.append(_ramp(picture.scale))
    elif picture.entries:
        parts.append('<div style="font-size:0.75rem">share of the map in view</div>')
    elif picture.title:
        parts.append("<small>Nothing to show here.</small><br>")
    parts += [f"<small>{escape(sentence(spoken(note)))}</small><br>" for note in picture.notes]
    return "".join(parts)


def _ramp(scale: Ramp) -> str:
    ticks = "".join(f"<span>{text}</span>" for text in (scale.low, scale.middle, scale.high))
    return (
        f'<div style="height:14px;background:{scale.css};border:1px solid rgba(128,128,128,0.8)">'
        '</div><div style="display:flex;justify-content:space-between;font-size:0.8rem">'
        f'{ticks}</div><div style="font-size:0.75rem">{escape(scale.unit)}</div>'
    )


def share(of_view: float) -> str:
    """A share of the view for people."""
    if of_view == 0:
        return "–"
    return "< 0.1 %" if of_view < 0.001 else f"{of_view * 100:.1f} %"
