"""The pipeline definition document: model, parameters, references, conditions, graph and rules.

Pure: no I/O, no botocore, nothing of this project but `stepbridge.errors`. The executor and the language
server both stand on it.
"""
