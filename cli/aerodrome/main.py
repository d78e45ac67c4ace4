"""The ``aerodrome`` command. Each verb is a module; this one gives them their names."""

import typer

from aerodrome import local
from aerodrome.check import check
from aerodrome.try_out.command import try_out

app = typer.Typer(
    name="aerodrome",
    help="Runs an ML platform on AWS: checks what a team decides, and tries it out without an AWS account.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("try")(try_out)
app.command("check")(check)
app.add_typer(local.app)


def main() -> None:
    """Run the command."""
    app()
