"""A process of its own that compares answers by math-verify: pairs in, verdicts out, in JSON lines.

It is started as a file, apart from clampsweep, and killed from outside: some answers never end. It
takes processor time and memory up to a limit, however busy the machine is; the kernel stops it.
"""

from __future__ import annotations

import json
import logging
import resource
import signal
import sys
from contextlib import suppress
from typing import Any, TextIO

MEMORY = 4 * 2**30  # bytes

# The first parse of each kind takes long; here it is on nobody's time.
_WARMED = (r"\frac{1}{2}", "(1, 2]", r"\{1, 2\}", "x = 3", r"2\sqrt{3} + 1")


def main(seconds: float, given: TextIO, said: TextIO) -> None:
    """Answer each line, a list of answer and right answer, by a line `true` or `false`.

    The first line said is `ready`.

    Args:
        seconds: Of processor time for a pair; then the process ends by SIGPROF.
        given: Pairs.
        said: Verdicts; on an error of math-verify, what it was, as a string.
    """
    from math_verify import LatexExtractionConfig, parse, verify

    logging.disable(logging.CRITICAL)  # it warns that nothing limits its time; the kernel does
    only = [LatexExtractionConfig(boxed_match_priority=0)]  # no expression that Python evaluates

    def parsed(answer: str) -> list[Any]:
        found: list[Any] = parse(rf"\boxed{{{answer}}}", only, parsing_timeout=None)
        return found

    def equal(answer: str, gold: str) -> bool:
        sides = parsed(gold), parsed(answer)
        return bool(verify(*sides, timeout_seconds=None, allow_set_relation_comp=True))

    for form in _WARMED:
        equal(form, form)
    print(json.dumps("ready"), file=said, flush=True)
    for line in given:
        answer, gold = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            text = json.dumps(equal(answer, gold))
        except Exception as error:  # whatever a library of grammars may raise
            text = json.dumps(f"{type(error).__name__}: {error}"[:200])
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(text, file=said, flush=True)


if __name__ == "__main__":
    with suppress(OSError, ValueError):  # some systems know no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    main(float(sys.argv[1]), sys.stdin, sys.stdout)
