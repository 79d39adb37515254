"""The local S3 store: objects are plain files."""

from .keys import Address, parse_uri
from .metadata import Details
from .objects import Incoming, ObjectInfo, ObjectStore

__all__ = ["Address", "Details", "Incoming", "ObjectInfo", "ObjectStore", "parse_uri"]
