"""Takes waste out of the SDK's start and compile, without changing what any call returns.

Measured on SDK 2.257.7 (shares of `import sagemaker`): four fifths of a compile are 76 checks of one constant
JSON schema against its meta-schema; a quarter of the import is a JumpStart session that no pipeline uses, a
fifth the garbage collector looking at modules and shapes that live until the end.
"""

import gc
import sys

from .imports import after_import, around_import


def install():
    _relax_collector()
    after_import("botocore.loaders", _share_service_models)
    for package in ("sagemaker", "sagemaker.core"):
        after_import(package + ".config.config", _check_configuration_only)
        after_import(package + ".config.config_manager", _check_configuration_only)
    after_import("sagemaker.session", _defer_jumpstart_session)
    for name in ("sagemaker_core.main.shapes", "sagemaker.core.shapes.shapes"):
        around_import(name, _DeferredModels)


def _relax_collector():
    """Collect when a hundred times as many objects came up as Python waits for by default."""
    gc.set_threshold(70000, 20, 20)


def _share_service_models(module):
    """Each boto3 session parses botocore's service models anew; the SDK makes four of them."""
    loader_class = module.JSONFileLoader
    load_file = loader_class.load_file
    loaded = {}

    def load_file_once(self, file_path):
        if type(self) is not loader_class:
            return load_file(self, file_path)
        if file_path not in loaded:
            loaded[file_path] = load_file(self, file_path)
        return loaded[file_path]

    loader_class.load_file = load_file_once


def _check_configuration_only(module):
    """`jsonschema.validate` without the check of the SDK's own, constant schema against its meta-schema."""
    jsonschema = getattr(module, "jsonschema", None)
    if jsonschema is None:
        return

    class ConfigurationCheck:
        def __getattr__(self, name):
            return getattr(jsonschema, name)

        @staticmethod
        def validate(instance, schema, *rest, **named):
            if rest or named:
                return jsonschema.validate(instance, schema, *rest, **named)
            validator = jsonschema.validators.validator_for(schema)(schema)
            error = jsonschema.exceptions.best_match(validator.iter_errors(instance))
            if error is not None:
                raise error

    module.jsonschema = ConfigurationCheck()


def _defer_jumpstart_session(module):
    """`sagemaker.jumpstart.constants` makes a session at import; make it when it is first looked at."""
    session_class = module.Session
    initialise = session_class.__init__

    class DeferredSession(session_class):
        def __getattribute__(self, name):
            if name == "__class__":
                return session_class
            arguments, named = object.__getattribute__(self, "_deferred")
            object.__setattr__(self, "__class__", session_class)
            del self._deferred
            initialise(self, *arguments, **named)
            return getattr(self, name)

    def deferring_init(self, *arguments, **named):
        caller = sys._getframe(1).f_globals.get("__name__")
        if caller == "sagemaker.jumpstart.constants" and type(self) is session_class:
            self._deferred = (arguments, named)
            self.__class__ = DeferredSession
        else:
            initialise(self, *arguments, **named)

    deferring_init.__wrapped__ = initialise
    deferring_init.__doc__ = initialise.__doc__
    session_class.__init__ = deferring_init


class _DeferredModels:
    """Pydantic builds the validator of each of the SDK's thousand request shapes when it is first used."""

    def __enter__(self):
        import pydantic

        self._pydantic, self._original = pydantic, pydantic.ConfigDict

        def config_dict(*arguments, **named):
            named.setdefault("defer_build", True)
            return self._original(*arguments, **named)

        pydantic.ConfigDict = config_dict

    def __exit__(self, *error):
        self._pydantic.ConfigDict = self._original
