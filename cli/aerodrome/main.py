"""The ``aerodrome`` command. Each verb is a module; this one gives them their names."""

import typer

from aerodrome.check import check

app = typer.Typer(
    name="aerodrome",
    help="Runs an ML platform on AWS: checks what a team decides, and tries it out without an AWS account.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("check")(check)


@app.callback()
def _verbs() -> None:
    """Keep ``check`` a verb: an app of typer's with one command and no callback takes no verb at all."""


def main() -> None:
    """Run the command."""
    app()
