"""Where to cut an image classifier between a device and a server, and what it costs.

    ranking = isplit.rank(model, loader)
    split = isplit.split(model, ranking.best, rate=0.9)
    accuracy = split.fit(train_loader, val_loader)
    split.save("out")

torch is imported when one of the names is used: ``isplit.codec`` alone needs numpy.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isplit.library import Ranking, Split, load, rank, split

__all__ = ["Ranking", "Split", "load", "rank", "split"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'isplit' has no attribute {name!r}")
    from isplit import library

    return getattr(library, name)


def __dir__() -> list[str]:
    return [*__all__]
