"""The form beside the map: scene, region, model, device; and what pressing Classify would do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import panel as pn
import panel_material_ui as pmui

from dashboard import catalog
from dashboard.choosing import plan as plans
from dashboard.choosing.devices import devices
from dashboard.choosing.plan import Plan
from dashboard.choosing.region_form import RegionForm
from dashboard.help import about
from dashboard.newest import Newest
from dashboard.running.job import Job
from dashboard.running.jobs import JOBS
from dashboard.shelf import Shelf
from dashboard.state import State
from dashboard.ties import alert, choose, number, say, select, text, tie, words
from lulc.card import ModelCard

#: What changes the plan.
_CHOICES = [
    "scene", "model", "device", "region_mode", "region_name", "corners", "typed", "typed_crs",
    "bands", "scale", "offset", "dtype", "run_name",
]  # fmt: skip


class Form:
    """Chooses what to classify and submits it."""

    def __init__(
        self,
        state: State,
        shelf: Shelf,
        submitted: Callable[[Job], None],
        show_all: Callable[[], None],
    ) -> None:
        self.state, self.shelf, self.submitted = state, shelf, submitted
        self.plan = Plan()
        self._planned = False
        self._newest = Newest(self._make)
        self.region = RegionForm(state, shelf, show_all)
        self.model = tie(select("Model"), state, "model")
        self.card = words()
        self.device = tie(select("Device", options=devices()), state, "device")
        self.reference = tie(select("Score against"), state, "reference")
        self.trouble = alert()
        self.start = pmui.Button(
            label="Classify", color="primary", sizing_mode="stretch_width", on_click=self._submit
        )
        self.panel = pmui.Column(
            about("Classify", "classify"),
            self.region.panel, self.model, self.card, self.device, self.reference,
            self._advanced(), self.trouble, self.start,
            sizing_mode="stretch_width",
            styles={"height": "max-content", "max-height": "none"},  # not cut to the column's
        )  # fmt: skip
        state.param.watch(self._again, _CHOICES)
        state.param.watch(self._suit, "scene")
        shelf.param.watch(self._lists, ["references", "cards"])
        shelf.param.watch(self._again, ["runs", "regions"])
        self._lists()

    async def plan_again(self) -> None:
        """Make the plan for the first time."""
        await self._suit()
        self._planned = True
        await self._again()

    def _advanced(self) -> pmui.Accordion:
        state = self.state
        fields = pmui.Column(
            tie(text("Name of the run", "made from time, scene and model"), state, "run_name"),
            number("Block side (px)", "from the memory", state, "tile", int),
            tie(
                select("Activations as", options={
                    "bytes (steps of 0.004)": "uint8", "32-bit numbers (4 × the size)": "float32"
                }),
                state, "dtype",
            ),
            tie(text("Band names", "as the files say"), state, "bands"),
            number("Scale", "as the files say", state, "scale"),
            number("Offset", "as the files say", state, "offset"),
            sizing_mode="stretch_width",
        )  # fmt: skip
        return pmui.Accordion(
            ("Advanced: output, bands and scale", fields),
            active=[],
            sizing_mode="stretch_width",
            margin=(4, 10),
            variant="outlined",
            title_variant="body2",
        )

    def _lists(self, *_: Any) -> None:
        state, shelf = self.state, self.shelf
        usable = [name for name, card in shelf.cards.items() if isinstance(card, ModelCard)]
        choose(self.model, usable, state.model)
        choose(self.reference, {"nothing": "", **{n: n for n in shelf.references}}, state.reference)
        self._describe()

    async def _suit(self, *_: Any) -> None:
        """Choose a reference that lies where the scene does, and a model for its bands."""
        state, run = self.state, self.shelf.run(self.state.run)
        chosen = (state.scene, state.reference, state.model)
        last = [run.model] if run else []
        wanted = [state.model, *last] if self._planned else [*last, state.model]
        reference = await asyncio.to_thread(catalog.reference_for, state.scene, state.reference)
        model = await asyncio.to_thread(plans.model_for, state, self.shelf.cards, wanted)
        if (state.scene, state.reference, state.model) == chosen:
            state.param.update(reference=reference, model=model)

    def _describe(self) -> None:
        card = self.shelf.card(self.state.model)
        unusable = [text for text in self.shelf.cards.values() if isinstance(text, str)]
        self.card.object = f"<small>{describe(card) if card else '<br>'.join(unusable)}</small>"

    async def _again(self, *_: Any) -> None:
        await self._newest.want()

    async def _make(self) -> None:
        self._describe()
        shelf, card = self.shelf, self.shelf.card(self.state.model)
        plan = await asyncio.to_thread(plans.make, self.state, card, shelf.runs, shelf.cards)
        if not self._newest.outdated:  # a plan of older choices is never shown
            self._show(plan)

    def _show(self, plan: Plan) -> None:
        self.plan = plan
        self.region.show(plan)
        self.start.disabled = bool(plan.problem)
        said = plan.problem or ". ".join(text for text in (plan.warning, plan.note) if text)
        quiet = _only_a_hint(plan) or not (plan.problem or plan.warning)
        say(self.trouble, said, "info" if quiet else "warning")

    def _submit(self, _event: Any) -> None:
        out = plans.new_folder(self.state)
        reference = self.shelf.references.get(self.state.reference)
        title = f"{self.state.scene} with {self.state.model}, {self.plan.size}"
        call = plans.arguments(self.plan, self.state, out)
        job = Job(out, call, title, reference, self.state.codes or None, self.state.scene)
        card = self.shelf.card(self.state.model)
        job.grid, job.legend = self.plan.grid, card.legend if card else None
        job.user = pn.state.user or ""
        self.submitted(JOBS.submit(job))


def describe(card: ModelCard) -> str:
    """A model in a line: bands, classes, training data, score on data it has not seen."""
    trained = (
        "simulated regions" if card.simulated else str(card.provenance.get("data", "real scenes"))
    )
    score = card.scores.get("macro_f1")
    held = f", macro F1 {score:.2f} on data held out" if isinstance(score, float) else ""
    return (
        f"{len(card.bands)} bands, {len(card.legend.classes)} classes, trained on {trained}{held}"
    )


def _only_a_hint(plan: Plan) -> bool:
    return plan.problem.startswith(("Draw", "Click", "Type", "Choose", "There is no"))
