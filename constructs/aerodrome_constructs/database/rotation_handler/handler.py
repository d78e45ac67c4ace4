"""The function's entry point."""

import logging
import traceback
from collections.abc import Mapping
from typing import Any, Protocol

from aerodrome_constructs.database.provisioner_handler import credentials
from aerodrome_constructs.database.provisioner_handler.deadline import Deadline
from aerodrome_constructs.database.provisioner_handler.errors import DatabaseTaskError
from aerodrome_constructs.database.rotation_handler.steps import STEPS
from aerodrome_constructs.database.rotation_handler.versions import Versions

logger = logging.getLogger(__name__)

# Left of the time that Lambda gives the function, so that it can say what it waited for.
_MARGIN_SECONDS = 5.0


class Context(Protocol):
    """What Lambda tells of the invocation."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""


def handle(event: Mapping[str, Any], context: Context) -> None:
    """Do one step of a rotation for Secrets Manager.

    Raises:
        DatabaseTaskError: It was not done. Secrets Manager records the message and begins with the first step again.
    """
    logging.getLogger().setLevel(logging.INFO)
    step, secret_id, token = str(event["Step"]), str(event["SecretId"]), str(event["ClientRequestToken"])
    logger.info("%s of %s", step, secret_id)
    if step not in STEPS:
        raise DatabaseTaskError(f"{step!r} is no step of a rotation; those are {', '.join(STEPS)}")
    deadline = Deadline.after(context.get_remaining_time_in_millis() / 1000 - _MARGIN_SECONDS)
    versions = Versions(credentials.client(), secret_id, token)
    try:
        if versions.is_done():
            logger.info("version %s is current already", token)
        else:
            STEPS[step](versions, deadline)
    except DatabaseTaskError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is must not show what it holds
        # Where it happened, not what it says: the message of an error that nobody foresaw might show anything.
        where = "".join(traceback.format_tb(error.__traceback__))
        logger.error("unforeseen %s:\n%s", type(error).__name__, where)  # noqa: TRY400 - see above
        raise DatabaseTaskError(f"{step} failed with {type(error).__name__}: see the function's log") from None
