"""How the levels of one sample lie: what every coder of levels is told.

Legend: C channels, M elements of a channel, W of its last dimension.
"""

import math
from dataclasses import dataclass

from isplit.codec.tables import Tables


@dataclass(frozen=True)
class Form:
    """Geometry and meaning of a sample's levels.

    Attributes:
        shape: of the sample; its first dimension holds the channels.
        bits: of a level.
        tables: of probabilities that both sides hold; None: they travel.
        library: name of the library that codes, where one does.
        effort: of the library; None: its usual one.
    """

    shape: tuple[int, ...]
    bits: int
    tables: Tables | None = None
    library: str = ""
    effort: int | None = None

    @property
    def channels(self) -> int:
        """C; one where the sample has no dimension."""
        return self.shape[0] if self.shape else 1

    @property
    def columns(self) -> int:
        """W; one where a channel has one element."""
        return self.shape[-1] if len(self.shape) > 1 else 1

    @property
    def plane(self) -> tuple[int, int]:
        """(C, M), as coders see the levels."""
        return self.channels, math.prod(self.shape[1:])

    @property
    def count(self) -> int:
        """C * M."""
        return math.prod(self.shape)

    @property
    def packed_bytes(self) -> int:
        """What plain packing takes; nothing is ever larger."""
        return (self.count * self.bits + 7) // 8
