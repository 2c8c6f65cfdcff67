"""How the CUI is made: the choices that I-SPLIT leaves open."""

from dataclasses import dataclass
from typing import Literal, get_args, get_type_hints


@dataclass(frozen=True)
class CuiSettings:
    """How gradients and features become one number; the defaults are the published code's.

    Attributes:
        target: whose logit is explained: the true class's (``label``) or the predicted one's.
        channels: reduction over the channels of alpha * F (I-SPLIT Eq. 2).
        spatial: reduction over positions, of the gradient (Eq. 1) and of the map (the CUI).
        accumulate: ``deeper`` adds the maps of deeper points before the ReLU (Eq. 2 as printed).
        tap: ``point``: the tensor that crosses; ``pre_activation``: before its activation.
        precision: ``32``: the model as it is; ``bf16``: a copy in bfloat16, channels last.
    """

    target: Literal["label", "prediction"] = "label"
    channels: Literal["mean", "sum"] = "mean"
    spatial: Literal["mean", "sum"] = "mean"
    accumulate: Literal["none", "deeper"] = "none"
    tap: Literal["point", "pre_activation"] = "point"
    precision: Literal["32", "bf16"] = "32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "precision", str(self.precision))  # 32 typed as a number
        for key, choices in get_type_hints(type(self)).items():
            value = getattr(self, key)
            if value not in get_args(choices):
                known = ", ".join(get_args(choices))
                raise ValueError(f"split.cui.{key}={value!r} is not one of {known}")
