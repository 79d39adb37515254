"""The second hook: `site` imports this file after sitecustomize, also where the user's own sitecustomize
comes first on the path (sagemaker-training puts /opt/ml/code there) and hides ours.
"""

import os
import sys

_here = os.path.dirname(os.path.abspath(__file__))
_payload = os.path.dirname(_here)
sys.path.insert(0, _payload)
try:
    from stepbridge_payload import startup
finally:
    sys.path.remove(_payload)

startup.run("usercustomize", _here)
