"""What earlier trainings say about the loss behind a predictor's value: numbers in a file."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("constants.json")


@dataclass(frozen=True)
class Constants:
    """Of one predictor; the loss of accuracy is a difference of log-odds (docs/search.md).

    Attributes:
        offset: mean loss where the predictor sees none; ``offset_sd``: over conditions.
        scale: mean loss at a divergence of one; ``scale_sd``: over conditions, relative.
        power: of the divergence.
        residual: deviation of single points from the line at no expected loss.
        growth: how much this deviation grows with the loss that is expected.
        noise: variance of one training's accuracy, in binomial variances of its test images.
        widening: factor on all deviations, from conditions that the constants were not fitted on.
    """

    offset: float
    offset_sd: float
    scale: float
    scale_sd: float
    power: float
    residual: float
    growth: float
    noise: float
    widening: float


def constants_of(kind: str) -> Constants:
    """The constants that ship for a predictor.

    Raises:
        ValueError: there are none.
    """
    known = _file()["predictors"]
    if kind not in known:
        raise ValueError(f"split.kind={kind!r}: a search knows {', '.join(known)}")
    return Constants(**known[kind])


@cache
def _file() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return content
