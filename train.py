"""Choose a split point, train the bottleneck there, say what it costs: see conf/train.yaml."""

import sys

from isplit.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
