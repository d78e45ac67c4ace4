"""Start a program without root's rights. PostgreSQL refuses to run as root, and CI machines often know no other user.

This file is also a program, ``python -I -S unprivileged.py PROGRAM ARGUMENT...``: it gives up root and becomes PROGRAM.
Doing that in a child's ``preexec_fn`` instead would run Python between fork and exec in a process with threads, which
may deadlock.

The user is ``nobody``, which every Linux has, so none is added to the machine. PostgreSQL must still reach its binaries
and its data below directories that only root may enter (``/root``, pytest's temporary directories). Rather than opening
those to everybody, the process keeps one capability: to read and to traverse. Where the container withholds it, the
server starts all the same if the directories are open.
"""

import ctypes
import os
import pwd
import sys

USER = "nobody"

# linux/prctl.h, linux/securebits.h, linux/capability.h: numbers of the kernel's interface, they never change.
PR_SET_SECUREBITS = 28
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAPABILITY_VERSION_3 = 0x20080522
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2


def account() -> tuple[int, int] | None:
    """User and group id that the server runs as, or None where this process is not root and nothing needs to change.

    Raises:
        RuntimeError: This process is root on a system where its rights cannot be given up in this way.
    """
    if os.geteuid() != 0:
        return None
    if not sys.platform.startswith("linux"):
        raise RuntimeError(f"PostgreSQL does not run as root on {sys.platform}: start the embedded AWS as another user")
    entry = pwd.getpwnam(USER)
    return entry.pw_uid, entry.pw_gid


def command(program: str, *arguments: str) -> list[str]:
    """The command line that runs a program as :func:`account`."""
    if account() is None:
        return [program, *arguments]
    return [sys.executable, "-I", "-S", __file__, program, *arguments]


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _give_up_root() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    # Without this bit access(2) would ignore the capability, and PostgreSQL looks for its own binaries with it.
    keeps_capabilities = libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) == 0
    entry = pwd.getpwnam(USER)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    header = _Header(CAPABILITY_VERSION_3, 0)
    kept = None
    for capability in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if keeps_capabilities else ():
        bit = 1 << capability
        if libc.capset(ctypes.byref(header), (_Sets * 2)(_Sets(bit, bit, bit), _Sets(0, 0, 0))) == 0:
            kept = capability
            break
    if kept is None:
        libc.capset(ctypes.byref(header), (_Sets * 2)(_Sets(0, 0, 0), _Sets(0, 0, 0)))
    else:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, kept, 0, 0)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


if __name__ == "__main__":
    _give_up_root()
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - to become the program is what this file is for
