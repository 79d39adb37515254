"""One module per step type. `HANDLERS` names those that run here."""

from .base import StepContext, StepFailure, StepHandler, StepResult, StepStoppedError
from .condition import run_condition, run_fail
from .jobs import run_processing, run_training
from .model import run_model, run_register_model

HANDLERS: dict[str, StepHandler] = {
    "Condition": run_condition,
    "Fail": run_fail,
    "Model": run_model,
    "Processing": run_processing,
    "RegisterModel": run_register_model,
    "Training": run_training,
}

__all__ = ["HANDLERS", "StepContext", "StepFailure", "StepHandler", "StepResult", "StepStoppedError"]
