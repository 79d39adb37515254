"""One module per step type. `HANDLERS` names those that run here."""

from .base import Queues, Registry, StepContext, StepFailure, StepHandler, StepResult, StepStoppedError
from .callback import run_callback
from .condition import run_condition, run_fail
from .jobs import run_processing, run_training
from .lambda_ import run_lambda
from .model import run_model, run_register_model
from .transform import run_transform

HANDLERS: dict[str, StepHandler] = {
    "Callback": run_callback,
    "Condition": run_condition,
    "Fail": run_fail,
    "Lambda": run_lambda,
    "Model": run_model,
    "Processing": run_processing,
    "RegisterModel": run_register_model,
    "Training": run_training,
    "Transform": run_transform,
}

__all__ = [
    "HANDLERS",
    "Queues",
    "Registry",
    "StepContext",
    "StepFailure",
    "StepHandler",
    "StepResult",
    "StepStoppedError",
]
