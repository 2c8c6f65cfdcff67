"""The room where nothing but numpy is installed: it imports, and writes the same bytes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import isplit.codec
from isplit.codec import from_config
from isplit.codec.compiled import COMPILED

ASK = """
import sys
import numpy as np
from isplit.codec import bound_codec, calibrate, from_config
from isplit.codec.compiled import COMPILED
assert not COMPILED
features = np.load(sys.argv[1])
for name in ("plain", "quantize", "rle", "zlib", "ans"):
    codec = from_config({"name": name})
    for each in (codec, bound_codec(calibrate(codec, features))):
        payloads = each.encode(features)
        print(name, b"".join(payloads).hex(), each.decode(payloads).tobytes().hex())
loaded = {name.split(".")[0] for name in sys.modules}
print(sorted(loaded & {"torch", "numba", "scipy", "lightning", "hydra", "PIL", "zstandard"}))
for missing in ("zstd", "lz4", "blosc2", "pcodec"):
    try:
        from_config({"name": missing}).encode(features)
    except ModuleNotFoundError as error:
        print(error)
"""


@pytest.fixture
def alone(tmp_path):
    """A folder of packages with numpy and the room in it, and an interpreter that sees no other."""
    packages = tmp_path / "packages"
    (packages / "isplit").mkdir(parents=True)
    site = Path(np.__file__).parents[1]
    for folder in (site / "numpy", site / "numpy.libs"):
        if folder.exists():
            (packages / folder.name).symlink_to(folder)
    (packages / "isplit" / "codec").symlink_to(Path(isplit.codec.__file__).parent)
    start = f"import sys; sys.path.insert(0, {str(packages)!r}); "
    return lambda code, *arguments: subprocess.run(
        [sys.executable, "-I", "-S", "-c", start + code, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_same_bytes_with_numpy_alone(alone, tmp_path):
    features = np.maximum(np.random.default_rng(0).normal(size=(2, 18, 11, 12)), 0)
    np.save(tmp_path / "features.npy", features.astype(np.float32))
    answer = alone(ASK, str(tmp_path / "features.npy"))
    assert not answer.stderr
    *lines, loaded, zstd, lz4, blosc2, pcodec = answer.stdout.splitlines()
    assert loaded == "[]"
    for name, line in zip(
        ("zstd", "lz4", "blosc2", "pcodec"), (zstd, lz4, blosc2, pcodec), strict=True
    ):
        assert line == f"codec={name} needs a library: pip install isplit[codecs]"
    if COMPILED:
        assert lines == list(compiled_answers(features.astype(np.float32)))


def compiled_answers(features):
    for name in ("plain", "quantize", "rle", "zlib", "ans"):
        codec = from_config({"name": name})
        for each in (codec, isplit.codec.bound_codec(isplit.codec.calibrate(codec, features))):
            payloads = each.encode(features)
            yield f"{name} {b''.join(payloads).hex()} {each.decode(payloads).tobytes().hex()}"
