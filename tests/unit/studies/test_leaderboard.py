import csv
import io
import json
import math
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from made_conditions import condition

from isplit.report.findings import as_json
from isplit.studies.agreement.agreement import agreement
from isplit.studies.agreement.board_tables import standings_rows
from isplit.studies.agreement.leaderboard import leaderboard


def compared(name, seed, kinds=("cui", "depth", "probe"), trainings=1, good="probe", **keys):
    """A condition whose predictor ``good`` knows the accuracy, the others draw lots."""
    rng = np.random.default_rng(seed)
    base = rng.random(8)
    runs = (base[:, None] + 0.1 * rng.normal(size=(8, trainings))).clip(0, 1)
    curves = {kind: base if kind == good else rng.normal(size=8) for kind in kinds}
    made = condition(runs.tolist(), curves=curves, name=name, **keys)
    return replace(made, agreement=agreement(made, draws=50))


@pytest.fixture(scope="module")
def conditions():
    return [
        compared("one", 1),
        compared("two", 2, kinds=("depth", "cui", "probe", "extra"), trainings=2),
        compared("three", 3, trainings=3),
    ]


@pytest.fixture(scope="module")
def board(conditions):
    return leaderboard(conditions)


def standing(board, name):
    return next(s for s in board.standings if s.predictor == name)


def test_a_standing_is_the_mean_over_the_conditions(board, conditions):
    scores = [c.agreement.predictors["cui"] for c in conditions]
    rho = [s.spearman for s in scores]
    cui = standing(board, "cui")
    assert (cui.mean_spearman, cui.lowest, cui.highest) == pytest.approx(
        (fmean(rho), min(rho), max(rho))
    )
    assert cui.mean_regret == pytest.approx(fmean(s.regret for s in scores))
    assert cui.mean_regret_top3 == pytest.approx(fmean(s.regret_top3 for s in scores))
    low, high = cui.mean_spearman_ci95
    assert (low, high) == pytest.approx((min(rho), max(rho)))  # 1 in 27 draws is thrice the same
    assert low < cui.mean_spearman < high
    assert board.spearman["cui"] == tuple(rho)


def test_the_interval_is_that_of_a_mean():
    many = leaderboard([compared(str(seed), seed, good="none") for seed in range(30)])
    rho = many.spearman["cui"]
    error = np.std(rho) / math.sqrt(len(rho))
    low, high = standing(many, "cui").mean_spearman_ci95
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.1)


def test_conditions_in_which_a_predictor_beats_cui(board):
    pairs = list(zip(board.spearman["probe"], board.spearman["cui"], strict=True))
    probe = standing(board, "probe")
    assert (probe.beats_cui, probe.against_cui) == (sum(p > c for p, c in pairs), 3)
    assert probe.above_cui == pytest.approx(fmean(p - c for p, c in pairs))
    assert (standing(board, "cui").beats_cui, standing(board, "cui").above_cui) == (0, 0)


def test_predictors_in_all_conditions_come_first_the_best_first(board):
    names = [s.predictor for s in board.standings]
    assert names[-1] == "extra"
    means = [s.mean_spearman for s in board.standings[:-1]]
    assert means == sorted(means, reverse=True)
    assert standing(board, "extra").conditions == 1
    assert math.isnan(standing(board, "extra").mean_spearman_ci95[0])
    assert [math.isnan(r) for r in board.spearman["extra"]] == [True, False, True]


def test_the_ceiling_is_measured_where_trainings_were_repeated(board, conditions):
    repeats = [c.agreement.noise.repeat_spearman for c in conditions[1:]]
    assert board.repeat_conditions == 2
    assert board.repeat_spearman == pytest.approx(fmean(repeats))
    assert board.ceiling == pytest.approx(math.sqrt(fmean(repeats)))
    single = [c.agreement.predictors["probe"].spearman_one_training for c in conditions[1:]]
    probe = standing(board, "probe")
    assert probe.share_of_ceiling == pytest.approx(fmean(single) / board.ceiling)


def test_without_repeats_there_is_no_ceiling():
    lone = leaderboard([compared("a", 1), compared("b", 2)])
    assert (lone.ceiling, lone.repeat_spearman, lone.repeat_conditions) == (None, None, 0)
    assert standing(lone, "cui").share_of_ceiling is None
    assert "their noise leaves" not in lone.verdict


def test_repeats_that_contradict_each_other_leave_no_share():
    made = condition([[0.1, 0.9], [0.5, 0.5], [0.9, 0.1]])
    upside = leaderboard([replace(made, agreement=agreement(made, 50))])
    assert upside.ceiling == 0
    assert standing(upside, "cui").share_of_ceiling is None


def test_a_condition_without_an_agreement_is_named():
    half = leaderboard([compared("a", 1), condition([0.5], name="untrained")])
    assert half.conditions == ("a",)
    assert half.left_out == ("untrained",)
    nothing = leaderboard([condition([0.5], name="untrained")])
    assert nothing.standings == ()
    assert nothing.verdict.startswith("Nothing to compare")


def test_a_constant_predictor_has_no_place_among_the_comparable():
    made = condition([0.1, 0.2, 0.4], curves={"cui": [1, 1, 1], "depth": [0, 1, 2]})
    flat = leaderboard([replace(made, agreement=agreement(made, 50))])
    cui = flat.standings[-1]
    assert (cui.predictor, cui.conditions, cui.against_cui) == ("cui", 0, 0)
    assert math.isnan(cui.mean_spearman)
    assert "CUI" not in flat.verdict
    assert flat.verdict.endswith("One condition says nothing about others.")


def test_the_verdict_names_the_leader_without_training_and_whether_cui_beats_depth(board):
    probe, cui, depth = (standing(board, name) for name in ("probe", "cui", "depth"))
    low, high = probe.mean_spearman_ci95
    assert board.verdict.startswith(
        "N=3 conditions: probe leads the predictors without training with a mean rho of "
        f"{probe.mean_spearman:.2f} [{low:.2f}, {high:.2f}], against single trainings "
        f"{probe.share_of_ceiling:.2f} of what their noise leaves to any ({board.ceiling:.2f}, "
        "over the 2 of 3 trained more than once); next comes"
    )
    assert f"above CUI in {probe.beats_cui} of 3." in board.verdict
    pairs = zip(board.spearman["cui"], board.spearman["depth"], strict=True)
    does = "better" if cui.mean_spearman > depth.mean_spearman else "worse"
    assert f"CUI does {does} ({cui.mean_spearman:.2f} [" in board.verdict
    assert board.verdict.endswith(f"above it in {sum(c > d for c, d in pairs)} of 3.")


def test_a_predictor_that_takes_training_does_not_lead():
    known = [compared(str(s), s, steps={"probe": 20}) for s in range(3)]
    trained = leaderboard(known)
    assert {s.predictor for s in trained.standings if s.trains} == {
        "probe",
        "minus_nmse",
        "after_autoencoder",
    }
    assert not trained.verdict.startswith("N=3 conditions: probe")


def test_no_predictor_to_lead():
    made = compared("a", 1, kinds=("cui",), steps={"cui": 3})
    assert "no predictor without training" in leaderboard([made]).verdict


def test_the_table_holds_standings_and_matrix(board):
    rows = list(csv.DictReader(io.StringIO(standings_rows(board).csv())))
    assert [row["predictor"] for row in rows] == [s.predictor for s in board.standings]
    for row, place in zip(rows, board.standings, strict=True):
        assert float(row["mean_spearman"]) == place.mean_spearman
        cells = [row[name] for name in board.conditions]
        values = [float(cell) if cell else math.nan for cell in cells]
        assert values == pytest.approx(board.spearman[place.predictor], nan_ok=True)
    low = standing(board, "probe").mean_spearman_ci95[0]
    probe = next(row for row in rows if row["predictor"] == "probe")
    assert float(probe["mean_spearman_ci95_low"]) == low


def test_json_has_no_nan(board):
    written = json.loads(json.dumps(as_json(board), allow_nan=False))
    assert written["spearman"]["extra"][0] is None
    assert written["verdict"] == board.verdict
    assert len(written["standings"]) == len(board.standings)
