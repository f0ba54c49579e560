"""The jobs as the page shows them: one model for all of them, so that a change is one message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import panel as pn
import param

_SCRIPT = """
const made = (tag, parent, text = "") => {
  const node = document.createElement(tag)
  node.textContent = text
  return parent.appendChild(node)
}

export function render({ model }) {
  const root = document.createElement("div")
  const shown = new Map()

  const entry = job => {  // what is there is kept: a button must not vanish under a click
    const node = document.createElement("section")
    const parts = {node, title: made("strong", node), said: made("div", node)}
    parts.said.setAttribute("role", "status")
    parts.bar = made("progress", node)
    parts.bar.setAttribute("aria-label", "Share of the job that is done")
    parts.actions = made("div", node)
    return parts
  }

  const draw = () => {
    const ids = model.jobs.map(job => job.id)
    for (const [id, parts] of shown)
      if (!ids.includes(id)) { parts.node.remove(); shown.delete(id) }
    model.jobs.forEach((job, place) => {
      if (!shown.has(job.id)) shown.set(job.id, entry(job))
      const parts = shown.get(job.id)
      if (root.children[place] !== parts.node) root.insertBefore(parts.node, root.children[place])
      parts.title.textContent = job.title
      parts.said.textContent = job.said
      parts.said.className = job.failed ? "failed" : ""
      parts.bar.hidden = job.ended
      if (job.share === null) parts.bar.removeAttribute("value")
      else parts.bar.value = job.share
      const wanted = job.actions.join()
      if (parts.actions.dataset.has === wanted) return
      parts.actions.dataset.has = wanted
      parts.actions.replaceChildren()
      for (const name of job.actions) {
        const button = made("button", parts.actions, name)
        button.type = "button"
        button.className = name.toLowerCase()
        button.onclick = () => {
          if (name === "Cancel") button.disabled = true
          model.send_msg([job.id, name])
        }
      }
    })
  }
  model.on("jobs", draw)
  draw()
  return root
}
"""

_STYLE = """
:host { display: block; width: 100%; }
section { border-top: 1px solid rgba(128, 128, 128, 0.4); padding: 6px 10px; font-size: 0.85rem;
  line-height: 1.35; overflow-wrap: anywhere; }
progress { display: block; width: 100%; height: 6px; margin: 4px 0;
  accent-color: var(--mui-palette-primary-main, #0b6e75); }
progress[hidden] { display: none; }
.failed { color: var(--mui-palette-error-main, #b3261e); }
button { font: inherit; font-weight: 500; padding: 3px 9px; margin: 4px 2px 0 0; border-radius: 4px;
  border: 1px solid transparent; background: none; cursor: pointer;
  color: var(--mui-palette-primary-main, #0b6e75); }
button:hover { background: rgba(128, 128, 128, 0.15); }
button:focus-visible { outline: 2px solid currentColor; }
button:disabled { opacity: 0.5; cursor: default; }
.cancel, .resume, .open { border-color: currentColor; }
.cancel, .delete { color: var(--mui-palette-error-main, #b3261e); }
"""


class JobList(pn.custom.JSComponent):
    """Shows jobs, and tells which button of which was pressed."""

    jobs = param.List(
        doc="Of each: id, title, said, failed, ended, share (None: unknown), actions."
    )

    _esm = _SCRIPT
    _stylesheets = [_STYLE]  # noqa: RUF012 (Panel's way of declaring them)

    def __init__(self, pressed: Callable[[str, str], Any], **params: Any) -> None:
        super().__init__(**params)
        self._pressed = pressed

    def _handle_msg(self, msg: Any) -> None:
        identifier, action = (str(part) for part in msg)
        self._pressed(identifier, action)
