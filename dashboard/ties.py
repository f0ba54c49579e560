"""Small things that every view needs: widgets tied to the state, sentences, tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any

import panel as pn
import panel_material_ui as pmui
import param

from lulc import config

#: Said wherever something simulated is shown.
SIMULATED = "Simulated region, not real imagery"

#: The column beside a map: as wide as the window allows.
SIDE = {"flex": "0 0 clamp(340px, 37vw, 560px)"}


def tie(widget: Any, state: param.Parameterized, name: str) -> Any:
    """Keep a widget's value and a parameter of the state alike, both ways."""

    def to_state(event: Any) -> None:
        if id(widget) in _refilled:
            return
        if event.new is not None or state.param[name].allow_None:
            setattr(state, name, event.new)

    def to_widget(event: Any) -> None:
        options = getattr(widget, "options", None)
        values = options.values() if isinstance(options, dict) else options
        if values is None or event.new in values:
            widget.value = event.new

    to_widget(type("Start", (), {"new": getattr(state, name)}))
    widget.param.watch(to_state, "value")
    state.param.watch(to_widget, name)
    return widget


def choose(widget: Any, options: Mapping[str, Any] | Sequence[Any], wanted: Any) -> None:
    """Give a select other options, keeping what was wanted where it is among them."""
    options = dict(options) if isinstance(options, Mapping) else list(options)
    values = list(options.values() if isinstance(options, dict) else options)
    value = wanted if wanted in values else next(iter(values), None)
    before = _name(widget.options, widget.value)
    # A select whose options change falls back to the first one in between: nobody chose that.
    _refilled.add(id(widget))
    try:
        widget.options = options
        if value != widget.value:
            widget.value = value
        elif before != _name(options, value):
            widget.param.trigger("value")  # the page knows a value by its name
    finally:
        _refilled.discard(id(widget))
    if values and value != wanted:
        widget.param.trigger("value")


def _name(options: Any, value: Any) -> Any:
    """What a value of a select is called on the page."""
    named = options if isinstance(options, dict) else {}
    return next((name for name, it in named.items() if it == value), value)


#: Widgets that are given other options at this moment.
_refilled: set[int] = set()


def select(label: str, **params: Any) -> pmui.Select:
    """A select as wide as its column."""
    wide = {} if "width" in params else {"sizing_mode": "stretch_width"}
    params = {"options": [], "size": "small", **wide, **params}
    return pmui.Select(label=label, **params)


def text(label: str, hint: str = "", **params: Any) -> pmui.TextInput:
    """A field for a text, as wide as its column; the hint says what an empty one means."""
    params = {"size": "small", "sizing_mode": "stretch_width", **params}
    return pmui.TextInput(label=label, placeholder=hint, **params)


def number(
    label: str,
    hint: str,
    state: param.Parameterized,
    name: str,
    kind: Callable[[str], float] = float,
) -> pmui.TextInput:
    """A field for a number of the state, empty where that is None; what does not fit leaves None.

    Material's own field for numbers shows None as 0, and takes that for what was typed.
    """
    field = text(label, hint)

    def to_state(event: Any) -> None:
        try:
            value = kind(event.new.strip()) if event.new.strip() else None
            setattr(state, name, value)
            field.param.update(error_state=False, helper_text="")
        except ValueError:
            said = f"This is no such number; until it is one, {hint}."
            field.param.update(error_state=True, helper_text=said)
            setattr(state, name, None)

    def to_field(event: Any) -> None:
        if event.new is not None or not field.error_state:
            field.value = "" if event.new is None else str(event.new)

    to_field(type("Start", (), {"new": getattr(state, name)}))
    field.param.watch(to_state, "value")
    state.param.watch(to_field, name)
    return field


def button(label: str, **params: Any) -> pmui.Button:
    """A small button."""
    return pmui.Button(label=label, **{"size": "small", "variant": "outlined", **params})


def words(**params: Any) -> pn.pane.HTML:
    """A place for a sentence or two."""
    styles = {"line-height": "1.35", **params.pop("styles", {})}
    params = {"object": "", "sizing_mode": "stretch_width", "margin": (2, 10), **params}
    return pn.pane.HTML(styles=styles, **params)


def alert(**params: Any) -> pmui.Alert:
    """A place for something to be noticed; hidden while it says nothing."""
    return pmui.Alert(
        object="",
        visible=False,
        sizing_mode="stretch_width",
        margin=(4, 10),
        sx={
            "padding": "0 10px",
            "overflowWrap": "anywhere",
            "& p": {"margin": 0},
            "& .MuiAlert-message": {"padding": "8px 0"},
        },
        **{"severity": "info", "variant": "outlined", **params},
    )


def say(where: pmui.Alert, text: str, severity: str = "info") -> None:
    """Put words into an alert, or hide it when there are none."""
    where.param.update(object=text, severity=severity, visible=bool(text))


def spoken(error: Exception | str) -> str:
    """An error of lulc's in the page's words: fields for options, names in the workspace."""
    said = str(error)
    text = said.replace(f"{config.workspace()}/", "")
    for option, field in _FIELDS.items():
        text = text.replace(option, field)
    advanced = any(option in said for option in _FIELDS if option != "--codes")
    return f"{text}. These fields are under Advanced, at the left." if advanced else text


#: Where the page has a field for an option of the command line.
_FIELDS = {
    "--bands": "Band names", "--scale": "Scale", "--offset": "Offset",
    "--codes": "the field Its codes on the page Scores",
}  # fmt: skip


def sentence(text: str) -> str:
    """A text with a capital first letter."""
    return text[:1].upper() + text[1:]


def heading(text: str) -> pn.pane.HTML:
    """A heading inside a column."""
    return pn.pane.HTML(
        f'<h2 style="font-size:0.95rem;font-weight:600;margin:0">{escape(text)}</h2>',
        margin=(10, 10, 2, 10),
        sizing_mode="stretch_width",
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> str:
    """An HTML table; all but the first `left` columns are numbers, to the right."""
    style = "padding:3px 10px;border-bottom:1px solid rgba(128,128,128,0.35)"
    sides = ["left" if i < left else "right" for i in range(len(head))]
    top = "".join(
        f'<th scope="col" style="{style};text-align:{side}">{escape(text)}</th>'
        for text, side in zip(head, sides, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td style="{style};text-align:{side};font-variant-numeric:tabular-nums'
            f'{";white-space:nowrap" if side == "right" else ""}">'
            f"{escape(cell)}</td>"
            for cell, side in zip(row, sides, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    return (
        '<table style="border-collapse:collapse;font-size:0.85rem">'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    )
