from fuzz_codec import attack


def test_short_attack():
    counts = attack(payloads=4000, flips=2000, seed=0)
    assert counts["rejected"] + counts["decoded"] == 4000
    assert counts["rejected"] > 1000
    assert counts["decoded"] > 400
    assert counts["flips rejected"] == 2000
