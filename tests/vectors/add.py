"""Add frozen test vectors that are not there yet; existing files are never touched.

    python tests/vectors/add.py

Each is ``<codec>/NN.json`` (config, profile and its digest if the payload is bound, features and
what a decoder must give, as lists) and ``NN.bin`` (the payload).
"""

import json
from pathlib import Path

import numpy as np

from isplit.codec import CODECS, bound_codec, calibrate, from_config

HERE = Path(__file__).parent
LEVELS = [
    {"bits": 4},
    {"bits": 1},
    {"bits": 8, "per": "channel"},
    {"bits": 3, "delta": "columns"},
    {"bits": 2, "per": "channel", "range": "clip"},
]
LARGE = {"bits": 5}
"""With four states."""
CHANNELS = [{"bits": 2, "context": "channels"}, {**LARGE, "context": "channels"}]
OTHERS = {
    "ans": [*LEVELS, LARGE, *CHANNELS],
    "plain": [{"dtype": "float32"}, {"dtype": "float16"}, {"dtype": "bfloat16"}],
    "jpeg": [{"quality": 90}],
}


def features(shape, seed):
    """ReLU features with smooth channels of different size, in steps of 1/64."""
    dice = np.random.default_rng(seed)
    noise = dice.normal(size=shape).cumsum(-1) * np.arange(1, shape[1] + 1)[:, None, None]
    return (np.maximum(noise, 0) * 64).round().astype(np.float32) / 64


def main():
    for name in CODECS:
        number = 0
        for settings in OTHERS.get(name, LEVELS):
            for is_bound in (False, True):
                number += 1
                if settings in CHANNELS and not is_bound:
                    continue
                add(HERE / name / f"{number:02}", {"name": name, **settings}, is_bound)


def add(stem, config, is_bound):
    if stem.with_suffix(".bin").exists():
        return
    codec = from_config(config)
    sides = (40, 16) if config.get("bits") == LARGE["bits"] else (6, 7)
    channels = 10 if "context" in config else 5
    batch = features((9, channels, *sides), seed=int(stem.name))
    if config["name"] == "jpeg":
        batch = np.clip(batch[:, :3], 0, 255).astype(np.uint8)
    if is_bound:
        codec = bound_codec(calibrate(codec, batch[1:]))
    (payload,) = codec.encode(batch[:1])
    content = {
        "config": codec.get_config(),
        "profile": json.loads(codec.profile.to_json()) if is_bound else None,
        "digest": codec.profile.digest.hex() if is_bound else None,
        "shape": list(batch.shape[1:]),
        "features": batch[0].reshape(-1).tolist(),
        "decoded": codec.decode([payload])[0].reshape(-1).tolist(),
    }
    stem.parent.mkdir(exist_ok=True)
    stem.with_suffix(".json").write_text(json.dumps(content) + "\n")
    stem.with_suffix(".bin").write_bytes(payload)


if __name__ == "__main__":
    main()
