"""What was changed in the modules of others, and how to put it back.

A program's process ends with its changes; a notebook's kernel lives on when the local service is closed.
"""

_changed = []  # (owner, name, its own value before or _ABSENT), in order
_ABSENT = object()


def replace(owner, name, value):
    """`setattr(owner, name, value)`, until `undo`."""
    _changed.append((owner, name, vars(owner).get(name, _ABSENT)))
    setattr(owner, name, value)


def undo():
    """Put everything back, the last change first."""
    while _changed:
        owner, name, before = _changed.pop()
        if before is _ABSENT:
            delattr(owner, name)
        else:
            setattr(owner, name, before)
