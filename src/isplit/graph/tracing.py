"""From a model to its forward graph, in which nothing is overwritten and every node is measured."""

import inspect
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import reduce
from typing import Any

from torch import Tensor, fx, nn

from isplit.graph.check import refuse_difference
from isplit.graph.flops import uncounted
from isplit.graph.functional import (
    AugmentedProxy,
    make_out_of_place,
    move_constants,
    remove_dead,
)
from isplit.graph.measure import measure
from isplit.graph.nodes import is_within
from isplit.graph.sizes import localise_sizes

log = logging.getLogger(__name__)


def trace(model: nn.Module, example: Tensor) -> fx.GraphModule:
    """The forward graph of a model in eval mode, for any batch size, sharing its parameters.

    It gives the model's answers bit for bit, which is tried on random images. In-place operations
    become out-of-place, so a tensor taken at any node stays as it was. Modules
    that behave differently in training stay whole (Dropout, BatchNorm, StochasticDepth), so the
    graph can be fine-tuned in train mode; ``if self.training:`` in a forward is decided as in eval
    mode for good (auxiliary classifiers are left out).

    Each node's ``meta`` says its ``shape`` (of a batch of one), ``dtype``, ``channels`` (the
    dimensions that hold them), ``macs`` and ``scope`` (path of the module it runs in). Device, mode
    and in-place flags of the model are left as found; what ``torch.compile`` put around is undone.

    Args:
        model: takes one tensor; further arguments of its forward keep their defaults.
        example: images (N, C, H, W); only shape, type and device are used.

    Raises:
        ValueError: the model cannot be traced, with the reason, or its graph answers otherwise.
    """
    model = uncompiled(model)
    name = type(model).__name__
    with eval_mode(model):
        try:
            traced = symbolic(model)
            _measure_into_meta(traced, example)
        except Exception as error:  # whatever a user's forward raises on symbols
            said = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
            raise ValueError(f"{name} cannot be traced: {said}") from error
        in_place = make_out_of_place(traced)
        remove_dead(traced.graph)
        if localise_sizes(traced, example):
            remove_dead(traced.graph)
            _measure_into_meta(traced, example)
        move_constants(traced.graph)
        traced.meta["module_types"] = {path: type(m) for path, m in model.named_modules()}
        traced.recompile()
        refuse_difference(model, traced.eval(), example, in_place)
    mirror_modes(traced, model)
    if lost := uncounted(traced):
        log.warning("multiply-accumulates that are not known count as 0: %s", ", ".join(lost))
    return traced


def symbolic(model: nn.Module) -> fx.GraphModule:
    """The operations of a model's forward as they stand; raises whatever fx or the forward does."""
    graph = _ModuleTracer().trace(model)
    return fx.GraphModule(model, graph, class_name=type(model).__name__)


def uncompiled(model: nn.Module) -> nn.Module:
    """The model as it was before ``torch.compile``, in all its parts."""
    model = getattr(model, "_orig_mod", model)
    model._compiled_call_impl = None
    for name, part in model._modules.items():
        model._modules[name] = None if part is None else uncompiled(part)
    return model


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Eval mode for a while; every module gets its own mode back.

    Flags are set one by one: modules that come from ``torch.export`` refuse ``eval()``.
    """
    with changed(model.modules(), training=False):
        yield


@contextmanager
def changed(things: Iterable[object], **values: Any) -> Iterator[None]:
    """Other values of some attributes for a while; each thing gets its own back, on errors too."""
    before = [(thing, name, getattr(thing, name)) for thing in things for name in values]
    try:
        for thing, name, _ in before:
            setattr(thing, name, values[name])
        yield
    finally:
        for thing, name, value in before:
            setattr(thing, name, value)


def mirror_modes(piece: nn.Module, source: nn.Module) -> None:
    """Gives every module of ``piece`` the mode (train, eval) of its namesake in ``source``.

    The empty modules fx puts between root and leaves are born in train mode: an exporter that asks
    them would write a training graph.
    """
    for path, module in piece.named_modules():
        module.training = source.get_submodule(path).training


class _ModuleTracer(fx.Tracer):
    """Notes for each node the module it runs in and those whose output it is.

    Modules that a forward makes (``nn.ReLU()(x)``, ``self.features[:4](x)``) and the layers of a
    ``nn.TransformerEncoder`` are followed as if they stood in that forward.
    """

    def create_args_for_root(
        self, root_fn: Callable[..., Any], is_module: bool, concrete_args: Any = None
    ) -> tuple[Callable[..., Any], list[Any]]:
        """The forward takes images alone, so what else it could take keeps its default."""
        forward = self.root.forward  # an instance may have its own
        name = next(iter(inspect.signature(forward).parameters))
        return forward, [self.create_proxy("placeholder", name, (), {})]

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return super().is_leaf_module(m, module_qualified_name) or _asks_for_mode(m)

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return AugmentedProxy(node, self)

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        node = super().create_node(*args, **kwargs)
        node.meta |= {"scope": self.scope.module_path, "output_of": []}
        return node

    def call_module(self, m: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        if m not in (self.submodule_paths or {}):
            return m.forward(*args, **kwargs)
        if isinstance(m, nn.TransformerEncoder) and len(args) == 1 and not kwargs:
            return reduce(lambda x, layer: layer(x), filter(None, [*m.layers, m.norm]), args[0])
        result = super().call_module(m, forward, args, kwargs)
        path = self.path_of_module(m)
        if isinstance(result, fx.Proxy) and is_within(result.node.meta["scope"], path):
            result.node.meta["output_of"].append(path)
        return result


def _asks_for_mode(module: nn.Module) -> bool:
    """Whether a module is nothing but an operation that differs in training (StochasticDepth)."""
    is_leaf = next(module.children(), None) is None
    return is_leaf and "training" in type(module).forward.__code__.co_names


def _measure_into_meta(traced: fx.GraphModule, example: Tensor) -> None:
    for node, fact in measure(traced, example, batch_size=1).items():
        node.meta |= fact
