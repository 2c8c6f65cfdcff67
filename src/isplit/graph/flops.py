"""Torch's FLOP counter with the operations that it lacks, and what is counted by neither."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch._ops import OpOverload, OpOverloadPacket
from torch.utils.flop_counter import FlopCounterMode

from isplit.graph.nodes import operation, parameters_of

FLOPS_PER_MAC = 2
WITHOUT_MACS = (nn.Embedding, nn.EmbeddingBag, nn.LayerNorm, nn.RMSNorm)


def flop_counter() -> FlopCounterMode:
    """Counts what runs in it: convolutions, linear and recurrent layers, matrix products."""
    return FlopCounterMode(display=False, custom_mapping=NOT_IN_TORCH)


def uncounted(traced: fx.GraphModule) -> list[str]:
    """Names of what has a matrix of weights, and work that nobody counts."""
    return [
        f"{node.target} ({operation(node)})"
        for node in traced.graph.nodes
        if not node.meta.get("macs") and multiplies(traced, node)
    ]


def multiplies(traced: fx.GraphModule, node: fx.Node) -> bool:
    """Whether a module, or an operation of ``torch.ops``, has a matrix of weights to multiply."""
    weights: list[nn.Parameter] = []
    if isinstance(node.target, OpOverload | OpOverloadPacket):
        weights = [p for source in node.all_input_nodes for p in parameters_of(traced, source)]
    elif node.op == "call_module":
        is_lookup_or_norm = isinstance(traced.get_submodule(str(node.target)), WITHOUT_MACS)
        weights = [] if is_lookup_or_norm else parameters_of(traced, node)
    return any(sum(size > 1 for size in weight.shape) > 1 for weight in weights)


def _flops_of_matrices(rows: torch.Size, *given: Any, **_: Any) -> int:
    """Each row times the matrices that come next; cuDNN's layers come in one list."""
    weights = given[0] if isinstance(given[0], list) else given[:2]
    return FLOPS_PER_MAC * math.prod(rows[:-1]) * sum(math.prod(w) for w in weights if len(w) == 2)


def _flops_of_vector(one: torch.Size, *_: Any, **__: Any) -> int:
    """Of a matrix, or a vector, times a vector."""
    return FLOPS_PER_MAC * math.prod(one)


def _flops_of_bilinear(rows: torch.Size, weight: torch.Size, *_: Any, **__: Any) -> int:
    return FLOPS_PER_MAC * rows[0] * math.prod(weight)


NOT_IN_TORCH: dict[Any, Callable[..., int]] = {
    torch.ops.aten.mkldnn_rnn_layer: _flops_of_matrices,
    torch.ops.aten._cudnn_rnn: _flops_of_matrices,
    torch.ops.aten._trilinear: _flops_of_bilinear,
    torch.ops.aten.mv: _flops_of_vector,
    torch.ops.aten.dot: _flops_of_vector,
}
"""FLOPs by the shapes of the arguments, of operations that torch's table lacks."""
