"""Light or dark: as the system is set, until one is chosen with the button in the page's head.

The choice belongs to the browser and is kept there: a reload keeps it, a link does not carry it.
"""

from __future__ import annotations

import panel as pn

_SCRIPT = """
const CHOICE = "lulc-theme"
// A browser may be told to keep nothing: then the choice holds as long as the page does.
const kept = {}
const chosen = () => {
  try { return localStorage.getItem(CHOICE) ?? kept.theme } catch { return kept.theme }
}
const choose = theme => {
  kept.theme = theme
  try { localStorage.setItem(CHOICE, theme) } catch { }
}

export function render({ view }) {
  const system = matchMedia("(prefers-color-scheme: dark)")
  const dark = () => (chosen() ?? (system.matches ? "dark" : "light")) === "dark"
  let page = view.parent
  while (page && page.model.class_name !== "Page") page = page.parent
  const follow = () => { page.model.data.dark_theme = dark() }
  const changed = () => {
    const now = page.model.data.dark_theme
    if (now !== dark()) choose(now ? "dark" : "light")
  }
  const elsewhere = event => { if (event.key === CHOICE) follow() }  // in another tab
  if (page) {
    follow()
    page.model_proxy.on("dark_theme", changed)
    system.addEventListener("change", follow)
    window.addEventListener("storage", elsewhere)
  }
  return document.createElement("span")
}
"""


class Theme(pn.custom.JSComponent):
    """Sets the theme of the page it is in; has no looks of its own."""

    _esm = _SCRIPT

    def __init__(self) -> None:
        super().__init__(width=0, height=0, margin=0)
