"""The hook into every Python process of a step: this folder is on its PYTHONPATH, so `site` imports it.

It runs the sitecustomize that it shadows, then lets `startup` look whether this process is to be debugged.
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

startup.run("sitecustomize", _here)
