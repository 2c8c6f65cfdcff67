"""A composed config held against what its keys take, before any work."""

from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import DictConfig, OmegaConf

from isplit.keys.compose import one_line
from isplit.keys.conf import every_key, groups, options
from isplit.keys.takes import Keys, taken
from isplit.keys.words import no_key, spoken


def checked(cfg: DictConfig) -> DictConfig:
    """The config, its values as the program has them: ``4kB`` as 4000, ``90%`` as 0.9.

    Raises:
        ValueError: a line for each key that does not exist, has a value that it does not take, or
            contradicts another.
    """
    raw: Any = OmegaConf.to_container(cfg, resolve=False)
    keys, others = keys_of(raw), every_key()
    values: dict[str, Any] = {}
    wrong: dict[str, str] = {}
    unresolved = []
    result = cfg.copy()
    for key, _ in given(raw, keys):
        try:
            with one_line():
                typed = plain(OmegaConf.select(cfg, key, throw_on_missing=True))
        except ValueError as error:
            unresolved += [] if "HydraConfig was not set" in str(error) else [str(error)]
            continue  # Hydra's own values are known when a job runs
        try:
            value = values[key] = _taken(key, typed, keys, others)
        except ValueError as error:
            wrong[key] = f"{key}={spoken(typed)} {error}"
            continue
        if (type(value), value) != (type(typed), typed):
            OmegaConf.update(result, key, value)
    copies = [key for key, value in given(raw, keys) if str(value)[2:-1] in wrong]
    lines = [line for key, line in wrong.items() if key not in copies]
    if lines := lines or unresolved or list(_contradictions(values)):
        raise ValueError("\n".join(lines))
    return result


def refuse_misfits(group: str, option: str, values: Mapping[str, Any]) -> None:
    """Hold values against what the keys of one option of a group take, outside a config.

    Raises:
        ValueError: a line for each key that does not exist or has a value that it does not take.
    """
    keys, lines = options(group)[option].keys, []
    for name, value in values.items():
        try:
            _taken(f"{group}.{name}", value, keys, keys)
        except ValueError as error:
            lines.append(f"{group}.{name}={spoken(value)} {error}")
    if lines:
        raise ValueError("\n".join(lines))


def plain(node: Any) -> Any:
    """A config node as plain dicts, lists and values, interpolations resolved."""
    if OmegaConf.is_config(node):
        return OmegaConf.to_container(node, resolve=True, throw_on_missing=True)
    return node


def architecture(cfg: DictConfig) -> str:
    """What the model is called: torchvision's name where it was chosen by ``model.arch``."""
    return str(cfg.model.get("arch") or cfg.model.name)


def keys_of(raw: Mapping[str, Any]) -> Keys:
    """The comment behind each key of a config: in each group of the option that is most like it."""
    keys: dict[str, str] = {}
    for group in ("", *groups()):
        node = raw.get(group, {}) if group else {k: raw[k] for k in raw if k not in groups()}
        if node and isinstance(node, dict):
            names, place = set(node) - {"hydra"}, 1 if group else 0
            known = [option.keys for option in options(group).values() if option.keys]
            unlike = [len({key.split(".")[place] for key in has} ^ names) for has in known]
            keys |= known[unlike.index(min(unlike))]
    return keys


def given(raw: Mapping[str, Any], keys: Keys, above: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted path and value, as it was written, of every key of a config."""
    for name, value in raw.items():
        path = f"{above}{name}"
        if isinstance(value, dict) and value and path not in keys:
            yield from given(value, keys, f"{path}.")
        elif path != "hydra":
            yield path, value


def _taken(key: str, value: Any, keys: Keys, others: Keys) -> Any:
    if key not in keys:
        raise ValueError(no_key(key, keys))
    return taken(keys[key], value, others)


def _contradictions(values: Mapping[str, Any]) -> Iterator[str]:
    name, arch = values.get("model.name"), values.get("model.arch")
    width, net = values.get("model.width", 1), str(arch if name == "torchvision" else name)
    lowest, highest = values.get("split.min_depth"), values.get("split.max_depth")
    rate, codec = values.get("bottleneck.compression_rate"), values.get("codec.name")
    if values.get("stage.finetune.through_codec") and (rate == 0 or codec == "none"):
        yield "stage.finetune.through_codec=true needs a codec, and a bottleneck to train"
    if name == "torchvision" and arch is None:
        yield "model.arch=null: model=torchvision needs torchvision's name of the architecture"
    if name != "torchvision" and arch is not None:
        yield f"model.arch={arch} is for model=torchvision, not for model.name={name}"
    if width != 1 and not net.startswith(("vgg", "resnet", "wide_resnet")):
        yield f"model.width={width} is for VGG and ResNet, {net} has only width 1"
    if lowest is not None and highest is not None and lowest > highest:
        yield f"split.min_depth={lowest} is above split.max_depth={highest}"
