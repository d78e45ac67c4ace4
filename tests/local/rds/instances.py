"""DB instances as the tests handle them."""

from collections.abc import Callable
from typing import Any

import pg8000.native

MASTER = "platform"
PASSWORD = "0123456789abcdefABCDEF"

Instance = dict[str, Any]
Make = Callable[..., Instance]
Connect = Callable[..., pg8000.native.Connection]
WaitForStatus = Callable[[str, str], Instance]
