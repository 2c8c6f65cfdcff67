"""Tracking never asks: online with a key, offline without, and a real offline run is written."""

import urllib.parse

import pytest
import wandb

from isplit.tracking import EpochLines, progress_callbacks, wandb_mode, wandb_run


@pytest.fixture(autouse=True)
def nobody_is_logged_in(monkeypatch, tmp_path):
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def test_auto_is_offline_without_a_key():
    assert wandb_mode("auto") == "offline"


def test_auto_is_online_with_a_key_in_the_environment(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    assert wandb_mode("auto") == "online"


def test_auto_is_online_with_a_key_in_the_netrc_file(tmp_path):
    host = urllib.parse.urlparse(wandb.Settings().base_url).hostname
    (tmp_path / "netrc").write_text(f"machine {host} login user password secret\n")
    assert wandb_mode("auto") == "online"


def test_auto_obeys_the_environments_mode(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert wandb_mode("auto") == "offline"


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match=r"logger\.mode='loud' is none of auto, online, offline"):
        wandb_mode("loud")


def test_an_offline_run_is_written_below_the_folder(tmp_path):
    with wandb_run("offline", tmp_path, {"seed": 1}) as loggers:
        loggers[0].log_metrics({"accuracy": 0.5})
    assert list(tmp_path.glob("wandb/offline-run-*/run-*.wandb"))


def test_a_disabled_run_has_no_logger(tmp_path):
    with wandb_run("disabled", tmp_path, {}) as loggers:
        assert loggers == []
    assert not list(tmp_path.iterdir())


def test_progress_is_lines_where_there_is_no_terminal():
    assert [type(c) for c in progress_callbacks("auto")] == [EpochLines]


def test_an_unknown_kind_of_progress_is_refused():
    with pytest.raises(ValueError, match=r"trainer\.progress='dots' is none of auto, bar, lines"):
        progress_callbacks("dots")
