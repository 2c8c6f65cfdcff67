"""Which of several designs the next frame takes: the one that ``isplit.matching.match`` takes."""

from collections.abc import Sequence
from typing import Any

from isplit.matching import match
from isplit.requirements import Design, Requirement
from isplit_edge.expected import FIRST, WAIT, Expected, Way

MARGIN = 0.1  # by which another must be faster than the design in use
LONGEST_WAIT = 16 * WAIT  # frames, for one that was taken up and left again and again
TRY_EACH, SELDOM = 10, 40  # frames between those that try what a faster link would allow


class Choice:
    """Learns from frames, and says which design the next one takes.

    Another design than the one in use is taken when it has been better by ``MARGIN`` for ``WAIT``
    frames; each time that a design is left, it must wait twice as long to be taken again.

    Args:
        ways: designs; the first frames try them in this order.
        asked: what :func:`isplit.matching.match` holds them against.

    Attributes:
        used: the design in use; ``None``: not all are known yet.
        taken: the design of the last frame.
        why: it was taken.
    """

    def __init__(self, ways: Sequence[Way], asked: Requirement) -> None:
        self.ways, self.asked, self.expected = {way.name: way for way in ways}, asked, Expected()
        self.used: str | None = None
        self.taken, self.why, self._leader, self._leads = "", "", "", 0
        self._gap, self._try_at = TRY_EACH, 0

    def next(self) -> str:
        """The design of the next frame."""
        self.expected.number += 1
        if new := [way for way in self.ways.values() if len(way.first_s) < FIRST]:
            self.taken, self.why = new[0].name, "not known yet"
        else:
            self.taken, self.why = self._best()
            self._try()
        return self.taken

    def saw(self, name: str, device_s: float, *size_and_s: Any) -> None:
        """Note what a frame took: seconds here, bytes, seconds of link and server."""
        self.expected.take(self.ways[name], device_s, *size_and_s)

    def document(self) -> dict[str, Any]:
        """The choice, and how things are seen."""
        seen, known = self.expected, [way for way in self.ways.values() if way.newest]
        about = {"frame": seen.number, "design": self.taken, "why": self.why, "load": seen.load}
        about["rate_bit_s"] = 8 / seen.s_per_byte if seen.s_per_byte else None
        about["round_trip_s"] = seen.round_trip_s
        return about | {"p95_ms": {way.name: 1000 * seen.p95_s(way) for way in known}}

    def _best(self) -> tuple[str, str]:
        """The design in use, or another that has been better for long enough."""
        (best, *_), why = self._matched()
        self._leads = self._leads + 1 if best == self._leader else 1
        self._leader, left, wait = best, self.ways.get(self.used or ""), self.ways[best].wait
        if best == self.used:
            return best, why
        if left and self._leads < wait:
            return left.name, f"kept: {best} leads for {self._leads} of {wait} frames"
        if left:
            left.wait = min(2 * left.wait, LONGEST_WAIT)
        self.used, self._gap, self._try_at = best, TRY_EACH, self.expected.number + TRY_EACH
        return best, why

    def _try(self) -> None:
        """Now and then, a frame for what would be better if the link took no time."""
        if self.expected.number < self._try_at:
            return
        order, _ = self._matched(idle=True)
        better = [self.ways[name] for name in order[: order.index(self.taken)]]
        if better := [way for way in better if not way.local]:
            longest_ago = min(better, key=lambda way: way.newest[-1])
            self.taken, self.why = longest_ago.name, "tried: better on a faster link"
        self._gap = min(2 * self._gap, SELDOM)
        self._try_at = self.expected.number + self._gap

    def _matched(self, *, idle: bool = False) -> tuple[list[str], str]:
        """As ``match`` ranks them, the best first, and its sentence."""
        designs = []
        for way in self.ways.values():
            p95_ms = 1000 * self.expected.p95_s(way, idle=idle)
            p95_ms *= 1 - MARGIN * (way.name == self.used)
            scenario = "LC" if way.local else "SC"
            designs.append(Design(way.name, scenario, accuracy=way.accuracy, p95_ms=p95_ms))
        found = match(designs, self.asked)
        order = [*found.ranked, *(rejection.design for rejection in found.rejected)]
        return [design.name for design in order], found.sentence
