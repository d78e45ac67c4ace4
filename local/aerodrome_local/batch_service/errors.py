"""The errors that the Batch API answers with."""


class ClientException(Exception):  # noqa: N818 - the name that AWS gives it
    """The request is wrong: ``ClientException`` in boto3.

    Args:
        message: What is wrong.
        status: HTTP's.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class ServerException(Exception):  # noqa: N818 - the name that AWS gives it
    """The request is right but cannot be served here: HTTP 500, and ``ServerException`` in boto3."""


class TooManyRequestsException(Exception):  # noqa: N818 - the name that AWS gives it
    """The account calls too often: HTTP 429.

    The API's model does not list it, but that is what AWS Batch answers with, and what SDKs retry by its name.
    """
