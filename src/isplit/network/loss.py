"""Which packets are lost: independently, or in bursts (Gilbert-Elliott)."""

from __future__ import annotations

import numpy as np


class Losses:
    """A stream of fates, one per packet; the mean loss rate is ``loss`` either way.

    Without ``burst_packets`` each packet is lost independently. With it, a good and a bad state
    take turns (Gilbert 1960): all packets of a bad state are lost, it lasts ``burst_packets``
    on average, and the good state lasts long enough to keep the mean.
    """

    def __init__(self, loss: float, burst_packets: float | None, rng: np.random.Generator) -> None:
        self.loss, self.rng = loss, rng
        self.recover = 1.0 if burst_packets is None else 1.0 / burst_packets
        self.fail = self.recover * loss / (1 - loss)
        self.bursts = burst_packets is not None
        self.bad = self.bursts and rng.random() < loss

    def next(self) -> bool:
        """Whether the next packet is lost."""
        if not self.loss:
            return False
        if not self.bursts:
            return bool(self.rng.random() < self.loss)
        lost = self.bad
        self.bad = self.rng.random() < (1 - self.recover if lost else self.fail)
        return lost
