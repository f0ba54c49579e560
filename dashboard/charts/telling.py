"""What is said of an evaluation beside its charts: sentences, remarks and the table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from dashboard.ties import table
from lulc import tables
from lulc.attainable import Attainable
from lulc.scores import Evaluation


def told(found: Evaluation, right: tuple[float, ...]) -> tuple[Attainable | None, str, str]:
    """What labels of that accuracy allow, the remarks, and the table."""
    allowed = band(found, right)
    return allowed, remarks(found, explained(found, allowed)), numbers(found)


def band(found: Evaluation, right: tuple[float, ...]) -> Attainable | None:
    """What labels of that accuracy allow, as chosen, or else as the evaluation was asked for."""
    if right:
        return Attainable.of(found, *right)
    stored = found.parts.get("attainable")
    return stored if isinstance(stored, Attainable) else None


def summary(found: Evaluation) -> str:
    """The averages, with the reference and the pixels they rest on."""
    source = Path(str((found.reference or {}).get("path", "?"))).name
    averages = (
        ("macro F1", found.average("f1", "macro"), "every class alike"),
        ("weighted F1", found.average("f1", "weighted"), "by its support"),
        ("micro F1 = accuracy", found.accuracy, "share of right pixels"),
    )
    cards = "".join(
        f'<div style="padding:4px 18px 4px 0"><div style="font-size:1.5rem;'
        f'font-variant-numeric:tabular-nums">{tables.number(None if value != value else value)}'
        f'</div><div style="font-size:0.8rem">{name}<br><span style="opacity:0.75">{why}</span>'
        f"</div></div>"
        for name, value, why in averages
    )
    return (
        f'<div style="display:flex;flex-wrap:wrap;align-items:flex-end">{cards}'
        f'<div style="font-size:0.85rem;padding:4px 0">Against {escape(source)} '
        f"({escape(found.codes)}), {found.pixels.scored:,} pixels scored</div></div>"
    )


def explained(found: Evaluation, allowed: Attainable | None) -> list[str]:
    """What the lines and the grey bands on the bars are."""
    said = [found.blocks.text()] if found.blocks else []
    if allowed is not None:
        said.append(
            f"Grey: the F1 of a perfect map if {allowed.low:.0%} to {allowed.high:.0%} of the "
            "labels are right and wrong ones are of any class by its share."
        )
    return said


def remarks(found: Evaluation, further: Sequence[str] = ()) -> str:
    """What to know before reading the scores, as a list."""
    p = found.pixels
    lines = [*found.warnings, *found.notes] or ["Every class of the map was scored on its own."]
    lines.append(
        f"Pixels: {p.scored:,} scored; {p.ignored_reference:,} left out by the reference, "
        f"{p.ignored_prediction:,} by the map; {p.nodata:,} without data."
    )
    lines += further
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul style='margin:0;padding-left:1.2em;font-size:0.85rem'>{items}</ul>"


def numbers(found: Evaluation) -> str:
    """Every class with its ratios and counts."""
    data = found.figures
    rows = [
        [f"{c['id']} {c['name']}", *(tables.number(c[m]) for m in tables.METRICS),
         tables.interval(c.get("f1_ci"), "f1" in c.get("cautious", ())),
         f"{c['support']:,}", f"{c['predicted']:,}"]
        for c in data["classes"]
    ]  # fmt: skip
    head = ["Class", *tables.METRICS.values(), "95 % of F1", "support (px)", "mapped (px)"]
    return table([h[:1].upper() + h[1:] for h in head], rows)
