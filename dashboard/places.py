"""The pages behind the tabs: each is made when it is first opened, and put in bit by bit.

To make all models of a page takes up to a second, in which the server would answer nobody. So its
parts come one after the other, and whoever else wants something has a turn between them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import panel as pn
import panel_material_ui as pmui

from dashboard.patience import turn
from dashboard.state import State
from dashboard.ties import words

#: What is put in at once, as widgets: the less, the shorter others wait, and the longer the page
#: takes, since Bokeh looks through all that is there each time.
_AT_ONCE = 6

#: What takes the height that is left. A Material layout gives it only to what it had at first.
_STRETCHED = ("stretch_height", "stretch_both")


class View(Protocol):
    """What stands behind a tab."""

    panel: Any
    """What is shown."""

    async def start(self) -> None:
        """Fill it, once it is there."""


class Places:
    """The tabs, and what is behind them."""

    def __init__(self, state: State, makers: Mapping[str, Callable[[], View]]) -> None:
        self.state, self.makers = state, makers
        self._opened: set[str] = set()
        self.rooms = {name: pn.Column(_opening(), sizing_mode="stretch_both") for name in makers}
        names = list(makers)
        self.tabs = pmui.Tabs(*self.rooms.items(), sizing_mode="stretch_both")
        self.tabs.active = names.index(state.place)
        self.tabs.param.watch(lambda event: state.param.update(place=names[event.new]), "active")
        state.param.watch(
            lambda event: self.tabs.param.update(active=names.index(event.new)), "place"
        )
        state.param.watch(self.open, "place")

    async def open(self, *_: Any) -> None:
        """Make the page that is to be seen, if it was not made yet."""
        name = self.state.place
        if name in self._opened:
            return
        self._opened.add(name)
        await turn()
        view, room = self.makers[name](), self.rooms[name]
        await turn()
        emptied = list(_emptied(view.panel))
        room.objects = [view.panel]
        await turn()
        await asyncio.gather(fill(emptied), view.start())


def _opening() -> Any:
    return words(object="<p role='status'>Opening the page …</p>", margin=(20, 20))


async def fill(emptied: Sequence[tuple[Any, list[Any]]]) -> None:
    """Put parts back into layouts, a few at a time; those that are large are filled in turn."""
    for layout, parts in emptied:
        for portion in _portions(parts):
            large = [pair for part in portion for pair in _emptied(part)]
            layout.extend(portion)
            await turn()
            await fill(large)


def _portions(parts: Sequence[Any]) -> Iterator[list[Any]]:
    """Parts in order, as many together as are put in at once, or one that is more."""
    portion: list[Any] = []
    for part in parts:
        if portion and sum(map(_work, portion)) + _work(part) > _AT_ONCE:
            yield portion
            portion = []
        portion.append(part)
    yield portion


def _emptied(layout: Any) -> Iterator[tuple[Any, list[Any]]]:
    """Empty the outermost columns that are too large to be put in at once; what was in each."""
    if _work(layout) > _AT_ONCE:
        parts = list(getattr(layout, "objects", ()))
        if isinstance(layout, pmui.Column) and not any(p.sizing_mode in _STRETCHED for p in parts):
            layout.objects = []
            yield layout, parts
        else:
            for part in parts:
                yield from _emptied(part)


def _work(layout: Any) -> int:
    return len(layout.select())
