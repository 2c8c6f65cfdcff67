"""The frozen payloads decode to what is written beside them; ours are encoded to the same bytes."""

import json
from pathlib import Path

import numpy as np
import pytest

from isplit.codec import CODECS, bound_codec, from_config, load_profile

FOLDER = Path(__file__).parents[2] / "vectors"
STEMS = sorted(path.with_suffix("") for path in FOLDER.glob("*/*.bin"))
LIBRARIES = ("zlib", "zstd", "lz4", "blosc2", "pcodec", "jpeg")  # another version, other bytes
JPEG_TOLERANCE = 2  # decoders may round differently


def test_every_codec_has_vectors():
    assert {stem.parent.name for stem in STEMS} == set(CODECS)


@pytest.mark.parametrize("stem", STEMS, ids=lambda stem: f"{stem.parent.name}-{stem.name}")
def test_vector(stem, tmp_path):
    vector = json.loads(stem.with_suffix(".json").read_text())
    codec = from_config(vector["config"])
    if vector["profile"]:
        text = json.dumps(vector["profile"], sort_keys=True, indent=1) + "\n"
        (tmp_path / "codec.json").write_text(text)
        codec = bound_codec(load_profile(tmp_path / "codec.json"))
        assert codec.profile.digest.hex() == vector["digest"]
    payload = stem.with_suffix(".bin").read_bytes()
    decoded = codec.decode([payload])[0]
    expected = np.array(vector["decoded"], decoded.dtype).reshape(vector["shape"])
    tolerance = JPEG_TOLERANCE if vector["config"]["name"] == "jpeg" else 0
    np.testing.assert_allclose(decoded, expected, rtol=0, atol=tolerance)
    if vector["config"]["name"] not in LIBRARIES:
        features = np.array(vector["features"], np.float32).reshape(1, *vector["shape"])
        assert codec.encode(features) == [payload]
