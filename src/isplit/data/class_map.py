"""Which outputs of a net that knows other classes stand for those of the data."""

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

IMAGENET = "imagenet"


@dataclass(frozen=True)
class Outputs:
    """The outputs of a net that stand for the classes of the data, in their order.

    Attributes:
        of: number of all outputs of the net.
        chosen: one per class of the data.
    """

    of: int
    chosen: tuple[int, ...]


def outputs_for(
    class_map: str, class_names: Sequence[str], aliases: Mapping[str, int] | None = None
) -> Outputs:
    """The output of each class by its name or an alias; letter case and underscores do not count.

    Args:
        class_map: ``imagenet``: the 1,000 classes as torchvision names them, and by WordNet id
            where timm is installed; else a text file with a line per output, its names separated
            by tabs or commas.
        aliases: other names of the data's classes (WordNet ids), with the label of each.

    Raises:
        ValueError: the file is not there, or a class stands for no output, for several, or for
            that of another class.
    """
    lines = _imagenet() if class_map == IMAGENET else _lines(class_map)
    by_name: dict[str, set[int]] = {}
    for output, names in enumerate(lines):
        for name in names:
            by_name.setdefault(_plain(name), set()).add(output)
    chosen: list[int] = []
    for label, class_name in enumerate(class_names):
        ids = [alias for alias, of in (aliases or {}).items() if of == label]
        words = [*ids, class_name, *class_name.split(",")]
        found = next((by_name[_plain(w)] for w in words if _plain(w) in by_name), set())
        if len(found) != 1:
            among = f"the outputs {sorted(found)}" if found else f"none of {len(lines)} outputs"
            raise ValueError(
                f"data.class_map={class_map}: {class_name!r} stands for {among}; a file with a "
                "line per output, WordNet id and names separated by tabs or commas, can say which"
            )
        chosen += found
    if len({*chosen}) < len(chosen):
        pairs = zip(class_names, chosen, strict=True)
        twice = [name for name, output in pairs if chosen.count(output) > 1]
        raise ValueError(f"data.class_map={class_map}: {', '.join(twice)} stand for one output")
    return Outputs(len(lines), tuple(chosen))


def _imagenet() -> list[list[str]]:
    """The names of each output of torchvision's ImageNet nets."""
    weights = importlib.import_module("torchvision.models").ResNet18_Weights.DEFAULT
    lines = [[name] for name in weights.meta["categories"]]
    if importlib.util.find_spec("timm"):
        info = importlib.import_module("timm.data").ImageNetInfo("imagenet1k")
        for line, wnid in zip(lines, info.label_names(), strict=True):
            line.append(wnid)
    return lines


def _lines(class_map: str) -> list[list[str]]:
    try:
        text = Path(class_map).expanduser().read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"data.class_map={class_map} is neither {IMAGENET} nor a text file: {error}"
        ) from error
    return [line.replace(",", "\t").split("\t") for line in text.rstrip().split("\n")]


def _plain(name: str) -> str:
    return name.strip().lower().replace("_", " ")
