"""Which of the clean cuts are split points, and what they are called."""

from itertools import chain, count, takewhile

from torch import fx

from isplit.graph.measure import work_at
from isplit.graph.nodes import (
    clean_cuts,
    home,
    image_shape,
    input_dependent,
    is_within,
    layout_of,
    operation,
    positions,
)
from isplit.point import SplitPoint
from isplit.presets import check_choice

GRANULARITIES = ("layer", "all")
LAYOUTS = {None: None, "first": False, "last": True}
MAP_DIMENSIONS = 2
"""Maps (C, H, W) and token sequences (S, D) have at least these; a pooled vector has one."""


def split_points(
    traced: fx.GraphModule, granularity: str = "layer", channels: str | None = None
) -> list[SplitPoint]:
    """Places where exactly one tensor crosses, from the input on.

    ``all``: every node that gives such a tensor, of the type of the images, and leaves something
    on both sides.
    ``layer``: one per convolution (or other learned layer) with the normalisation and activation
    behind it, per pooling layer, and per block (a module that joins branches, such as a residual
    or transformer block; what lies inside one is left out). They end where maps become one
    vector; the classifier is no point.

    Args:
        traced: from :func:`isplit.graph.trace`.
        granularity: ``layer`` or ``all``.
        channels: ``first`` or ``last``: where they are at points whose graph does not tell.

    Raises:
        ValueError: an unknown granularity or layout, or a model without any split point.
    """
    check_choice(granularity, "split.granularity", GRANULARITIES)
    if channels not in LAYOUTS:
        raise ValueError(f"split.channels={channels!r} is none of first, last")
    cuts = [cut for cut in clean_cuts(traced.graph) if _can_cross(cut)]
    layers = _layers(traced, cuts)
    chosen = layers if granularity == "layer" else cuts
    if not chosen:
        where = f"{len(cuts)} places where one tensor crosses carry no feature map before the"
        nowhere = "nowhere between input and output does exactly one tensor cross"
        raise ValueError(
            f"{type(traced).__name__} has no split point at split.granularity={granularity}: "
            + (f"{where} classifier" if cuts else nowhere)
        )
    names, works = _names(cuts, layers), work_at(traced, [cut.name for cut in chosen])
    points = []
    for index, (cut, (head, tail)) in enumerate(zip(chosen, works, strict=True)):
        last = layout_of(cut.meta["channels"], len(cut.meta["shape"]))
        known = LAYOUTS[channels] if last is None else last
        costs, shape = (head.macs, tail.macs, head.parameters), image_shape(cut)
        points.append(SplitPoint(index, names[cut], shape, cut.name, *costs, channels_last=known))
    return points


def _can_cross(cut: fx.Node) -> bool:
    """Whether a clean cut carries features and leaves something on both sides."""
    is_last = all(user.op == "output" for user in cut.users)
    images = next(iter(cut.graph.nodes))
    features = "shape" in cut.meta and cut.meta["dtype"] == images.meta["dtype"]
    overwritten = any(user.meta.get("overwrites") for user in cut.users)
    return cut.op != "placeholder" and features and not is_last and not overwritten


def _layers(traced: fx.GraphModule, cuts: list[fx.Node]) -> list[fx.Node]:
    """The cut at the end of every layer: after its activation, before the next one begins."""
    trunk = list(takewhile(_is_before_pooling, cuts))
    blocks = _blocks(traced, trunk)
    one_per_image = [cut for cut in trunk if cut.meta["shape"][0] == 1]  # measured with one image
    trunk = [cut for cut in one_per_image if not any(_is_inside(cut, b) for b in blocks)]
    nodes, place = input_dependent(traced.graph), positions(traced.graph)
    layers: list[fx.Node] = []
    scope, start = None, -1
    for cut in trunk:
        segment = [node for node in nodes if start < place[node] <= place[cut]]
        start = place[cut]
        if any(node.meta["macs"] for node in segment) or "pool" in operation(cut):
            scope = _common_scope(segment)
            layers.append(cut)
        elif scope is not None and is_within(home(cut), scope):
            layers[-1] = cut
        else:
            scope = None
    last_work = max((place[n] for n in nodes if n.meta["macs"]), default=-1)
    return [cut for cut in layers if place[cut] < last_work]


def _is_before_pooling(cut: fx.Node) -> bool:
    """False from where the trunk becomes one vector per image."""
    done = operation(cut)
    pooled = "adaptive" in done or done == "mean"
    return len(image_shape(cut)) >= MAP_DIMENSIONS and not pooled


def _blocks(traced: fx.GraphModule, trunk: list[fx.Node]) -> list[str]:
    """Paths of the modules of a class that somewhere joins branches in its own forward.

    A class, because in some blocks the shortcut is left out where the size changes. The module
    around all cuts is the network itself, not a block.
    """
    types = traced.meta["module_types"]
    dependent = set(input_dependent(traced.graph))
    tensors = {node for node in dependent if "shape" in node.meta}
    joins = {home(n) for n in dependent if len(tensors.intersection(n.all_input_nodes)) > 1}
    classes = {types[path] for path in joins if path}
    return [
        path
        for path, kind in types.items()
        if kind in classes and not all(_is_inside(cut, path) for cut in trunk)
    ]


def _is_inside(cut: fx.Node, block: str) -> bool:
    """Whether a cut lies in a block and is not its output."""
    return is_within(cut.meta["scope"], block) and block not in cut.meta["output_of"]


def _names(cuts: list[fx.Node], layers: list[fx.Node]) -> dict[fx.Node, str]:
    """Path of the outermost module whose output a cut is and that holds no other layer."""
    names: dict[fx.Node, str] = {}
    for cut in cuts:
        others = [layer.meta["scope"] for layer in layers if layer is not cut]
        outputs = [path for path in cut.meta["output_of"] if path]
        own = [path for path in outputs if not any(is_within(o, path) for o in others)]
        base = own[-1] if own else f"{home(cut)}.{operation(cut)}".lstrip(".")
        numbered = chain([base], (f"{base}_{number}" for number in count(1)))
        names[cut] = next(name for name in numbered if name not in names.values())
    return names


def _common_scope(segment: list[fx.Node]) -> str:
    """Path of the smallest module in whose forward all nodes lie."""
    homes = [home(node).split(".") for node in segment if "shape" in node.meta]
    shared = takewhile(lambda parts: len(set(parts)) == 1, zip(*homes, strict=False))
    return ".".join(parts[0] for parts in shared)
