"""Pickles of plain containers and numbers, and of nothing else: FedScale publishes its traces so.

A pickle is a program. It is looked over before it runs (what could take all memory is refused), and whatever it wants
to import is refused by name, so that nothing of its own is ever called.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import Any

from horae.errors import one_line
from horae.population.traces.wrong import Wrong

_MEMO = ("BINPUT", "LONG_BINPUT")
_OPS = {ord(op.code): op for op in pickletools.opcodes}


def plain_pickle(data: bytes) -> Any:
    """What a pickle holds. Errors: Wrong for a truncated one, and for anything but containers, numbers and words."""
    _look_over(data)
    try:
        return _Plain(io.BytesIO(data), encoding="latin1").load()
    except Wrong:
        raise
    except Exception as error:  # pickle has a dozen words for a broken one
        raise Wrong(f"it is a broken pickle ({one_line(error, 80)}); fetch it again") from None


class _Plain(pickle.Unpickler):
    """An unpickler that imports nothing."""

    def find_class(self, module: str, name: str) -> Any:
        """Refused, whatever it is."""
        what = one_line(f"{module}.{name}", 80)
        raise Wrong(f"the pickle should hold plain containers and numbers, but asks for {what}; do not trust it")

    def persistent_load(self, pid: Any) -> Any:
        """Refused: it would stand for something outside."""
        raise Wrong("the pickle should hold plain containers and numbers, but asks for an object kept elsewhere")


def _look_over(data: bytes) -> None:
    """Walk the opcodes: lengths must lie within the file, and memo places (memory is taken for each) be few."""
    at, size, end, jumps = 0, len(data), ord(pickle.STOP), _JUMPS
    while at < size:
        code = data[at]
        jump = jumps[code]
        if jump:
            at += jump
            continue
        if code == end:
            return
        step = _STEPS.get(code)
        if step is None:
            raise Wrong("it is a broken pickle; fetch it again")
        fixed, lines, prefix, memo = step
        at += 1
        if memo and int.from_bytes(data[at : at + fixed], "little") > size:
            raise Wrong("the pickle asks for more memory than it can need; do not trust it")
        if prefix:
            at += prefix + int.from_bytes(data[at : at + prefix], "little")
        at += fixed
        for _ in range(lines):
            after = data.find(b"\n", at) + 1
            if not after:
                raise Wrong("the pickle is truncated; fetch it again")
            if code == ord(pickle.PUT) and not 0 <= _number(data[at : after - 1]) <= size:
                raise Wrong("the pickle asks for more memory than it can need; do not trust it")
            at = after
    raise Wrong("the pickle is truncated; fetch it again")


def _number(digits: bytes) -> int:
    return int(digits) if digits.isdigit() and len(digits) < 12 else -1


def _step(name: str, arg: Any) -> tuple[int, int, int, bool]:
    """How an opcode's argument is passed over: its bytes, its lines, the bytes of the length before it; and whether it
    is a place in the memo.
    """
    if arg is None:
        return 0, 0, 0, False
    if arg.n >= 0:
        return arg.n, 0, 0, name in _MEMO
    if arg.n == pickletools.UP_TO_NEWLINE:
        return 0, 2 if name in ("GLOBAL", "INST") else 1, 0, False
    prefix = {
        pickletools.TAKEN_FROM_ARGUMENT1: 1,
        pickletools.TAKEN_FROM_ARGUMENT4: 4,
        pickletools.TAKEN_FROM_ARGUMENT4U: 4,
        pickletools.TAKEN_FROM_ARGUMENT8U: 8,
    }[arg.n]
    return 0, 0, prefix, False


_STEPS = {code: _step(op.name, op.arg) for code, op in _OPS.items()}
_JUMPS = [0] * 256  # how far it is to the next opcode, for those of which nothing need be known
for _code, (_fixed, _lines, _prefix, _memo) in _STEPS.items():
    if not (_lines or _prefix or _memo or _code == ord(pickle.STOP)):
        _JUMPS[_code] = 1 + _fixed
