"""The ``aerodrome`` command. Each verb is a module; this one gives them their names."""

import signal
from types import FrameType

import typer

from aerodrome import local
from aerodrome.check import check
from aerodrome.check_workflows.command import check_workflows
from aerodrome.mirror.command import mirror
from aerodrome.plan.command import plan
from aerodrome.tenants import tenants
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
# Which of them were too many is said by the command itself, with what to do instead.
app.command("check-workflows", context_settings={"allow_extra_args": True})(check_workflows)
app.command("plan")(plan)
app.command("tenants")(tenants)
app.command("mirror")(mirror)
app.add_typer(local.app)


def main() -> None:
    """Run the command."""
    # A kill ends what was started and says how to go on, as Ctrl-C does.
    signal.signal(signal.SIGTERM, _interrupt)
    app()


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
