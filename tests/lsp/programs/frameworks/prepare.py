# ruff: noqa
"""A script of a step."""
