"""Scores as text: for the terminal, for Markdown, for a spreadsheet. Undefined is a dash."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lulc import files

if TYPE_CHECKING:
    from lulc.scores import Evaluation

#: The ratios of a class, as named in `Evaluation.to_dict`, with their headings.
METRICS = {"precision": "precision", "recall": "recall", "f1": "F1", "iou": "IoU"}

#: Longest name of a class in a terminal; merged classes have long ones.
NAME_WIDTH = 44

#: Stands before a cautious interval.
CAUTIOUS = "~"

#: What stands where a ratio is undefined.
UNDEFINED = "–"


def text(evaluation: Evaluation) -> str:
    """Scores of every class, the averages, and what was merged or left out, for a terminal."""
    lines = aligned([[row[0], short(row[1]), *row[2:]] for row in _rows(evaluation)])
    return "\n".join([*lines, "", *_remarks(evaluation)])


def markdown(evaluation: Evaluation) -> str:
    """As `text`, and the confusion matrix, as Markdown."""
    matrix = _matrix_rows(evaluation)
    parts = [_pipes(_rows(evaluation)), f"Confusion matrix: {evaluation.orientation}."]
    remarks = "\n".join(f"- {line}" for line in _remarks(evaluation))
    return "\n\n".join([*parts, _pipes(matrix), remarks]) + "\n"


def scores_csv(evaluation: Evaluation) -> str:
    """A row for each class: id, name, ratios (empty where undefined), support, predicted.

    Where there are intervals, `f1_low` and `f1_high` and the like follow, and in `cautious` the
    ratios whose intervals are that.
    """
    columns = ["id", "name", *METRICS, "support", "predicted"]
    classes = evaluation.figures["classes"]
    bounds = [metric for metric in METRICS if f"{metric}_ci" in classes[0]]
    ends = [f"{metric}_{end}" for metric in bounds for end in ("low", "high")]
    ends += ["cautious"] if bounds else []
    rows = []
    for c in classes:
        known = [end for metric in bounds for end in c[f"{metric}_ci"] or (None, None)]
        cells = [*(c[k] for k in columns), *known, *([" ".join(c["cautious"])] if bounds else [])]
        rows.append(["" if cell is None else cell for cell in cells])
    return _csv([[*columns, *ends], *rows])


def matrix_csv(evaluation: Evaluation) -> str:
    """The confusion matrix, its orientation in the first cell."""
    return _csv(_matrix_rows(evaluation))


def write(evaluation: Evaluation, table: Path | None = None, page: Path | None = None) -> None:
    """Write scores to files.

    Args:
        table: a CSV with a row for each class; the confusion matrix goes to
            `<name>-matrix.csv` beside it.
        page: Markdown with scores, matrix and remarks.
    """
    if table is not None:
        files.write_text(table, scores_csv(evaluation))
        files.write_text(table.with_name(f"{table.stem}-matrix.csv"), matrix_csv(evaluation))
    if page is not None:
        files.write_text(page, markdown(evaluation))


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of text in columns: the first two to the left, numbers to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if i == 1 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def short(name: str) -> str:
    """A name in at most `NAME_WIDTH` characters."""
    return name if len(name) <= NAME_WIDTH else f"{name[: NAME_WIDTH - 1].rstrip()}…"


def several(count: float, noun: str) -> str:
    """How many of what: 1 block, 1,024 blocks."""
    shown = f"{count:,.0f}"
    return f"{shown} {noun}" + "s" * (shown != "1")


def length(metres: float) -> str:
    """A length in three digits: no pixel is known better, whatever a transform has."""
    return f"{float(f'{metres:.3g}'):g}"


def number(value: float | None, signed: bool = False) -> str:
    """Three decimals, or a dash for None."""
    return UNDEFINED if value is None else f"{value:{'+' if signed else ''}.3f}"


def interval(bounds: Sequence[float] | None, cautious: bool = False) -> str:
    """From and to with three decimals, after `CAUTIOUS` if it is that; or a dash for None."""
    if bounds is None:
        return UNDEFINED
    return CAUTIOUS * cautious + "–".join(number(bound) for bound in bounds)


def score(scores: Mapping[str, Any], key: str) -> str:
    """A score of `Counts.to_dict`, and in brackets its interval, where it has one."""
    bounds = scores.get(f"{key}_ci")
    return figure(scores[key], bounds, bool(bounds) and key in scores["cautious"])


def figure(value: float | None, bounds: Sequence[float] | None, cautious: bool) -> str:
    """A number, and in brackets its interval, where it has one."""
    return number(value) + (f" ({interval(bounds, cautious)})" if bounds else "")


def _headings(data: Mapping[str, Any]) -> list[str]:
    names = list(METRICS.values())
    if "macro_f1_ci" in data:
        names.insert(names.index("F1") + 1, "95 % of F1")
    return names


def _ratios(data: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Ratios under a prefix, and the interval of F1 after it where there are intervals."""
    cells = []
    for metric in METRICS:
        cells.append(number(data[prefix + metric]))
        if metric == "f1" and f"{prefix}f1_ci" in data:
            cells.append(interval(data[f"{prefix}f1_ci"], f"{prefix}f1" in data["cautious"]))
    return cells


def _rows(evaluation: Evaluation) -> list[list[str]]:
    data = evaluation.figures
    rows = [["id", "class", *_headings(data), "support", "mapped"]]
    for c in data["classes"]:
        ratios = _ratios(c)
        rows.append([str(c["id"]), c["name"], *ratios, f"{c['support']:,}", f"{c['predicted']:,}"])
    total = f"{data['pixels']['scored']:,}"
    for how in ("macro", "weighted"):
        ratios = _ratios(data, f"{how}_")
        rows.append(["", f"{how} average", *ratios, total, ""])
    micro = [*_ratios(data, "micro_")[:-1], ""]
    rows.append(["", "micro average = accuracy", *micro, total, ""])
    return rows


def _matrix_rows(evaluation: Evaluation) -> list[list[str]]:
    names = [f"{group.id} {group.name}" for group in evaluation.groups]
    body = [
        [name, *map(str, row)] for name, row in zip(names, evaluation.matrix.tolist(), strict=True)
    ]
    return [[evaluation.orientation, *names], *body]


def _remarks(evaluation: Evaluation) -> list[str]:
    p, shares = evaluation.pixels, evaluation.shares
    merged = f", {shares['merged']:.1%} of them in merged classes" if evaluation.merged else ""
    shown = {k: "" if isnan(v) else f" ({v:.1%})" for k, v in shares.items()}
    return [
        f"Pixels: {p.scored:,} scored{shown['scored']}{merged}; "
        f"{p.ignored_reference:,} left out by the reference{shown['ignored_reference']}, "
        f"{p.ignored_prediction:,} by the map{shown['ignored_prediction']}; "
        f"{p.nodata:,} without data.",
        *evaluation.notes,
        *evaluation.warnings,
    ]


def _pipes(rows: Sequence[Sequence[str]]) -> str:
    head, *body = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


def _csv(rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
