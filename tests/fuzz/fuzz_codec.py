"""Attack every decoder: whatever the bytes, a tensor within the limit or PayloadError.

    python tests/fuzz/fuzz_codec.py                              # the long run
    python tests/fuzz/fuzz_codec.py --payloads 5000 --flips 2000 --seed 7

Payloads of every codec in both forms are replaced by noise, changed, cut, lengthened, and given
headers that promise other shapes; in most of them the checksum is made right again, so that the
bytes reach the coder behind it. A flipped bit (checksum left alone) must always be noticed.
"""

import argparse
import collections
import random
import time
import tracemalloc
import zlib

import numpy as np

from isplit.codec import CODECS, PayloadError, bound_codec, calibrate, from_config
from isplit.codec.payload import MAGIC, VERSION, varints

LIMIT_BYTES = 1 << 18
BESIDES_BYTES = 1 << 20  # libraries have buffers of their own, whatever the size of the tensor
SHAPE = (6, 5, 3)
CHANNELS = {"name": "ans", "bits": 2, "context": "channels"}
SETTINGS = ({"bits": 1}, {"bits": 4, "delta": "columns"}, {"bits": 8, "per": "channel"})


def targets():
    """[(codec, valid payload)]: every codec, both forms."""
    dice = np.random.default_rng(0)
    images = np.maximum(dice.normal(size=(4, *SHAPE)) * 40, 0).astype(np.uint8)
    found = []
    for name in CODECS:
        for settings in [{}] if name in ("plain", "jpeg") else SETTINGS:
            codec = from_config({"name": name, **settings})
            batch = images[:, :3] if name == "jpeg" else images
            for each in (codec, bound_codec(calibrate(codec, batch))):
                found += [(each, payload) for payload in each.encode(batch)]
    codec = bound_codec(calibrate(from_config(CHANNELS), images))
    found += [(codec, payload) for payload in codec.encode(images)]
    return found


def attacked(codec, payload, dice):
    """A hostile payload; those that begin with a right checksum end with one in most cases."""
    kind = dice.choice(["noise", "changed", "changed", "cut", "longer", "header"])
    content = bytearray(payload[:-4])
    if kind == "noise":
        content[4 if codec.profile else 6 :] = dice.randbytes(dice.randrange(80))
    elif kind == "changed":
        for _ in range(dice.randint(1, 6)):
            content[dice.randrange(len(content))] = dice.randrange(256)
    elif kind == "cut":
        del content[dice.randrange(len(content)) :]
    elif kind == "longer":
        content += dice.randbytes(dice.randint(1, 40))
    elif codec.profile is None:
        sizes = [dice.choice([0, 1, 3, 200, 70000, 2**31, 2**34]) for _ in range(dice.randrange(8))]
        kinds = bytes([VERSION, dice.randrange(12), content[4] if dice.random() < 0.8 else 255])
        body = bytes(content[-dice.randint(1, 60) :])
        rest = bytes([len(sizes) | content[5] & 240]) + varints([*sizes, len(body)])
        content = bytearray(MAGIC + kinds + rest + body)
    key = codec.profile.digest if codec.profile else b""
    if dice.random() < 0.9:
        return bytes(content) + zlib.crc32(content, zlib.crc32(key)).to_bytes(4, "little")
    return bytes(content) + dice.randbytes(dice.randrange(5))


def attack(payloads, flips, seed):
    """How many hostile payloads were rejected and decoded; AssertionError where one got through."""
    dice, known = random.Random(seed), targets()
    counts = collections.Counter()
    for number in range(payloads):
        codec, payload = dice.choice(known)
        hostile = attacked(codec, payload, dice)
        watched = number % 50 == 0
        if watched:
            tracemalloc.start()
        counts[outcome(codec, hostile)] += 1
        if watched:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert peak <= 4 * LIMIT_BYTES + BESIDES_BYTES, (peak, codec, hostile.hex())
    for _ in range(flips):
        codec, payload = dice.choice(known)
        place = dice.randrange(8 * len(payload))
        flipped = bytearray(payload)
        flipped[place // 8] ^= 1 << place % 8
        assert outcome(codec, flipped) == "rejected", (codec, place, payload.hex())
        counts["flips rejected"] += 1
    return counts


def outcome(codec, hostile):
    try:
        decoded = codec.decode([hostile], limit_bytes=LIMIT_BYTES)
    except PayloadError:
        return "rejected"
    except BaseException as error:
        raise AssertionError(f"{codec} on {bytes(hostile).hex()}: {error!r}") from error
    assert 4 * decoded.size <= LIMIT_BYTES, (codec, hostile.hex())
    return "decoded"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--payloads", type=int, default=1_000_000)
    parser.add_argument("--flips", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.monotonic()
    found = attack(options.payloads, options.flips, options.seed)
    print(dict(found), f"{time.monotonic() - start:.0f} s")
