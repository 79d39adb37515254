"""The StepBridge language server: pipelines validated while they are typed."""
