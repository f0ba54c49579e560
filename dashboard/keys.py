"""The keys, and the help that names them: a question mark in the page's head."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import panel as pn
import param

from dashboard.help import keys

_SCRIPT = """
const MINE = new Set(["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", " "])
// Where keys have a meaning already: fields, lists, sliders, tabs; and space presses buttons.
const THEIRS = 'input, textarea, select, [contenteditable=""], [contenteditable=true], ' +
  '[role=combobox], [role=listbox], [role=option], [role=menu], [role=menuitem], ' +
  '[role=slider], [role=tab], [role=dialog], [role=presentation]'

export function render({ model }) {
  const root = document.createElement("div")
  root.innerHTML = `<button type="button" title="Help and keys (?)" aria-label="Help and keys">?
    </button><div popover role="dialog" aria-label="Help and keys">${model.text}</div>`
  const [button, help] = root.children
  button.onclick = () => help.togglePopover()

  const pressed = event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return
    const path = event.composedPath().filter(node => node instanceof Element)
    if (path.some(node => node.matches(THEIRS))) return
    if (event.key === "?") { help.togglePopover(); event.preventDefault(); return }
    if (help.matches(":popover-open")) return
    if (!model.live || !MINE.has(event.key)) return
    if (event.key === " " && path.some(node => node.matches("button, a, summary"))) return
    event.preventDefault()
    model.send_msg(event.key)
  }
  document.addEventListener("keydown", pressed)
  model.on("remove", () => document.removeEventListener("keydown", pressed))
  return root
}
"""

_STYLE = """
:host { display: block; }
button { font: inherit; font-weight: 600; width: 28px; height: 28px; border-radius: 50%;
  border: 1px solid currentColor; background: none; color: white; cursor: pointer; padding: 0; }
button:focus-visible { outline: 2px solid white; outline-offset: 2px; }
[popover] { max-width: min(36rem, 90vw); padding: 1rem 1.3rem; border: 1px solid gray;
  border-radius: 6px; font-size: 0.9rem; line-height: 1.45; box-shadow: 0 6px 24px #0006;
  background: var(--mui-palette-background-paper, Canvas);
  color: var(--mui-palette-text-primary, CanvasText); }
td { padding: 2px 14px 2px 0; vertical-align: top; }
kbd { font: inherit; font-weight: 600; white-space: nowrap; }
"""


class Keys(pn.custom.JSComponent):
    """Listens to the keys while no field is typed in, and calls what is bound to them."""

    text = param.String(default=keys(), constant=True, doc="The help, as HTML.")
    live = param.Boolean(default=True, doc="Whether the open page knows the keys.")

    _esm = _SCRIPT
    _stylesheets = [_STYLE]  # noqa: RUF012 (Panel's way of declaring them)

    def __init__(self, bound: Mapping[str, Callable[[], Any]], **params: Any) -> None:
        super().__init__(**params)
        self._bound = bound

    def _handle_msg(self, msg: Any) -> None:
        if msg in self._bound:
            self._bound[msg]()
