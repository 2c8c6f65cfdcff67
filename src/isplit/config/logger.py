"""Who is told what a job does, and by which names they know it, its model and its data."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hydra.utils import instantiate
from lightning.pytorch.loggers import Logger
from omegaconf import DictConfig

from isplit.config.values import architecture, identity, plain, store_folder
from isplit.stages import fingerprint
from isplit.tracking import forgiving, wandb_run

LETTERS = {0.75: "letters", 0.25: "letters easy"}  # by difficulty


@contextmanager
def loggers(cfg: DictConfig, folder: Path, job_type: str = "train") -> Iterator[list[Logger]]:
    """W&B, if it is not disabled, and the loggers of ``logger.extra``, while a job runs."""
    keys = plain(cfg.logger)
    extra = [forgiving(instantiate(logger)) for logger in keys.pop("extra").values()]
    labels = [architecture(cfg)] if "model" in cfg else []
    labels += [str(cfg.data.name)] if "data" in cfg else []
    keys["group"] = keys["group"] or "-".join(labels) or None
    tags = keys["tags"].split(",") if isinstance(keys["tags"], str) else keys["tags"] or []
    keys["tags"] = [*(tag.strip() for tag in tags if tag.strip()), *labels, *_size_tags(cfg)]
    place = Path(keys.pop("dir") or folder).expanduser()
    place.mkdir(parents=True, exist_ok=True)
    run_id = job_id(cfg) if keys.pop("resume") and job_type == "train" else None
    about = keys | {"job_type": job_type, "run_id": run_id}
    with wandb_run(about.pop("mode"), place, identity(cfg), **about) as tracker:
        yield tracker + extra


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


def job_id(cfg: DictConfig) -> str:
    """What is the same for the same job on the same store, and only then."""
    return fingerprint(identity(cfg) | {"store": str(store_folder(cfg).resolve())})


def _size_tags(cfg: DictConfig) -> list[str]:
    """How much of the features is sent: ``rate=0.9``, or ``code=256`` elements."""
    if "bottleneck" not in cfg:
        return []
    elements = cfg.bottleneck.get("code_elements")
    rate = f"rate={cfg.bottleneck.compression_rate}"
    return [rate if elements is None else f"code={elements}"]
