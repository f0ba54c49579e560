"""What the page of scores says beside its charts."""

from __future__ import annotations

import pytest

pytest.importorskip("panel")

from dashboard.charts.telling import explained, told
from lulc.evaluation import evaluation_path
from lulc.scores import Evaluation


def test_what_the_lines_are_from_is_one_sentence(workspace):
    found = Evaluation.load(evaluation_path(workspace / "runs" / "run-a"))
    assert found.blocks is not None
    assert explained(found, None) == [found.blocks.text()]
    _, remarks, _ = told(found, (0.8, 0.9))
    assert f"<li>{found.blocks.text()}</li>" in remarks
    assert "80% to 90% of the labels are right" in remarks
    assert "array(" not in remarks
