"""Widgets and what they are tied to."""

from __future__ import annotations

import param
import pytest
from bokeh.document import Document

from dashboard.ties import choose, number, select, tie


class Choices(param.Parameterized):
    """Some parameters as a state has them."""

    place = param.Integer(default=0)
    scale = param.Number(default=None, allow_None=True)
    tile = param.Integer(default=None, allow_None=True, bounds=(1, None))


def on_the_page(widget):
    """The model by which the page knows a widget."""
    return widget.get_root(Document()).data


def test_a_value_that_stays_under_another_name_is_shown_by_that_name():
    widget = select("Class", options={"1 Built-up areas, sparse": 0, "2 Built-up areas, dense": 1})
    model, heard = on_the_page(widget), []
    widget.param.watch(heard.append, "value")
    choose(widget, {"1 Artificial surfaces": 0, "2 Agriculture": 1}, 0)
    assert model.value == "1 Artificial surfaces"
    heard.clear()
    choose(widget, {"1 Artificial surfaces": 0, "3 Forests": 2}, 0)
    assert model.value == "1 Artificial surfaces"
    assert not heard  # nothing has changed


def test_other_names_of_a_value_change_no_state():
    choices, heard = Choices(), []
    widget = tie(select("Class", options={"a": 0, "b": 1}), choices, "place")
    choices.param.watch(heard.append, "place", onlychanged=False)
    choose(widget, {"A": 0, "B": 1}, 0)
    assert not heard


def test_a_number_that_is_not_given_is_an_empty_field():
    choices = Choices()
    field = number("Scale", "as the files say", choices, "scale")
    model = on_the_page(field)
    assert (model.value, model.placeholder) == ("", "as the files say")
    field.value = " 0.0001 "
    assert choices.scale == 0.0001
    choices.scale = 1 / 65535
    assert float(model.value) == 1 / 65535
    field.value = ""
    assert choices.scale is None


@pytest.mark.parametrize(("kind", "name"), [(float, "scale"), (int, "tile")])
@pytest.mark.parametrize("typed", ["much", "0,0001", "-"])
def test_what_is_no_number_is_said_and_counts_as_not_given(kind, name, typed):
    choices = Choices(scale=0.5, tile=5)
    field = number("Number", "as the files say", choices, name, kind)
    field.value = typed
    assert getattr(choices, name) is None
    assert field.error_state and field.value == typed
    assert field.helper_text.endswith("until it is one, as the files say.")
    field.value = "7"
    assert getattr(choices, name) == 7
    assert not field.error_state and not field.helper_text


def test_a_number_out_of_its_bounds_is_none():
    choices = Choices(tile=5)
    field = number("Block side (px)", "from the memory", choices, "tile", int)
    field.value = "0"
    assert choices.tile is None and field.error_state
    choices.tile = 512  # by a link
    assert field.value == "512" and not field.error_state
