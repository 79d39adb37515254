"""Calls us when a module has been imported, without importing it ourselves.

One finder at the head of `sys.meta_path`: it lets the others find the module, and runs our callback when the
module's own code has run. A callback that fails is reported and changes nothing else.
"""

import sys

_before = {}
_after = {}


def after_import(name, callback):
    """Call `callback(module)` once `name` has been imported; at once where it is already."""
    module = sys.modules.get(name)
    if module is not None:
        _call(callback, module)
        return
    _after.setdefault(name, []).append(callback)


def around_import(name, context):
    """Run the code of module `name` inside `context()`, a context manager."""
    if name not in sys.modules:
        _before.setdefault(name, []).append(context)


def install():
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def uninstall():
    """Forget what has not been imported yet."""
    _before.clear()
    _after.clear()
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]


def _call(callback, module):
    try:
        callback(module)
    except Exception as error:
        sys.stderr.write(
            "stepbridge: {} for {} failed: {!r}\n".format(callback.__name__, module.__name__, error)
        )


class _Finder:
    def find_spec(self, name, path=None, target=None):
        if name not in _after and name not in _before:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                if hasattr(spec.loader, "exec_module"):
                    spec.loader = _Loader(spec.loader)
                return spec
        return None

    def invalidate_caches(self):
        """Nothing is kept."""


class _Loader:
    """The module's own loader, plus our callbacks. It steps aside before the module's code runs."""

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        name = module.__name__
        module.__loader__ = module.__spec__.loader = self._loader
        contexts = [make() for make in _before.pop(name, ())]
        for context in contexts:
            context.__enter__()
        try:
            self._loader.exec_module(module)
        finally:
            for context in reversed(contexts):
                context.__exit__(None, None, None)
        for callback in _after.pop(name, ()):
            _call(callback, module)
