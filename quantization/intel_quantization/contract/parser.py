"""argparse from the table of options: what it takes, and options with types in place of its Namespace."""

from __future__ import annotations

import argparse
import re
from typing import Any, Callable, Dict, Sequence, Tuple

from .nearest import did_you_mean
from .option import Option, options_of
from .values import BadValueError

GENERAL: Dict[str, Tuple[Tuple[str, ...], str]] = {
    "help": (("-h", "--help"), "this text"),
    "help_all": (("--help-all", "--help_all"), "every option, and the exit codes"),
    "version": (("--version",), "the version, and the default TensorFlow"),
}
"""Options that give a text: their spellings, and what they give."""


class MistakeError(Exception):
    """A command line that cannot be taken.

    Args:
        message: one line, what is wrong.
        remedy: one line; empty: see the help.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class AskedError(Exception):
    """Not options, but a text was asked for.

    Attributes:
        name: ``help``, ``help_all`` or ``version``.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _Parser(argparse.ArgumentParser):
    """Raises MistakeError, which names an option as it was given, where argparse would name all its spellings."""

    words: Sequence[str] = ()

    def error(self, message: str) -> Any:
        found = re.match(r"argument (\S+): ", message)
        if found:
            names = found.group(1).split("/")
            given = [name for name in names for word in self.words if word == name or word.startswith(name + "=")]
            message = (given or names)[0] + message[found.end() - 2 :]
        raise MistakeError(message, "see %s --help" % self.prog)


class _Ask(argparse.Action):
    """Raises AskedError at once, whatever else there is."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        raise AskedError(self.dest)


class _Extend(argparse.Action):
    """Collects names over repeated options into one tuple without duplicates."""

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: Any = None) -> None:
        before = getattr(namespace, self.dest)
        setattr(namespace, self.dest, tuple(dict.fromkeys(before + values)))


def make_parser(program: str, table: Any, general: Sequence[str] = ("help",), *, shown_only: bool = False) -> _Parser:
    """An ArgumentParser that takes the options of a table in all spellings, and raises MistakeError or AskedError.

    Args:
        program: what it is called, for remedies.
        table: a dataclass of options.
        general: which of GENERAL it has, too.
        shown_only: of each option the spellings that the help shows, for a parser that is read and not used.
    """
    parser = _Parser(prog=program, allow_abbrev=False, add_help=False)
    for name in general:
        words, text = GENERAL[name]
        words = words[:1] if shown_only and name != "help" else words
        parser.add_argument(*words, action=_Ask, nargs=0, dest=name, default=argparse.SUPPRESS, help=text)
    for option in options_of(table):
        _add(parser, option, shown_only)
    return parser


def parse_options(
    program: str,
    table: Any,
    argv: Sequence[str],
    general: Sequence[str] = ("help",),
    other_words: Sequence[str] = (),
    graphs: Sequence[str] = (),
) -> Any:
    """The options of a command line, an instance of ``table``.

    Args:
        program, table, general: as ``make_parser`` takes them.
        argv: without the program's name.
        other_words: words without a hyphen that a user may have meant.
        graphs: options that words without a hyphen stand for, in this order, wherever they are.

    Raises:
        MistakeError: an unknown option or word, a missing or a bad value.
        AskedError: for the help or the version.
    """
    parser = make_parser(program, table, general)
    parser.words = tuple(argv)
    namespace, unknown = parser.parse_known_args(list(argv))
    words = [word for word in unknown if not word.startswith("-")] if graphs else []
    if len(words) > len(graphs):
        number = "%d graph%s" % (len(graphs), "s" if len(graphs) > 1 else "")
        raise MistakeError("%s takes %s" % (program.rsplit(maxsplit=1)[-1], number), "drop %s" % words[len(graphs)])
    if words:
        pairs = [part for pair in zip(graphs, words) for part in pair]
        namespace, unknown = parser.parse_known_args([*argv, *pairs])
        unknown = [word for word in unknown if word.startswith("-")]
    if unknown:
        raise _unknown(program, table, unknown[0], other_words)
    return table(**vars(namespace))


def spellings(table: Any) -> Tuple[str, ...]:
    """All that a parser of this table takes with a hyphen."""
    general = [word for words, _text in GENERAL.values() for word in words]
    return tuple(general + [word for option in options_of(table) for word in option.spellings + option.negations])


def _unknown(program: str, table: Any, word: str, other_words: Sequence[str]) -> MistakeError:
    see = "see %s --help" % program
    if word in other_words:
        return MistakeError("%s has to come first" % word, "%s %s ..." % (program, word))
    if not word.startswith("-"):
        return MistakeError("unexpected word %r" % word, did_you_mean(word, other_words, see))
    option = word.split("=", 1)[0]
    return MistakeError("unknown option %s" % option, did_you_mean(option, spellings(table), see))


def _add(parser: argparse.ArgumentParser, option: Option, shown_only: bool) -> None:
    kind, text = option.value, option.help.replace("%", "%%")
    words = option.shown_spellings if shown_only else option.spellings
    if kind.is_flag:
        parser.add_argument(*words, dest=option.name, action="store_true", default=option.default, help=text)
        return
    more: Dict[str, Any] = {"type": _reader(kind.read), "metavar": option.metavar, "default": option.default}
    if kind.is_switch:
        more.update(nargs="?", const=True)
    if kind.is_list:
        more.update(action=_Extend)
    if not option.is_positional:
        more.update(dest=option.name)
    parser.add_argument(*words, help=text, **more)
    if kind.is_switch and not shown_only:
        parser.add_argument(*option.negations, dest=option.name, action="store_false", help=argparse.SUPPRESS)


def _reader(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            return read(text)
        except BadValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert
