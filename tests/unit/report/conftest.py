from types import SimpleNamespace

import numpy as np
import pytest
import report_samples as samples

from isplit.analysis.leaderboard import leaderboard
from isplit.report.drawing import draw_condition, draw_heat_maps, draw_leaderboard
from isplit.report.page import Extras, write_report

NASTY = "<b>\"&'</script><script>alert(1)</script>"


@pytest.fixture(scope="session")
def analysis(tmp_path_factory):
    """Three small conditions, one without a judgement, with names that try to break the page."""
    folder = tmp_path_factory.mktemp("analysis")
    conditions = (
        samples.condition(f"first {NASTY}", count=7, classes=3, called=NASTY),
        samples.condition("second", count=5, classes=12, repeats=1, seed=1, left_out=()),
        samples.condition("third", count=4, classes=2, trained=[1], seed=2, judged=False),
    )
    board = leaderboard(conditions)
    slug = conditions[0].slug
    drawn, _ = draw_condition(conditions[0], folder / slug)
    pixels = np.random.default_rng(0).integers(0, 255, (2, 3, 8, 8, 3), dtype=np.uint8)
    picture = draw_heat_maps(pixels, samples.points(2), pixels[0], ["x", NASTY, "z"], folder / slug)
    extras = Extras(
        {"": draw_leaderboard(board, folder), slug: (*drawn, picture), "condition-1": drawn[:2]},
        left_out=[f"run 9 {NASTY}: schema 0, this program reads 1"],
        versions={"isplit": "0.1.0"},
        configs={f"config {NASTY}": f"model: {NASTY}\n" + "x" * 500},
    )
    path = write_report(folder / "report.html", conditions, board, extras)
    return SimpleNamespace(conditions=conditions, board=board, extras=extras, path=path)
