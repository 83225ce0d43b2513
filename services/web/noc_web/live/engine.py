"""Engine.IO's packets, loaded without its client, which we are not.

The client would load requests and websocket-client wherever Apprise or the tests have brought them: a seventh of what
a start of the web service costs.
"""

from __future__ import annotations

import sys
from typing import Final

_OF_THE_CLIENT: Final = [name for name in ("requests", "websocket") if name not in sys.modules]

# None: not to be found.
sys.modules.update(dict.fromkeys(_OF_THE_CLIENT))  # type: ignore[arg-type]
try:
    from engineio import packet  # type: ignore[import-untyped]  # no types
finally:
    for _name in _OF_THE_CLIENT:
        del sys.modules[_name]

__all__ = ["packet"]
