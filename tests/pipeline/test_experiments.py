"""The papers' experiments: each composes at every scale and says what it is; one really runs."""

import re
import runpy

import pytest
from pipeline.jobs import ROOT

from isplit import runs
from isplit.keys import checked, composed
from isplit.studies.collect import by_condition, collect

FILES = sorted((ROOT / "conf" / "experiment").glob("*.yaml"))
PAPERS = [path for path in FILES if re.match("isplit|quantization|split_et", path.stem)]
SCALES = {"smoke": (0.125, 32), "cpu": (0.25, 32), "full": (1.0, 64)}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.stem)
def test_an_experiment_composes_at_every_scale(path, scale):
    words = [f"experiment={path.stem}", f"scale={scale}", "data.root=PATH"]
    cfg = checked(composed("train", words, ROOT / "conf"))
    assert (cfg.model.width, cfg.data.image_size) == SCALES[scale]
    assert cfg.stage.finetune.loss == "cross_entropy"  # as in the paper
    assert (cfg.data.name == "letters") == (scale == "smoke")
    if scale == "full":
        stages = (cfg.stage.autoencoder, cfg.stage.finetune)
        assert not [s for s in stages if s.images is not None or s.epochs < 10]
        assert (cfg.data.groups, cfg.data.classes) == (None, None)
    if scale == "cpu":  # what an experiment is by itself
        assert cfg == checked(composed("train", [words[0], words[2]], ROOT / "conf"))


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.stem)
def test_an_experiment_opens_with_figure_command_cost_and_what_the_paper_says(path):
    first, *lines = (
        path.read_text(encoding="utf-8").removeprefix("# @package _global_\n").split("\n")
    )
    assert re.match(r"# (I-SPLIT|Quantization and RLE|Split-Et-Impera)\b", first)
    assert re.search(
        rf"^#   python train\.py (-m )?experiment={path.stem} ", "\n".join(lines), re.M
    )
    cost = next(line for line in lines if line.startswith("# Cost: "))
    assert all(scale in cost for scale in SCALES) or "as Fig. 3" in cost or "after Fig. 3" in cost
    assert any(line.startswith("# The paper: ") for line in lines)


def test_the_commands_of_all_experiments_in_one_go_are_valid():
    """What ``benchmarks/experiments.py`` runs: every paper's file, after what it builds on."""
    script = runpy.run_path(str(ROOT / "benchmarks" / "experiments.py"))
    chains = script["_chains"](None)
    names = [name for chain in chains for name in chain]
    assert sorted(names) == [path.stem for path in PAPERS]
    assert ["isplit_fig3", "isplit_fig4", "isplit_fig5", "isplit_time"] in chains
    roots = {name: f"/{name}" for name in ("notmnist", "tiny_imagenet", "chest_xray")}
    seen = set()
    for name in names:
        for script_name, *words in script["_commands"](name, roots, "7"):
            if script_name.startswith("benchmarks/"):
                continue
            kept = [word for word in words if word != "-m" and not word.startswith("hydra.")]
            first = [word if "[" in word else word.split(",")[0] for word in kept]
            cfg = composed(script_name.removesuffix(".py"), first, ROOT / "conf")
            if script_name == "train.py":
                assert checked(cfg).seed == 7
                seen.add((name, cfg.data.root))
    assert {("isplit_fig6", "/notmnist"), ("isplit_fig6", "/chest_xray")} <= seen
    assert {name for name, _ in seen} == set(names)
    assert not [root for _, root in seen if root not in roots.values()]


def test_one_runs_for_real_and_so_does_its_control(tmp_path):
    """Without a bottleneck the whole net is fine-tuned on the images of the split, as often."""
    root = (f"paths.root={tmp_path}", f"paths.output={tmp_path}/split", "logger=none")
    words = ["experiment=isplit_fig5", "scale=smoke", "data.images_per_class=20", *root]
    split = runs.train(composed("train", words, ROOT / "conf"))[0]
    without = ["bottleneck=none", "bottleneck.finetune=true", f"paths.output={tmp_path}/control"]
    control = runs.train(composed("train", [*words, *without], ROOT / "conf"))[0]
    assert (control.bottleneck, [*control.stages]) == (None, ["baseline", "finetune"])
    assert control.stages["baseline"].fingerprint == split.stages["baseline"].fingerprint
    assert control.accuracy.final == control.accuracy.after_finetune
    assert control.cost.payload_bytes == control.cost.feature_bytes
    steps = [epochs_of(tmp_path / folder / "metrics.csv") for folder in ("split", "control")]
    assert steps[0] == steps[1] > 0
    assert len(by_condition(collect([tmp_path]).runs)) == 2


def epochs_of(path):
    return path.read_text("utf-8").count("\nfinetune,")
