"""Snapshots of templates and of stateful logical IDs, one reviewed file each."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import ClassVar

from syrupy.assertion import SnapshotAssertion
from syrupy.data import SnapshotCollections
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from syrupy.location import PyTestLocation
from syrupy.types import SerializableData, SerializedData, SnapshotIndex

from pytest_cdk.assembly import Assembly
from pytest_cdk.errors import PytestCdkError
from pytest_cdk.normalise import snapshot_text
from pytest_cdk.settings import Settings
from pytest_cdk.stateful import stateful_lines

STATEFUL = "stateful.txt"

# A whole new stack is hundreds of lines: past this, `git diff` after an update reads better than a test's output.
_DIFF_LINES = 120

_GONE = (
    "A line that goes is a stateful resource that CloudFormation deletes or, with a retain policy, abandons; where one "
    "like it comes, an empty resource replaces it. Keep the construct's path, or say in the change why the data may go."
)

_UPDATE = "If this is meant, run pytest with --update and review the change with git diff."


class TextFileExtension(SingleFileSnapshotExtension):
    """Stores each snapshot in the file that the assertion names, below one folder.

    syrupy guesses from test names which files nobody uses any more. Here the app itself says which files there should
    be, so :class:`CdkSnapshot` finds the others, and this extension shows syrupy none.
    """

    _write_mode = WriteMode.TEXT
    directory: ClassVar[Path]

    def serialize(self, data: SerializableData, **_filters: object) -> SerializedData:
        """Return the text as it is: it was rendered before."""
        return str(data)

    @classmethod
    def get_location(cls, *, test_location: PyTestLocation, index: SnapshotIndex) -> str:
        """Return the file that the assertion's name stands for, whichever test asks."""
        del test_location
        return str(cls.directory / str(index))

    @classmethod
    def matches_test_location(cls, *, test_location: PyTestLocation, snapshot_location: str) -> bool:
        """Accept any test for any file: a snapshot belongs to the app, not to a test."""
        del test_location, snapshot_location
        return True

    def discover_snapshots(
        self, *, test_location: PyTestLocation, ignore_extensions: list[str] | None = None
    ) -> SnapshotCollections:
        """Show syrupy no files."""
        del test_location, ignore_extensions
        return SnapshotCollections()


@dataclass(frozen=True, slots=True, kw_only=True)
class CdkSnapshot:
    """Compares an assembly with the files in ``cdk_snapshots``, or with ``--update`` writes them.

    Attributes:
        settings: The project's options.
        assertion: syrupy's, which reads, writes and counts.
        update: Whether this session updates snapshots.
    """

    settings: Settings
    assertion: SnapshotAssertion
    update: bool

    @classmethod
    def of(cls, settings: Settings, assertion: SnapshotAssertion) -> "CdkSnapshot":
        """Make one for a test."""
        extension = type("CdkSnapshotExtension", (TextFileExtension,), {"directory": settings.snapshots})
        return cls(settings=settings, assertion=assertion.use_extension(extension), update=assertion.update_snapshots)

    def check_templates(self, assembly: Assembly) -> None:
        """Compare every stack with ``<variant>/<Stack>.json``.

        A file without a stack, and a folder without a variant, is a failure too: a removed stack is a change that
        somebody should see. With ``--update`` such files are deleted.

        Raises:
            PytestCdkError: With the difference of every stack that differs.
        """
        texts = {f"{assembly.variant}/{stack}.json": snapshot_text(body) for stack, body in assembly.stacks.items()}
        problems = [problem for name, text in texts.items() if (problem := self._compare(name, text))]
        problems += self._unused(assembly.variant, texts)
        if problems:
            raise PytestCdkError("\n\n".join([*problems, _UPDATE]))

    def check_texts(self, folder: str, texts: Mapping[str, str]) -> None:
        """Compare texts with the files of a folder of their own, below ``cdk_snapshots``.

        Args:
            folder: The folder, which holds nothing else. A file in it without a text is a failure too, or with
                ``--update`` is deleted.
            texts: The texts by the names of their files.

        Raises:
            PytestCdkError: With the difference of every text that differs.
        """
        problems = [problem for name, text in texts.items() if (problem := self._compare(f"{folder}/{name}", text))]
        unused = [path for path in sorted((self.settings.snapshots / folder).glob("*")) if path.name not in texts]
        if self.update:
            for path in unused:
                path.unlink()
        else:
            shown = [self._shown(f"{folder}/{path.name}") for path in unused]
            problems += [f"{name}: nothing stands behind it any more." for name in shown]
        if problems:
            raise PytestCdkError("\n\n".join([*problems, _UPDATE]))

    def check_stateful(self, assembly: Assembly) -> None:
        """Compare the logical IDs of the stateful resources with ``<variant>/stateful.txt``.

        Raises:
            PytestCdkError: With the lines that came and went, and what CloudFormation would do about them.
        """
        lines = stateful_lines(assembly.stacks, self.settings.stateful_types)
        name = f"{assembly.variant}/{STATEFUL}"
        self._compare(name, "".join(f"{line}\n" for line in lines))
        result = self.assertion.executions[self.assertion.num_executions - 1]
        if result.success:
            return
        if result.recalled_data is None:
            raise PytestCdkError(f"{self._shown(name)} does not exist.\n{_UPDATE}")
        before = str(result.recalled_data).splitlines()
        gone = [f"  - {line}" for line in before if line not in lines]
        new = [f"  + {line}" for line in lines if line not in before]
        problems = [f"{self._shown(name)}: the stateful resources changed."]
        if gone:
            problems += [*gone, _GONE]
        problems += new or (["The same lines in another order."] if not gone else [])
        raise PytestCdkError("\n".join([*problems, _UPDATE]))

    def _compare(self, name: str, text: str) -> str | None:
        """Compare one file, or write it; return what is wrong with it."""
        if self.assertion(name=name) == text:
            return None
        result = self.assertion.executions[self.assertion.num_executions - 1]
        if result.exception is not None:
            raise result.exception
        if result.recalled_data is None:
            return f"{self._shown(name)} does not exist."
        lines = list(
            unified_diff(
                str(result.recalled_data).splitlines(),
                text.splitlines(),
                f"{self._shown(name)} (reviewed)",
                f"{self._shown(name)} (synthesized)",
                lineterm="",
            )
        )
        more = len(lines) - _DIFF_LINES
        return "\n".join(lines[:_DIFF_LINES] + ([f"... and {more} more lines"] if more > 0 else []))

    def _unused(self, variant: str, used: Mapping[str, str]) -> list[str]:
        """Find the snapshots that nothing stands behind, or with ``--update`` delete them."""
        folder = self.settings.snapshots
        unused = [
            path
            for path in sorted(folder.rglob("*"))
            if (path.suffix == ".json" or path.name == STATEFUL)
            and (
                (top := path.relative_to(folder).parts[0]) not in self.settings.variants
                or (top == variant and path.suffix == ".json" and str(path.relative_to(folder)) not in used)
            )
        ]
        if self.update:
            for path in unused:
                path.unlink()
            return []
        return [f"{self._shown(str(path.relative_to(folder)))}: no stack stands behind it any more." for path in unused]

    def _shown(self, name: str) -> str:
        """Return a snapshot's path as a reader at the project's root would type it."""
        path = self.settings.snapshots / name
        return str(path.relative_to(self.settings.root) if path.is_relative_to(self.settings.root) else path)
