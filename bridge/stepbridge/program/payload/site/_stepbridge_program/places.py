"""Whose file is it? The user's own, the SDK's, some other library's, the standard library's, or ours."""

import os
import sys

USER, SDK, LIBRARY, STANDARD, IMPORT, OURS, UNKNOWN = range(7)

OURS_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_STANDARD_FOLDER = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
_PACKAGES = (os.sep + "site-packages" + os.sep, os.sep + "dist-packages" + os.sep)
_SDK_PACKAGES = ("sagemaker", "boto3", "botocore", "s3transfer", "awscli")
_IMPORT_MODULES = ("runpy.py", "linecache.py", "tokenize.py", "pkgutil.py", "inspect.py", "importlib")
_IMPORT_PACKAGES = ("importlib_metadata", "importlib_resources", "pkg_resources", "setuptools", "zipp")
_known = {}


def kind(filename):
    """One of the constants above for a file name as code objects carry it."""
    found = _known.get(filename)
    if found is None:
        found = _known[filename] = _kind(filename)
    return found


def _kind(filename):
    if filename.startswith("<"):
        return IMPORT if filename.startswith("<frozen importlib") or "zipimport" in filename else UNKNOWN
    for folder in _PACKAGES:
        if folder in filename:
            package = filename.rpartition(folder)[2].partition(os.sep)[0]
            if package in _IMPORT_PACKAGES:
                return IMPORT
            return SDK if package.startswith(_SDK_PACKAGES) else LIBRARY
    if filename.startswith(OURS_FOLDER):
        return OURS
    if filename.startswith(_STANDARD_FOLDER):
        name = filename[len(_STANDARD_FOLDER) :].partition(os.sep)[0]
        return IMPORT if name in _IMPORT_MODULES else STANDARD
    return USER


def actor(frame):
    """Who acts in `frame`: USER or SDK, whichever is nearest; IMPORT where Python itself loads code."""
    while frame is not None:
        found = kind(frame.f_code.co_filename)
        if found in (USER, SDK, IMPORT):
            return found
        frame = frame.f_back
    return UNKNOWN


def is_user_file(filename):
    return bool(filename) and kind(os.path.abspath(filename)) == USER


def interpreter():
    return {"executable": sys.executable, "version": sys.version.split()[0], "prefix": sys.prefix}
