"""What conditions are called: their facts, and what tells them apart."""

import json
from collections.abc import Mapping, Sequence

from isplit.documents import flattened
from isplit.studies.run_folder import PLACES, STAGES, Run

APART = ("model", "data", "split.granularity", "bottleneck", "codec", "trainer.precision")
OF_STAGES = tuple(f"stage.{stage}" for stage in STAGES)
MOST_KEYS = 4  # in a name


def names_of(examples: Sequence[Run]) -> list[str]:
    """Unique names: the facts, and where those are not enough, the config keys that differ."""
    plain = [_in_words(facts(run)) for run in examples]
    flat = [flattened(run.config, ".") for run in examples]
    shown = []
    for name, own in zip(plain, flat, strict=True):
        twins = [other for other, same in zip(flat, plain, strict=True) if same == name]
        keys = [k for k in own if len({json.dumps(twin.get(k)) for twin in twins}) > 1]
        named = [k for k in keys if k.rpartition(".")[2] not in PLACES]
        apart = [k for k in named if k.startswith((*APART, *OF_STAGES))]
        said = apart or [k for k in keys if k == "data.root"]
        shown.append(", ".join([name, *(f"{k}={own[k]}" for k in said[:MOST_KEYS])]))
    return [name if shown.count(name) == 1 else f"{name} #{n}" for n, name in enumerate(shown, 1)]


def facts(run: Run) -> dict[str, str | int | float]:
    """What people know a condition by."""
    result, bottleneck = run.result, run.config["bottleneck"]
    elements = bottleneck.get("code_elements")
    size = {"code_elements": elements} if elements else {"rate": bottleneck["compression_rate"]}
    return {
        "model": result.model,
        "data": result.data,
        "classes": result.num_classes,
        **size,
        **({"codec": result.codec.name} if result.codec else {}),
        "seed": result.seed,
    }


def _in_words(known: Mapping[str, str | int | float]) -> str:
    size = f"rate {known['rate']}" if "rate" in known else f"code of {known['code_elements']}"
    size = "no bottleneck" if known.get("rate") == 0 else size
    data = f"{known['data']} ({known['classes']} classes)"
    codec = f", {known['codec']}" if "codec" in known else ""
    return f"{known['model']} on {data}, {size}{codec}, seed {known['seed']}"
