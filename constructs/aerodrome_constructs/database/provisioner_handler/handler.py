"""The function's entry point."""

import logging
import traceback
from collections.abc import Mapping
from typing import Any, Protocol

from aerodrome_constructs.database.provisioner_handler import credentials, databases, response
from aerodrome_constructs.database.provisioner_handler.connection import open_connection
from aerodrome_constructs.database.provisioner_handler.deadline import Deadline
from aerodrome_constructs.database.provisioner_handler.errors import DatabaseTaskError
from aerodrome_constructs.database.provisioner_handler.request import dropped, parse

logger = logging.getLogger(__name__)

# Left for the answer to CloudFormation, with its retries, of the time that Lambda gives the function.
ANSWER_SECONDS = 15.0


class Context(Protocol):
    """What Lambda tells of the invocation."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the function."""


def handle(event: Mapping[str, Any], context: Context) -> None:
    """Answer one request of CloudFormation.

    Create and Update make what the properties name. Delete leaves every database as it is: what they hold is not the
    stack's to delete. Whatever happens, CloudFormation gets an answer.
    """
    logging.getLogger().setLevel(logging.INFO)
    left = context.get_remaining_time_in_millis() / 1000
    logger.info("%s of %s", event["RequestType"], event["LogicalResourceId"])
    reason: str | None = None
    data: dict[str, str] = {}
    try:
        if event["RequestType"] == "Delete":
            logger.info("databases are kept: %s", ", ".join(dropped({}, event["ResourceProperties"])))
        else:
            data = _provision(event, Deadline.after(left - ANSWER_SECONDS))
    except DatabaseTaskError as error:
        logger.error("%s", error)  # noqa: TRY400 - a person can mend it: no traceback
        reason = str(error)
    except Exception as error:  # noqa: BLE001 - CloudFormation must get an answer
        # Where it happened, not what it says: the message of an error that nobody foresaw might show anything.
        where = "".join(traceback.format_tb(error.__traceback__))
        logger.error("unforeseen %s:\n%s", type(error).__name__, where)  # noqa: TRY400 - see above
        reason = f"the function failed with {type(error).__name__}: see its log"
    left = context.get_remaining_time_in_millis() / 1000
    response.send(event, reason=reason, data=data, deadline=Deadline.after(left - 1))


def _provision(event: Mapping[str, Any], deadline: Deadline) -> dict[str, str]:
    properties = event["ResourceProperties"]
    request = parse(properties)
    if kept := dropped(properties, event.get("OldResourceProperties", {})):
        logger.info("no longer managed, and kept with all they hold: %s", ", ".join(kept))
    secrets_manager = credentials.client()
    master = credentials.read(secrets_manager, request.master_secret_arn)
    # All secrets first: one that cannot be read stops the run before it has changed anything.
    users = [(client, credentials.read(secrets_manager, client.secret_arn)) for client in request.clients]
    connection = open_connection(request.host, request.port, master, deadline)
    with databases.exclusive(connection, deadline):
        databases.close_to_the_public(connection)
        for client, user in users:
            databases.provision(connection, master.username, client, user)
    return {"Databases": ",".join(client.database for client in request.clients)}
