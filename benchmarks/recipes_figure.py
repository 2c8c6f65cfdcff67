"""Gain in accuracy of each recipe over ``paper``, beside what its training costs.

    python benchmarks/recipes_figure.py docs/results/recipes.jsonl docs/images/recipes.png

Prints the means over the split points of each condition (docs/recipes.md) and draws them.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean

import matplotlib.pyplot as plt

MARKS = "os^Dv*"
Gain = tuple[float, float]  # points of accuracy, epochs of training the unsplit net


def gains(lines: Path) -> dict[str, dict[str, list[Gain]]]:
    """By recipe and condition, of each split point: gain over ``paper``, and cost."""
    rows = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    papers = {(r["condition"], r["point"]): r for r in rows if r["recipe"] == "paper"}
    found: dict[str, dict[str, list[Gain]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if (paper := papers.get((row["condition"], row["point"]))) is not None:
            gain = 100 * (row["after_finetune"] - paper["after_finetune"])
            cost = row["epochs_of_the_unsplit_net"]
            found[row["recipe"]][row["condition"]].append((gain, cost))
    return found


def main() -> None:
    """Print and draw."""
    lines, picture = map(Path, sys.argv[1:])
    found = gains(lines)
    conditions = sorted({name for of in found.values() for name in of})
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    print("| recipe | condition | points | mean gain | lowest | cost |\n" + "| --- " * 6 + "|")
    for number, (recipe, of) in enumerate(found.items()):
        for condition, pairs in of.items():
            gain, cost = map(mean, zip(*pairs, strict=True))
            lowest = min(g for g, _ in pairs)
            numbers = f"{len(pairs)} | {gain:+.1f} | {lowest:+.1f} | {cost:.1f}"
            print(f"| `{recipe}` | {condition} | {numbers} |")
            mark, first = MARKS[conditions.index(condition)], condition == next(iter(of))
            label = recipe if first else None
            axes.plot(cost, gain, mark, color=f"C{number}", markersize=8, label=label)
    for mark, condition in zip(MARKS, conditions, strict=False):
        axes.plot([], [], mark, color="0.5", label=condition)
    axes.set_xlabel("cost of training the split, epochs of training the unsplit net")
    axes.set_ylabel("gain over paper, points of accuracy")
    axes.set_title("What a recipe gains and costs, mean over the points of a condition")
    axes.grid(alpha=0.3)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.savefig(picture, dpi=120)


if __name__ == "__main__":
    main()
