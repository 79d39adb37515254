"""What an editor asks of a document: one module for each feature, functions from a document and a place to
values.

Places are byte offsets and spans; nothing here knows the protocol, files or settings. Feature modules read
models and never change them.
"""
