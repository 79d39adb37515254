"""What handlers of framework images do for Mode MultiModel: find a model's script in its code folder."""

import sys

from sagemaker_inference.default_handler_service import DefaultHandlerService


class HandlerService(DefaultHandlerService):
    def initialize(self, context):
        sys.path.append(context.system_properties["model_dir"] + "/code")
        super().initialize(context)
