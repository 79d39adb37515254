"""Texts that may hold pipelines, read into the one model of `stepbridge_lsp.model`."""
