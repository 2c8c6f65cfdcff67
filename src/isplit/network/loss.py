"""Which packets are lost: independently, or in bursts (Gilbert-Elliott)."""

from __future__ import annotations

import numpy as np


class Losses:
    """A stream of fates; the mean loss rate is ``loss`` either way.

    Without ``burst_packets`` each packet is lost independently. With it, a good and a bad state
    take turns (Gilbert 1960): what is sent in a bad state is lost, and a bad state lasts for
    ``burst_packets`` full packets on average. It passes with time, sent in or not, so that a
    sender that waits for a timeout does not find the same burst again.
    """

    def __init__(self, loss: float, burst_packets: float | None, rng: np.random.Generator) -> None:
        self.loss, self.rng = loss, rng
        # what a packet's fate tells of the next one: 1 - P(good to bad) - P(bad to good)
        self.memory = 1 - 1 / (burst_packets * (1 - loss)) if burst_packets else 0.0
        self.bad = bool(rng.random() < loss)

    def next(self, packets: float = 1.0) -> bool:
        """Whether a packet is lost that is sent ``packets`` full packets after the last one."""
        if not self.loss:
            return False
        chance = self.loss
        if self.memory:
            chance += (self.bad - self.loss) * self.memory**packets
        self.bad = bool(self.rng.random() < chance)
        return self.bad
