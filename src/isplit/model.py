"""The model in two parts with the bottleneck between them, and tensors as bytes."""

from collections.abc import Mapping

import safetensors.torch
import torch
from torch import Tensor, nn

from isplit.bottleneck import Bottleneck


class SplitModel(nn.Module):
    """Head and encoder on the device, decoder and tail on the server.

    ::

        device:  image (N,3,S,S) -> head -> features -> bottleneck.encoder -> code
        server:  code -> bottleneck.decoder -> features -> tail -> logits (N, classes)
    """

    def __init__(self, head: nn.Module, bottleneck: Bottleneck, tail: nn.Module) -> None:
        super().__init__()
        self.head = head
        self.bottleneck = bottleneck
        self.tail = tail

    def encode(self, images: Tensor) -> Tensor:
        """The code of each image: what travels from the device to the server."""
        code: Tensor = self.bottleneck.encoder(self.head(images))
        return code

    def decode(self, code: Tensor) -> Tensor:
        """Logits (N, classes), from the code alone."""
        logits: Tensor = self.tail(self.bottleneck.decoder(code))
        return logits

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of the whole way."""
        return self.decode(self.encode(images))


def as_safetensors(state: Mapping[str, Tensor]) -> bytes:
    """The content of a safetensors file; tied tensors are in it under each of their names."""
    copies = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in state.items()
    }
    return safetensors.torch.save(copies)  # save_file lets nobody else read
