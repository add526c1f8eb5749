# Copyright (c) the edge.gateway contributors
# GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may come of an input, whoever made it: success, or one sentence. All else is a trouble, told with the way to repeat it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
import traceback
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, Callable, Dict, Iterator, List, Optional, Protocol, Tuple

from ansible_collections.edge.gateway.plugins.module_utils.errors import LONGEST_MESSAGE, GatewayError

from .hostile import MARK

SEED = os.environ.get("EDGE_SEED", "1")
# of the processor, so that a busy machine is no trouble; and of the clock, for what hangs
CPU_SECONDS, WALL_SECONDS = 1.0, 30.0
MOST_TOLD = 12


class Wrong(Exception):
    """What an input has brought about, and must not."""


class TooSlow(BaseException):
    """No handler of the code under test may take this for something else."""


class Target(Protocol):
    """One kind of input.

    Attributes:
        share: how many of 200,000 inputs are of this kind.
        expected: exceptions that its callers catch, besides those of :mod:`.errors`.
    """

    name: str
    share: int
    expected: Tuple[type[BaseException], ...]

    def make(self, dice: random.Random) -> Any:
        """An input."""

    def run(self, given: Any) -> bool:
        """Give it to the code; whether it was accepted. Raises Wrong for an accepted one that is not what it was taken for."""

    def finish(self) -> List[str]:
        """Try all that was accepted on the real tools; what is wrong."""


@dataclass
class Tally:
    """What a target has seen."""

    tried: int = 0
    accepted: int = 0
    troubles: List[str] = field(default_factory=list)
    kinds: Dict[str, int] = field(default_factory=dict)
    slowest: float = 0.0

    def tell(self, kind: str, words: str) -> None:
        """Keep a trouble; of one kind only the first is told in full."""
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if self.kinds[kind] == 1 and len(self.troubles) < MOST_TOLD:
            self.troubles.append(words)


def sentence(message: object) -> str:
    """What is wrong with a message; nothing when it is one line for a person, without a secret."""
    if not isinstance(message, str) or not message.strip():
        return "says nothing"
    if MARK in message:
        return "tells a secret"
    if len(message) > LONGEST_MESSAGE:
        return f"is a novel of {len(message)} characters"
    return "" if message.isprintable() else "is not one printable line"


def place(problem: BaseException) -> str:
    """Where an exception came from: its innermost frame in the collection, and the type."""
    frames = traceback.extract_tb(problem.__traceback__)
    ours = next((frame for frame in reversed(frames) if "edge/gateway" in frame.filename), frames[-1] if frames else None)
    where = f"{ours.filename.rsplit('/', maxsplit=1)[-1]}:{ours.lineno}" if ours else "?"
    return f"{type(problem).__name__} at {where}"


def _alarm(_number: int, _frame: Optional[FrameType]) -> None:
    raise TooSlow


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Nothing takes for ever."""
    signal.setitimer(signal.ITIMER_REAL, WALL_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def attempt(target: Target, given: Any, tally: Tally) -> str:
    """One input; the kind of trouble that it has brought, empty for none."""
    begun = time.process_time()
    kind = ""
    try:
        with limited():
            tally.accepted += bool(target.run(given))
    except GatewayError as problem:
        wrong = sentence(problem.message)
        kind = f"message {wrong} ({problem.code}, {place(problem)}): {problem.message[:300]!r}" if wrong else ""
    except OSError as problem:
        # entry.run has a sentence for it; a pure function has no business with it
        kind = "" if OSError in target.expected else f"{place(problem)}: {str(problem)[:200]!r}"
    except target.expected as problem:
        wrong = sentence(str(problem))
        kind = f"message {wrong} ({place(problem)}): {str(problem)[:300]!r}" if wrong else ""
    except Wrong as problem:
        kind = str(problem)
    except TooSlow as problem:
        kind = f"hangs, {place(problem)}"
    except BaseException as problem:
        if isinstance(problem, KeyboardInterrupt):
            raise
        kind = f"{place(problem)}: {str(problem)[:200]!r}"
    spent = time.process_time() - begun
    tally.slowest = max(tally.slowest, spent)
    return kind or (f"takes {spent:.1f} s of the processor" if spent > CPU_SECONDS else "")


def fuzz(target: Target, count: int, only: Optional[int] = None) -> Tally:
    """So many inputs, each of a seed of its own.

    Args:
        only: this one alone, to look at it.
    """
    tally = Tally()
    signal.signal(signal.SIGALRM, _alarm)
    for number in range(count) if only is None else [only]:
        given = target.make(random.Random(f"{SEED}/{target.name}/{number}"))
        kind = attempt(target, given, tally)
        tally.tried += 1
        if kind:
            # one trouble, however the numbers within its words differ
            short = kind.split(": ", maxsplit=1)[0]
            tally.tell(
                short, f"{target.name}: {kind}\n    EDGE_SEED={SEED} python -m fuzz {target.name} --only {number}\n    {repr(given)[:700]}"
            )
    for words in target.finish():
        tally.tell(words[:60], f"{target.name}: {words}")
    return tally


def same(found: object, wanted: object, what: str) -> None:
    """Raise Wrong unless two are the same."""
    if found != wanted:
        raise Wrong(f"{what}: not the same again: {repr(found)[:300]} and {repr(wanted)[:300]}")


def stderr(words: str) -> None:
    """Tell how far it is."""
    print(words, file=sys.stderr, flush=True)


Parse = Callable[[bytes], Any]
