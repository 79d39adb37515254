"""S3 on the wire, over the local store."""

from .api import S3Api

__all__ = ["S3Api"]
