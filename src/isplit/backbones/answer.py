"""What a model answers to images of a size, found without computing anything."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from isplit.graph.measure import shapes_alone
from isplit.graph.tracing import eval_mode


def answer_shape(model: nn.Module, image_size: int, channels: int = 3) -> tuple[int, ...]:
    """Shape of the model's answer to one image; computes nothing, raises what the forward does.

    Raises:
        TypeError: the answer is no tensor.
    """
    with eval_mode(model), shapes_alone():
        answer = model(torch.empty(1, channels, image_size, image_size))
    if not isinstance(answer, torch.Tensor):
        raise TypeError(_how_to_wrap(answer))
    return tuple(answer.shape)


@contextmanager
def size_errors(architecture: str, image_size: int) -> Iterator[None]:
    """Turns whatever torch says about shapes into a ValueError that names the key."""
    try:
        yield
    except Exception as error:  # an AssertionError, RuntimeError or ValueError, as it comes
        raise ValueError(
            f"{architecture} does not run on data.image_size={image_size}: {error}"
        ) from error


def _how_to_wrap(answer: Any) -> str:
    if isinstance(answer, Mapping):
        which = f"[{next(iter(answer), 'logits')!r}]"
        kind = f"a dictionary of {', '.join(map(str, answer))}"
    else:
        which, kind = "[0]", f"a {type(answer).__name__}"
    return f"gives {kind}, not logits: wrap it in a module whose forward returns net(x){which}"
