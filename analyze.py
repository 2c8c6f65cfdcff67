"""Say what the runs of train.py mean together: see conf/analyze.yaml."""

import sys

from isplit.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["analyze", *sys.argv[1:]]))
