"""The split model as files: weights as safetensors, what they belong to as a JSON manifest."""

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from pydantic import ConfigDict, TypeAdapter
from torch import Tensor, nn

from isplit.backbones import keep_outputs, rebuilt
from isplit.bottleneck import bottleneck_at
from isplit.codec import Codec, from_config, load_profile
from isplit.files import replacing, sha256, write_json, write_text
from isplit.graph import classifier_of, split_at, split_points, trace
from isplit.model import SplitModel, as_safetensors

PROFILE = "codec_profile.json"
LARGEST_MANIFEST = 2**24  # bytes; class names take most of it


@dataclass(frozen=True)
class Manifest:
    """All that is needed to build the split model again, and to feed it.

    Attributes:
        model: arguments of ``build_backbone``, in the layout that was built.
        layer: name of the split point, ``granularity`` and ``channels`` say among which.
        image_shape: of one image, where it is not (3, image_size, image_size).
        mean: per channel, subtracted from pixels in 0..1; then divided by ``std``. Empty, as
            ``std``, where the images were prepared outside isplit.
        weights_sha256: of the safetensors file beside the manifest.
        compression_rate: 0 where there is no bottleneck.
        codec: what the code is sent by, as ``Codec.get_config`` has it; ``None``: float32.
        profile_sha256: of the codec's profile beside the manifest; ``None``: it has none.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    model: Mapping[str, Any]
    layer: str
    granularity: str
    compression_rate: float
    class_names: tuple[str, ...]
    image_size: int
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    weights_sha256: str = ""
    schema: Literal[1] = 1
    channels: str | None = None
    codec: Mapping[str, Any] | None = None
    profile_sha256: str | None = None
    image_shape: tuple[int, ...] | None = None


class SavedSplit(SplitModel):
    """A split model with the codec that its code is sent by.

    ::

        payloads = split.codec.encode(split.encode(images))
        logits = split.decode(torch.from_numpy(split.codec.decode(payloads)))

    Attributes:
        codec: bound to its profile if it has one; ``None``: the code is sent as float32.
    """

    codec: Codec | None = None


def save_split_model(
    split: SplitModel, manifest: Manifest, folder: Path, profile: str | None = None
) -> None:
    """Write ``split_model.safetensors`` and, last, ``split_model.json`` into ``folder``.

    Args:
        profile: text of the codec's profile, which becomes ``codec_profile.json``.
    """
    path = folder / "split_model.safetensors"
    with replacing(path) as temporary:
        temporary.write_bytes(as_safetensors(split.state_dict()))
    content = asdict(manifest) | {"weights_sha256": sha256(path)}
    if profile is not None:
        write_text(folder / PROFILE, profile)
        content["profile_sha256"] = sha256(folder / PROFILE)
    write_json(folder / "split_model.json", content)


def load_split_model(folder: str | Path, net: nn.Module | None = None) -> SavedSplit:
    """The split model that ``save_split_model`` wrote into ``folder``, in evaluation mode.

    Nothing in the folder is run or fetched, and no more memory is taken than the weights have.

    Args:
        folder: of a finished job.
        net: the unsplit classifier, with any weights, where it was one of the user's own
            (``model=custom``): a manifest never names code to run.

    Raises:
        FileNotFoundError: there is no split model in the folder.
        ValueError: the manifest is none, weights or profile are not those it speaks of, or
            ``net`` is missing.
    """
    folder = Path(folder)
    path, profile = folder / "split_model.safetensors", folder / PROFILE
    manifest = _read_manifest(folder / "split_model.json")
    for at, digest in ((path, manifest.weights_sha256), (profile, manifest.profile_sha256)):
        if digest is not None and not (at.is_file() and sha256(at) == digest):
            raise ValueError(
                f"{at} is not the file that split_model.json beside it was written for"
            )
    if net is None and "net" in manifest.model:
        raise ValueError(f"{folder} holds a split of a model of your own: give it as net=...")
    try:
        weights = safetensors.torch.load_file(path)  # views of it: last bits hang on alignment
        split = _assembled(manifest, {name: weights[name].clone() for name in weights}, net)
        if manifest.codec is not None:
            split.codec = from_config(manifest.codec)
            if manifest.profile_sha256 is not None:
                split.codec = split.codec.bound(load_profile(profile))
    except Exception as error:  # whatever odd values make torch raise
        raise ValueError(f"{folder} holds no split model that can be built: {error}") from error
    return split.eval()


def _read_manifest(path: Path) -> Manifest:
    if not path.is_file():
        raise FileNotFoundError(f"there is no {path}: is this the folder of a finished job?")
    if path.stat().st_size > LARGEST_MANIFEST:
        raise ValueError(f"{path} is too large for a manifest")
    try:
        return TypeAdapter(Manifest).validate_json(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is no manifest of a split model: {error}") from error


def _assembled(manifest: Manifest, weights: dict[str, Tensor], net: nn.Module | None) -> SavedSplit:
    """The parts around each other; those of a backbone without memory until the weights come."""
    device = "cpu" if net is not None else "meta"
    if net is None:
        names = {name.partition(".")[2]: tensor for name, tensor in weights.items()}
        net = rebuilt(manifest.model, names)
    else:
        net = copy.deepcopy(net)
        if outputs := manifest.model.get("outputs"):  # of a net for more classes (data.class_map)
            path = classifier_of(net, manifest.model.get("head"))
            if len(net.get_submodule(path).state_dict()["weight"]) == outputs[0]:
                net = keep_outputs(net, outputs[1:], path)
    with torch.device(device):
        shape = manifest.image_shape or (3, manifest.image_size, manifest.image_size)
        traced = trace(net.to(device), torch.zeros(1, *shape))
        points = split_points(traced, manifest.granularity, manifest.channels)
        point = next((p for p in points if p.name == manifest.layer), None)
        if point is None:
            raise ValueError(f"layer={manifest.layer!r} is no split point of the model")
        head, tail = split_at(traced, point)
        split = SavedSplit(head, bottleneck_at(point, manifest.compression_rate), tail)
    split.load_state_dict(weights, assign=device == "meta")
    if any(tensor.is_meta for tensor in (*split.parameters(), *split.buffers())):
        raise ValueError("a tensor of the model is not among its weights")
    return split
