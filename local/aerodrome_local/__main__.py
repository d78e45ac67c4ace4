"""``python -m aerodrome_local``: start, stop and look into an embedded AWS."""

import argparse
import contextlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from aerodrome_local import lifecycle, report, server
from aerodrome_local.instance import Instance, LocalAwsError

DEFAULT_STATE_DIR = Path(__file__).resolve().parents[2] / ".aerodrome" / "local"

EXIT_FAILED = 1
EXIT_DOWN = 3  # as `systemctl status` has it


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status: 0, 1 for an error, 3 when `status` finds it down."""
    options = _parser().parse_args(arguments)
    instance = Instance(options.state_dir.resolve())
    command: Callable[[Instance, argparse.Namespace], int] = options.run
    try:
        return command(instance, options)
    except LocalAwsError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_FAILED
    except KeyboardInterrupt:
        sys.stderr.write("interrupted: nothing of the embedded AWS was left half-started\n")
        return 130
    except BrokenPipeError:  # `logs | head`
        with contextlib.suppress(OSError):
            sys.stdout.close()
        return 0


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--state-dir", type=Path, default=DEFAULT_STATE_DIR, metavar="DIR", help="its directory (%(default)s)"
    )
    common.add_argument("--json", action="store_true", help="print JSON")
    parser = argparse.ArgumentParser(prog="aerodrome local", description="An AWS that runs on loopback.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: Callable[[Instance, argparse.Namespace], int], description: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, parents=[common], help=description, description=description)
        command.set_defaults(run=run)
        return command

    command = add("up", _up, "start it, and wait until it answers")
    command.add_argument("--audit", action="store_true", help="record which CloudFormation properties no handler reads")
    add("down", _down, "stop it and everything that it started; the state stays")
    add("status", _status, "say whether it is up, what it holds, and how to use it; exit status 3 when down")
    command = add("logs", _logs, "print its log")
    command.add_argument("-f", "--follow", action="store_true", help="go on printing until Ctrl-C")
    command.add_argument("-n", "--lines", type=int, default=100, help="how many of the last lines (%(default)s)")
    add("reset", _reset, "stop it and delete its state")
    command = add("releases", _releases, "list the recorded Helm releases, or show one with its values and manifests")
    command.add_argument("name", nargs="?", help="the release")
    command = commands.add_parser("serve", parents=[common])
    command.add_argument("--audit", action="store_true")
    command.set_defaults(run=_serve)
    return parser


def _serve(instance: Instance, options: argparse.Namespace) -> int:
    server.main(instance.directory, audit=options.audit)


def _up(instance: Instance, options: argparse.Namespace) -> int:
    started = lifecycle.up(instance, audit=options.audit)
    report.started(instance, started, as_json=options.json)
    return 0


def _down(instance: Instance, options: argparse.Namespace) -> int:
    report.stopped(lifecycle.down(instance), as_json=options.json)
    return 0


def _status(instance: Instance, options: argparse.Namespace) -> int:
    return 0 if report.status(instance, as_json=options.json) else EXIT_DOWN


def _logs(instance: Instance, options: argparse.Namespace) -> int:
    report.logs(instance, lines=options.lines, follow=options.follow)
    return 0


def _reset(instance: Instance, options: argparse.Namespace) -> int:
    report.reset(instance, deleted=lifecycle.reset(instance), as_json=options.json)
    return 0


def _releases(instance: Instance, options: argparse.Namespace) -> int:
    report.releases(instance, options.name, as_json=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
