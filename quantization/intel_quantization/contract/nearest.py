"""What a misspelt word may have meant."""

from __future__ import annotations

from typing import Iterable, Optional


def find_nearest(word: str, known: Iterable[str]) -> Optional[str]:
    """The known word that is most like this one; None where none is."""
    import difflib  # only who errs waits for it

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return near[0] if near else None


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "", *, quoted: bool = False) -> str:
    """The question for a remedy, such as ``did you mean KL?``; ``otherwise`` where no known word is near.

    Args:
        quoted: for names that may hold anything, such as those of nodes.
    """
    near = find_nearest(word, known)
    if near is None:
        return otherwise
    return "did you mean '%s'?" % near if quoted else "did you mean %s?" % near
