"""Engine.IO and Socket.IO, loaded without what is of their clients and of their servers for asyncio, which we are not.

The clients would load requests and websocket-client wherever Apprise or the tests have brought them: a seventh of what
a start of the web service costs. Asyncio takes a megabyte and a half.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Final

# None: not to be found. They name asyncio when they are loaded, and use it only in what we do not.
_UNUSED: Final = {"requests": None, "websocket": None, "asyncio": ModuleType("asyncio")}
_STOOD_IN: Final = {name: one for name, one in _UNUSED.items() if name not in sys.modules}

sys.modules.update(_STOOD_IN)  # type: ignore[arg-type]
try:
    import socketio  # noqa: F401  # with all of its parts, before Flask-SocketIO asks for it
    from engineio import packet  # type: ignore[import-untyped]  # no types
finally:
    for _name in _STOOD_IN:
        del sys.modules[_name]

__all__ = ["packet"]
