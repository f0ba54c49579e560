"""What the address of the page remembers, and the browser's way back and forward.

The server says what the address is to be; the page writes it, once things have settled. Where
one looks at something else (another page, run, layer ...) it becomes a step that the browser's
back button takes back; where one only moves the map it replaces the last one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import panel as pn
import param

from dashboard.state import State

_SCRIPT = """
export function render({ model }) {
  const steps = text => {
    const said = new URLSearchParams(text)
    return model.steps.map(name => said.get(name)).join("\\n")
  }
  let timer = null
  let restoring = true  // what follows the arrival, or a step back, is no step of its own
  const write = () => {
    if (model.query !== location.search) {
      const step = !restoring && steps(model.query) !== steps(location.search)
      history[step ? "pushState" : "replaceState"](null, "",
        location.pathname + model.query + location.hash)
    }
    restoring = false
  }
  const settle = () => { clearTimeout(timer); timer = setTimeout(write, 250) }
  const returned = () => {
    restoring = true
    model.send_msg(location.search)
  }
  model.on("query", settle)
  model.on("msg:custom", settle)
  window.addEventListener("popstate", returned)
  model.on("remove", () => window.removeEventListener("popstate", returned))
  settle()
  return document.createElement("span")
}
"""

#: Between the names of a list, since names of classes have commas, and between places.
_BETWEEN, _PLACES = "|", ";"


class Address(pn.custom.JSComponent):
    """Keeps the page's address and a state alike; has no looks of its own."""

    query = param.String(doc="What follows the page's name in the address, from ? on.")
    steps = param.List(doc="Names in the address whose change is a step.")

    _esm = _SCRIPT

    def __init__(self, state: State, names: Mapping[str, str], steps: list[str], **params: Any):
        super().__init__(
            steps=[names[step] for step in steps], width=0, height=0, margin=0, **params
        )
        self._state, self._names = state, dict(names)
        self.query = query(state, names)
        state.param.watch(self._changed, list(names))

    def _changed(self, *_: Any) -> None:
        self.query = query(self._state, self._names)

    def _handle_msg(self, msg: Any) -> None:
        """The browser went back or forward: look at what the address says."""
        self._state.param.update(**read(str(msg), self._state, self._names))
        self._send_msg("restored")


def query(state: State, names: Mapping[str, str]) -> str:
    """What an address says of a state: `?scene=...`. What is as at the beginning is left out."""
    said = [
        (name, _text(value))
        for parameter, name in names.items()
        if (value := getattr(state, parameter)) != state.param[parameter].default
    ]
    return "?" + urlencode([(name, text) for name, text in said if text], safe=",;")


def read(text: str, state: State, names: Mapping[str, str]) -> dict[str, Any]:
    """The parameters that an address gives; what it leaves out is as at the beginning.

    Anyone can type an address: what does not fit its parameter is passed over.
    """
    said = dict(parse_qsl(text.removeprefix("?")))
    found = {}
    for parameter, name in names.items():
        kind = state.param[parameter]
        found[parameter] = kind.default
        if name in said:
            try:
                value = _value(kind, said[name])
                kind._validate(value)
            except (ValueError, TypeError):
                continue
            found[parameter] = value
    return found


def _text(value: Any) -> str:
    if isinstance(value, list):
        between = _PLACES if value and isinstance(value[0], tuple) else _BETWEEN
        return between.join(map(_text, value))
    if isinstance(value, tuple):
        return ",".join(map(_digits, value))
    return "" if value is None else str(value)


def _digits(number: float) -> str:
    """A tenth of a metre in degrees, a centimetre in metres, and no more digits than it takes."""
    return f"{number:.{6 if abs(number) < 1000 else 2}f}".rstrip("0").rstrip(".")


def _value(kind: param.Parameter, text: str) -> Any:
    if isinstance(kind, param.List):
        if kind.item_type is not tuple:
            return text.split(_BETWEEN)
        places = [tuple(map(_number, place.split(","))) for place in text.split(_PLACES)]
        if any(len(place) != 2 for place in places):
            raise ValueError("a place has a longitude and a latitude")
        return places
    if isinstance(kind, param.Integer):
        return int(text)
    if isinstance(kind, param.Tuple):
        parts = tuple(map(_number, text.split(",")))
        return tuple(int(p) if p == int(p) else p for p in parts) if kind.length == 3 else parts
    if isinstance(kind, param.Number):
        return _number(text)
    return text


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("no finite number")
    return number
