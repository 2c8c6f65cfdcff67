"""The jobs that a multirun command stands for: exactly these, before anything is read or run."""

import itertools

import pytest
from sweeping import jobs, sweep

VGG = [
    *(f"block{b}_{layer}" for b in (1, 2) for layer in ("conv1", "conv2", "pool")),
    *(f"block{b}_{layer}" for b in (3, 4, 5) for layer in ("conv1", "conv2", "conv3", "pool")),
]
RESNET18 = [
    "relu",
    "maxpool",
    *(f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)),
]
TINY = "model=vgg16_tiny"


def said(found, *keys):
    """What the jobs have for these keys, one tuple each."""
    return [
        tuple(dict(w.split("=", 1) for w in job.overrides)[key] for key in keys) for job in found
    ]


def test_all_is_every_point_of_each_model_for_each_seed(tmp_path):
    found = jobs(tmp_path, "model=vgg16_tiny,resnet18", "split.layer=all", "seed=0,1")
    points = {"vgg16_tiny": VGG, "resnet18": RESNET18}
    expected = [
        (model, seed, layer)
        for model, seed in itertools.product(points, "01")
        for layer in points[model]
    ]
    assert said(found, "model", "seed", "split.layer") == expected
    assert [job.cfg.split.layer for job in found] == [layer for _, _, layer in expected]
    assert {job.cfg.model.name for job in found} == {"vgg16", "resnet18"}
    assert len({job.fingerprint for job in found}) == len(found)


def test_all_may_come_from_a_config_file(tmp_path):
    found = jobs(tmp_path, TINY, "experiment=every_point", "repeat=0,1")
    assert said(found, "repeat", "split.layer") == list(itertools.product("01", VGG))


def test_limits_take_points_out(tmp_path):
    found = jobs(tmp_path, TINY, "split.layer=all", "split.min_depth=3,16", "split.max_depth=17")
    expected = [("3", layer) for layer in VGG[3:]] + [("16", layer) for layer in VGG[16:]]
    assert said(found, "split.min_depth", "split.layer") == expected


def test_every_node_is_a_job_where_that_is_asked_for(tmp_path):
    found = jobs(tmp_path, TINY, "split.layer=all", "split.granularity=all")
    assert len(found) > len(VGG)
    assert len({str(job.cfg.split.layer) for job in found}) == len(found)


def test_what_a_curve_chooses_stays_one_job(tmp_path):
    found = jobs(tmp_path, TINY, "split.layer=auto,peaks,block1_pool,[auto,all]")
    layers = ["auto", "peaks", "block1_pool", "[auto,all]"]
    assert said(found, "split.layer") == [(layer,) for layer in layers]


def test_a_job_that_is_asked_for_twice_runs_once(tmp_path):
    found = jobs(tmp_path, TINY, "split.layer=block2_pool,all,auto")
    assert said(found, "split.layer") == [
        ("block2_pool",),
        *((layer,) for layer in VGG if layer != "block2_pool"),
        ("auto",),
    ]


def test_names_that_hydra_would_misread_go_by_their_index(tmp_path):
    own = ("model=custom", "model.net._target_=sweeping.numbered")
    found = jobs(tmp_path, *own, "split.layer=all")
    assert [job.cfg.split.layer for job in found] == list(range(len(found)))
    assert len(found) > 1


def test_folders_say_in_what_the_jobs_differ(tmp_path):
    found = jobs(tmp_path, TINY, "split.layer=block1_pool,[auto,3]", "seed=0,1")
    names = ["00-block1_pool-seed0", "01-block1_pool-seed1", "02-auto_3-seed0", "03-auto_3-seed1"]
    assert [job.name for job in found] == names
    assert [job.name for job in jobs(tmp_path, TINY, "split.layer=auto")] == ["00-auto"]


def test_listing_reads_no_data_and_writes_nothing(tmp_path):
    data = ("data=chest_xray", f"data.root={tmp_path / 'absent'}")
    assert len(jobs(tmp_path, TINY, *data, "split.layer=all")) == len(VGG)
    assert not list(tmp_path.iterdir())


def test_published_weights_are_not_fetched_to_list_points(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", pytest.fail)
    found = jobs(tmp_path, "model=resnet18", "model.weights=DEFAULT", "split.layer=all")
    assert said(found, "split.layer") == [(layer,) for layer in RESNET18]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["split.layer=block1_pool,conv9"],
            r"^split\.layer=conv9: split\.layer='conv9' is neither",
        ),
        (
            ["model=vgg16_tiny,resnet18", "split.layer=block1_pool"],
            r"^model=resnet18: split\.layer=",
        ),
        (["split.layer=all", "split.max_head_macs=1"], r"^the limits leave no split point"),
        (["split.layer=all", "data.image_size=8"], r"does not run on data\.image_size=8"),
        (
            ["split.layer=all", "bottleneck.compression_rate=0.9,2"],
            r"compression_rate=2 is no number",
        ),
    ],
)
def test_what_cannot_work_is_said_before_anything_runs(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        jobs(tmp_path, TINY, *arguments)


def test_nothing_runs_if_one_job_cannot_work(tmp_path, caplog):
    assert sweep(tmp_path, "split.layer=block1_pool,conv9", job=pytest.fail) == 1
    assert "error: split.layer=conv9: split.layer='conv9' is neither" in caplog.text
    assert not list(tmp_path.iterdir())


def test_a_folder_of_a_job_has_a_name_that_file_systems_take(tmp_path):
    """Of classes in scripts of several bytes a character too; the number keeps names apart."""
    classes = [f'["{sign * 100}",B]' for sign in ("\u6570", "\U00020000")]
    found = jobs(tmp_path, TINY, "split.layer=auto", f"data.classes={','.join(classes)}")
    assert [len(job.name.encode()) <= 80 for job in found] == [True, True]
    assert [job.name[:4] for job in found] == ["00-\u6570", "01-\U00020000"]
