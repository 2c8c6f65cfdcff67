"""What people call the model and the data of a config."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from isplit.config.values import architecture, plain

LETTERS = {0.75: "letters", 0.25: "letters easy"}  # by difficulty


def model_name(cfg: DictConfig) -> str:
    """``vgg16 x 0.25``, torchvision's name, or the user's own class."""
    net = plain(cfg.model.get("net"))
    if isinstance(net, dict) and "_target_" in net:
        return str(net["_target_"]).rpartition(".")[2]
    width = float(cfg.model.get("width", 1.0))
    return architecture(cfg) + ("" if width == 1 else f" x {width:g}")


def data_name(cfg: DictConfig) -> str:
    """``letters easy``, ``notmnist``, or the name of the user's folder."""
    name, root = str(cfg.data.name), cfg.data.get("root")
    if name == "letters":
        difficulty = float(cfg.data.difficulty)
        return LETTERS.get(difficulty, f"letters, difficulty {difficulty:g}")
    return Path(str(root)).name or name if name == "folder" and root else name
