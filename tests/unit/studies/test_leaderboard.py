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
from isplit.studies.agreement.leaderboard import _mean_interval, leaderboard, standings_rows
from isplit.studies.agreement.study import together


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
        compared("one", 1, facts={"data": 1}),
        compared("two", 2, ("depth", "cui", "probe", "extra"), 2, facts={"data": 2}),
        compared("three", 3, trainings=3, facts={"data": 3}),
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
    assert cui.mean_regret == pytest.approx(fmean(s.auto_regret for s in scores))
    assert cui.worst_regret == max(s.auto_regret for s in scores)
    half = [c.agreement.half["cui"] for c in conditions]
    assert cui.half_mean_spearman == pytest.approx(fmean(s.spearman for s in half))
    assert cui.half_mean_regret == pytest.approx(fmean(s.auto_regret for s in half))
    low, high = cui.mean_spearman_ci95
    assert (low, high) == pytest.approx((min(rho), max(rho)))  # 1 in 27 draws is thrice the same
    assert low < cui.mean_spearman < high
    assert board.spearman["cui"] == tuple(rho)


def test_the_interval_is_that_of_a_mean():
    many = leaderboard([compared(str(k), k, good="none", facts={"data": k}) for k in range(30)])
    rho = many.spearman["cui"]
    error = np.std(rho) / math.sqrt(len(rho))
    low, high = standing(many, "cui").mean_spearman_ci95
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.1)


def test_conditions_in_which_a_predictor_beats_cui(board):
    pairs = list(zip(board.spearman["probe"], board.spearman["cui"], strict=True))
    probe = standing(board, "probe")
    assert (probe.beats_cui, probe.against_cui) == (sum(p > c for p, c in pairs), 3)
    assert standing(board, "cui").beats_cui == 0


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


def test_without_repeats_there_is_no_ceiling():
    lone = leaderboard([compared("a", 1), compared("b", 2)])
    assert (lone.ceiling, lone.repeat_spearman, lone.repeat_conditions) == (None, None, 0)


def test_repeats_that_contradict_each_other_leave_a_ceiling_of_nothing():
    made = condition([[0.1, 0.9], [0.5, 0.5], [0.9, 0.1]])
    upside = leaderboard([replace(made, agreement=agreement(made, 50))])
    assert upside.ceiling == 0


def test_a_condition_without_an_agreement_is_named():
    half = leaderboard([compared("a", 1), condition([0.5], name="untrained")])
    assert half.conditions == ("a",)
    assert half.left_out == ("untrained",)
    conditions = [compared("a", 1), compared("b", 2), condition([0.5], name="untrained")]
    board = together(conditions, [], []).files["leaderboard.json"]
    assert (board.conditions, board.left_out) == (("a", "b"), ("untrained",))
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


def test_the_verdict_names_the_leader_what_cannot_be_told_from_it_and_what_its_rule_loses():
    known = [compared(f"{net} {k}", 9 * k, facts={"model": net}) for net in "abc" for k in (1, 2)]
    board = leaderboard(known)
    probe = standing(board, "probe")
    assert board.tied == ("probe",)
    low, high = probe.mean_spearman_ci95
    assert board.verdict.startswith(
        "N=6 conditions: probe leads the predictors without training with a mean rho of "
        f"{probe.mean_spearman:.2f} [{low:.2f}, {high:.2f}]; its highest value loses "
        f"{100 * probe.mean_regret:.1f} points on average, {100 * probe.worst_regret:.1f} points"
    )
    assert (
        "With at most half of the multiply-accumulates on the device, probe leads" in board.verdict
    )


def test_predictors_that_say_the_same_cannot_be_told_apart():
    made = [compared(str(s), s, kinds=("cui", "probe", "depth"), facts={"data": s}) for s in (1, 2)]
    twins = [replace(c, curves=c.curves | {"twin": c.curves["probe"]}) for c in made]
    board = leaderboard([replace(c, agreement=agreement(c, 50)) for c in twins])
    assert set(board.tied[:2]) == {"probe", "twin"}
    names = ", ".join("CUI" if name == "cui" else name for name in board.tied[1:])
    assert f", from which {names} cannot be told" in board.verdict


def test_one_net_on_one_data_set_has_no_interval():
    board = leaderboard([compared(str(seed), seed, facts={"seed": seed}) for seed in range(3)])
    assert all(math.isnan(s.mean_spearman_ci95[0]) for s in board.standings)
    assert set(board.tied) == {"probe", "cui", "depth"}


def test_conditions_of_one_net_and_data_set_are_drawn_together():
    """Twice the conditions with the same values leave the interval where it is."""
    rng = np.random.default_rng(0)
    values = rng.random(6)
    nets = [f"net on {k}" for k in range(6)]
    once = _mean_interval(values, nets)
    assert _mean_interval(np.repeat(values, 3), np.repeat(nets, 3).tolist()) == pytest.approx(once)
    alone = _mean_interval(np.repeat(values, 3), [str(k) for k in range(18)])
    assert alone[1] - alone[0] < once[1] - once[0]
    spread = [np.mean(values[rng.integers(6, size=6)]) for _ in range(4000)]
    assert once == pytest.approx(np.percentile(spread, [2.5, 97.5]), abs=0.02)


def test_families_are_those_of_the_letters_that_a_net_begins_with():
    nets = ["vgg16", "vgg11", "resnet50"]
    board = leaderboard([compared(n, k, facts={"model": n}) for k, n in enumerate(nets)])
    rho = board.spearman["cui"]
    assert standing(board, "cui").families == pytest.approx(
        {"vgg": (rho[0] + rho[1]) / 2, "resnet": rho[2]}
    )


def test_half_is_what_the_points_with_half_of_the_work_come_to_by_themselves():
    """A slow twin: the other points were never trained."""
    made = condition([0.3, 0.7, 0.5, 0.6, 0.8, 0.9], curves={"probe": [1, 3, 2, 5, 4, 6]})
    macs = [100, 200, 400, 450, 500, 900]  # of 900
    points = [
        replace(p, head_macs=m, tail_macs=900 - m) for p, m in zip(made.points, macs, strict=True)
    ]
    made = replace(made, points=tuple(points))
    half = agreement(made, 50).half["probe"]
    alone = agreement(replace(made, retrained=made.retrained[:4]), 50).predictors["probe"]
    assert (half.n, half.auto, half.auto_regret) == (4, "features.3", pytest.approx(0.1))
    assert half == alone
    assert agreement(replace(made, retrained=made.retrained[2:]), 50).half == {}


def test_a_predictor_that_takes_training_does_not_lead():
    known = [compared(str(s), s) for s in range(3)]
    trained = leaderboard(known)
    assert {s.predictor for s in trained.standings if s.trains} == {
        "minus_nmse",
        "after_autoencoder",
    }
    assert "minus_nmse" not in trained.verdict
    assert "after_autoencoder" not in trained.verdict


def test_no_predictor_to_lead():
    made = compared("a", 1, kinds=())
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
