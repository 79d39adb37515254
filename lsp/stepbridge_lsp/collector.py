"""Python's cyclic garbage collector, set for a process that analyses texts again and again.

An analysis makes some ten thousand objects that point at each other, and lets them go all at once. With the
default thresholds the collector walks the living ones a hundred times while they are made, a third of all
time. So it is kept quiet while something is answered, and asked to work when nobody waits.
"""

from __future__ import annotations

import gc

_THRESHOLDS = (400_000, 20, 50)
_WORTH = 60_000


def calm() -> None:
    """Collect rarely, and never look again at what is loaded by now (modules, catalogs)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


def sweep() -> None:
    """Collect what has gathered; to be called when an answer is out and nobody waits for the next."""
    if gc.get_count()[0] > _WORTH:
        gc.collect(1)
