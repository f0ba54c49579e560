"""The form beside the map: scene, region, model, device; and what pressing Classify would do."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from functools import cache
from typing import Any

import panel_material_ui as pmui

from dashboard import plan as plans
from dashboard.jobs import JOBS, Job
from dashboard.plan import Plan
from dashboard.shelf import Shelf
from dashboard.state import DRAWN, NAMED, TYPED, WHOLE, State
from dashboard.ties import alert, button, choose, heading, say, select, tie, words
from lulc.card import ModelCard

#: What changes the plan.
_CHOICES = [
    "scene", "model", "region_mode", "region_name", "box", "typed", "bands", "scale", "offset",
]  # fmt: skip


class Form:
    """Chooses what to classify and submits it."""

    def __init__(self, state: State, shelf: Shelf, submitted: Callable[[Job], None]) -> None:
        self.state, self.shelf, self.submitted = state, shelf, submitted
        self.plan = Plan()
        self.scene = tie(select("Scene"), state, "scene")
        self.mode = tie(
            select("Region", options=[WHOLE, NAMED, DRAWN, TYPED]), state, "region_mode"
        )
        self.region = tie(select("Named region"), state, "region_name")
        self.typed = tie(
            pmui.TextInput(
                label="West south east north (degrees)",
                placeholder="28.10 60.60 28.20 60.65",
                size="small",
                sizing_mode="stretch_width",
            ),
            state,
            "typed",
        )
        self.gesture = words()
        self.use = button("Use this region", sizing_mode="stretch_width", on_click=self._use)
        self.size = words()
        self.model = tie(select("Model"), state, "model")
        self.card = words()
        self.device = tie(select("Device", options=_devices()), state, "device")
        self.reference = tie(select("Score against"), state, "reference")
        self.trouble = alert()
        self.start = pmui.Button(
            label="Classify", color="primary", sizing_mode="stretch_width", on_click=self._submit
        )
        self.reading = self._reading()
        self.panel = pmui.Column(
            heading("Classify"),
            self.scene, self.mode, self.region, self.typed, self.gesture, self.use,
            self.size, self.model, self.card, self.device, self.reference, self.reading,
            self.trouble, self.start,
            sizing_mode="stretch_width",
        )  # fmt: skip
        state.param.watch(self._again, _CHOICES)
        state.param.watch(self._show_region, ["region_mode", "drawn", "box"])
        shelf.param.watch(self._lists, ["scenes", "references", "regions", "cards"])
        shelf.param.watch(self._again, ["runs"])
        self._lists()
        self._show_region()
        self._show(plans.make(state, shelf.card(state.model), shelf.runs))

    def _reading(self) -> pmui.Accordion:
        fields = pmui.Column(
            tie(_text("Band names", "B02,B03,B04,…"), self.state, "bands"),
            tie(_number("Scale", "0.0001"), self.state, "scale"),
            tie(_number("Offset", "0"), self.state, "offset"),
            sizing_mode="stretch_width",
        )
        return pmui.Accordion(
            ("Files that do not say bands or scale", fields),
            active=[],
            sizing_mode="stretch_width",
            margin=(0, 10),
            variant="outlined",
            title_variant="body2",
        )

    def _lists(self, *_: Any) -> None:
        state, shelf = self.state, self.shelf
        choose(self.scene, shelf.scenes, state.scene)
        choose(self.region, shelf.regions, state.region_name)
        usable = [name for name, card in shelf.cards.items() if isinstance(card, ModelCard)]
        choose(self.model, usable, state.model)
        choose(self.reference, {"nothing": "", **{n: n for n in shelf.references}}, state.reference)
        self._describe()

    def _describe(self) -> None:
        card = self.shelf.card(self.state.model)
        unusable = [text for text in self.shelf.cards.values() if isinstance(text, str)]
        self.card.object = f"<small>{describe(card) if card else '<br>'.join(unusable)}</small>"

    def _show_region(self, *_: Any) -> None:
        state = self.state
        self.region.visible = state.region_mode == NAMED
        self.typed.visible = state.region_mode == TYPED
        drawing = state.region_mode == DRAWN
        self.gesture.visible = self.use.visible = drawing
        pending = state.drawn is not None and state.drawn != state.box
        self.use.disabled = not pending
        self.use.variant = "contained" if pending else "outlined"
        self.gesture.object = (
            "<small>On the map, <b>drag from corner to corner</b> (the box tool is on; "
            "scroll to zoom). Drag again to replace the box.</small>"
        )

    def _use(self, _event: Any) -> None:
        self.state.box = self.state.drawn

    async def _again(self, *_: Any) -> None:
        self._describe()
        card = self.shelf.card(self.state.model)
        self._show(await asyncio.to_thread(plans.make, self.state, card, self.shelf.runs))

    def _show(self, plan: Plan) -> None:
        self.plan = plan
        about = f", about {plans.duration(plan.seconds)}" if plan.seconds else ""
        self.size.object = f"<small><b>{plan.size}</b>{about}</small>" if plan.size else ""
        self.start.disabled = bool(plan.problem)
        said = plan.problem or plan.warning
        say(self.trouble, said, "info" if _only_a_hint(plan) else "warning")

    def _submit(self, _event: Any) -> None:
        out = plans.new_folder(self.state)
        reference = self.shelf.references.get(self.state.reference)
        title = f"{self.state.scene} with {self.state.model}, {self.plan.size}"
        call = plans.arguments(self.plan, self.state, out)
        self.submitted(JOBS.submit(Job(out, call, title, reference, self.state.codes or None)))


def describe(card: ModelCard) -> str:
    """A model in a line: bands, classes, training data, score on data it has not seen."""
    trained = (
        "simulated regions" if card.simulated else str(card.provenance.get("data", "real scenes"))
    )
    score = card.scores.get("macro_f1")
    held = f", macro F1 {score:.2f} on data held out" if isinstance(score, float) else ""
    return (
        f"{card.title}: {len(card.bands)} bands, {len(card.legend.classes)} classes, "
        f"trained on {trained}{held}"
    )


def _only_a_hint(plan: Plan) -> bool:
    return plan.problem.startswith(("Draw", "Type", "Choose", "There is no"))


def _text(label: str, hint: str) -> pmui.TextInput:
    return pmui.TextInput(label=label, placeholder=hint, size="small", sizing_mode="stretch_width")


def _number(label: str, hint: str) -> pmui.FloatInput:
    return pmui.FloatInput(
        label=label, placeholder=hint, value=None, size="small", sizing_mode="stretch_width"
    )


@cache
def _devices() -> dict[str, str]:
    """What the machine has, asked without loading TensorFlow into the server."""
    found = {"automatic (GPU if there is one)": "auto", "CPU": "cpu"}
    try:
        listed = subprocess.run(
            ["nvidia-smi", "--query-gpu=index,name,memory.total", "--format=csv,noheader"],
            capture_output=True, text=True, timeout=3, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return found
    for line in listed.splitlines():
        index, name, memory = (part.strip() for part in line.split(","))
        found[f"GPU {index}: {name}, {memory}"] = f"gpu:{index}"
    return found
