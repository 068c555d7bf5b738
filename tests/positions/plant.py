"""Plants faults into the mathematics of positions, one at a time, and tells whether their tests fail.

By hand, for the table of faults and the tests that caught them:  ./dev python tests/positions/plant.py
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from faults import FAULTS
from planting import tell

if __name__ == "__main__":
    tell(FAULTS, sys.argv[1:])
