"""The obviously right versions of what the codecs do fast: strings of bits, one level at a time."""

import numpy as np


def bits_to_bytes(text: str) -> bytes:
    """A string of 0 and 1 as bytes, filled up with zeros."""
    text += "0" * (-len(text) % 8)
    return bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))


def packed(levels, bits: int) -> bytes:
    return bits_to_bytes("".join(f"{level:0{bits}b}" for level in levels.reshape(-1)))


def run_lengths(levels, bits: int) -> bytes:
    """The paper's codewords, section VI."""
    text, rest = "", list(levels.reshape(-1))
    while rest:
        run = 0
        while run < len(rest) and rest[run] == 0 and run < 2**bits:
            run += 1
        text += f"1{run - 1:0{bits}b}" if run else f"0{rest[0]:0{bits}b}"
        rest = rest[run or 1 :]
    return bits_to_bytes(text)


def rans_words(levels, tables, columns: int, states: int, prediction=None) -> bytes:
    """Duda's equations with Python's integers: C(x) = x // f * 2**14 + start + x % f."""
    channels, size = levels.shape
    group, bits = tables.group, tables.bits
    symbols = []  # (state, part, start) in the order of reading
    together = channels // states * states if states > 1 else 0
    order = [range(c, c + states) for c in range(0, together, states)]
    order += [range(c, c + 1) for c in range(together, channels)]
    for lanes in order:
        for first in range(0, size, group):
            for state, c in enumerate(lanes):
                if prediction:
                    context = _predicted(levels, c, first, columns, prediction)
                else:
                    context = _context(levels[c], first, columns, tables)
                row = tables.parts[c % len(tables.parts)][context]
                symbol = 0
                for i in range(first, first + group):
                    symbol = symbol * 2**bits + (int(levels[c][i]) if i < size else 0)
                symbols.append((state, int(row[symbol]), int(row[:symbol].sum())))
    x, words = [2**15] * states, []
    for state, part, start in reversed(symbols):
        if x[state] >= part * 2**17:
            words.append(x[state] % 2**16)
            x[state] //= 2**16
        x[state] = x[state] // part * 2**14 + start + x[state] % part
    for value in reversed(x):
        words += [value % 2**16, value // 2**16]
    return np.array(words[::-1], "<u2").tobytes()


def _context(line, first, columns, tables) -> int:
    before = int(line[first - 1]) if first else 0
    if first >= columns and first % columns == 0:
        before = int(line[first - columns])
    above = [i - columns for i in range(first, first + tables.group)]
    total = before * tables.group
    total += sum(int(line[i]) if 0 <= i < first else before for i in above)
    return int(tables.context[total])


def _predicted(levels, c, at, columns, prediction) -> int:
    left = levels[c][at - 1] if at % columns else 0
    above = levels[c][at - columns] if at >= columns else 0
    others = [levels[source][at] for source in prediction.sources[c]]
    terms = zip(prediction.weights[c].tolist(), map(int, [left, above, *others]), strict=True)
    total = int(prediction.offsets[c]) + sum(weight * level for weight, level in terms)
    return min(max(total // 256, 0), prediction.contexts - 1)
