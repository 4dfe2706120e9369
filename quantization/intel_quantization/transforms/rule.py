"""A rule: a pattern, what refuses it and why, and the rewrite. What is common to all of them is here, once.

::

    fold_old_batch_norms = Rules(
        "fold_old_batch_norms",
        Rule((Op("BatchNormWithGlobalNormalization", inputs=(LINEAR_OR_BIASED, ...)),), rewrite=_fold, refuse=_refuse),
    )

A pass is anything that takes a graph, edits it in place and returns how many rewrites that were: :class:`Rules`, or a
plain function for what has to look at the whole graph, such as constant folding. ``pipeline.py`` has their order.

A rule refuses before anything is changed, and says why. Nobody collects that while the passes run: afterwards every
rule is asked again about what is left, so that no reason is one of a graph that is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, Iterator, List, Tuple, Union

from intel_quantization.graph.graph import Graph, NodeDef
from intel_quantization.graph.pattern import Match, Mismatch, Op, match
from intel_quantization.transforms.support.linear import roots


@dataclass(frozen=True)
class Refusal:
    """Why a rule left a node as it is.

    Attributes:
        node: its name.
        reason: why; never empty.
        depth: how much of the rule's pattern was there: of several rules, the one that came furthest tells.
    """

    node: str
    reason: str
    depth: int = 0


def _always(_graph: Graph, _node: NodeDef) -> bool:
    return True


def _never(_graph: Graph, _node: NodeDef, _found: Match) -> str:
    return ""


@dataclass(frozen=True)
class Rule:
    """One rewrite.

    Attributes:
        patterns: by their last node's op, of which each has one; that node is the root.
        rewrite: edits the graph in place; the match is its own. It may look at what ``refuse`` has looked at again.
        refuse: what the pattern does not say: why a match cannot be rewritten; empty where it can. As a Mismatch
            it may be about another node than the root, or have nothing to tell.
        concerns: whether the rule is for a root at all, looked at ahead of the pattern. It costs little, and what is
            no concern of a rule gets no reason from it: a Mul of two activations was not left by a batch norm's rule.
    """

    patterns: Tuple[Op, ...]
    rewrite: Callable[[Graph, NodeDef, Match], Any]
    refuse: Callable[[Graph, NodeDef, Match], Union[str, Mismatch]] = _never
    concerns: Callable[[Graph, NodeDef], bool] = _always

    def look(self, graph: Graph, node: NodeDef, pattern: Op) -> Union[Match, Mismatch]:
        """What the rule finds at a root, or why it does nothing there."""
        if not self.concerns(graph, node):
            return Mismatch("")
        found = match(graph, node, pattern)
        if isinstance(found, Mismatch):
            return found
        refused = self.refuse(graph, node, found)
        if isinstance(refused, str):
            return Mismatch(refused, found.depth) if refused else found
        return Mismatch(refused.reason, found.depth, refused.node)


class Rules:
    """A pass of one rule, or of a few that are tried in their order at each node.

    Args:
        name: of the pass, which is the file's name, too.
        rules: the rules.
    """

    def __init__(self, name: str, *rules: Rule) -> None:
        self.__name__ = name
        self._by_op: Dict[str, List[Tuple[Rule, Op]]] = {}
        for rule in rules:
            for pattern in rule.patterns:
                for op in pattern.op.split("|"):
                    self._by_op.setdefault(op, []).append((rule, pattern))

    def __call__(self, graph: Graph) -> int:
        """Rewrite wherever that can be; returns how often it was."""
        return sum(self._rewrite(graph, node) for node in roots(graph, tuple(self._by_op)))

    def refusals(self, graph: Graph) -> Iterator[Refusal]:
        """Why each root that concerns the rules would stay as it is."""
        for node in roots(graph, tuple(self._by_op)):
            for rule, pattern in self._by_op[node.op]:
                found = rule.look(graph, node, pattern)
                if isinstance(found, Mismatch) and found.reason:
                    yield Refusal(found.node or node.name, found.reason, found.depth)

    def _rewrite(self, graph: Graph, node: NodeDef) -> bool:
        for rule, pattern in self._by_op[node.op]:
            found = rule.look(graph, node, pattern)
            if isinstance(found, Match):
                rule.rewrite(graph, node, found)
                return True
        return False


class WholeGraph:
    """A pass that looks at the whole graph, and can tell why it left a node as it is.

    Args:
        name: of the pass, which is the file's name, too.
        rewrite: the pass.
        refusals: why nodes stayed.
    """

    def __init__(
        self, name: str, rewrite: Callable[[Graph], int], refusals: Callable[[Graph], Iterable[Refusal]]
    ) -> None:
        self.__name__ = name
        self._rewrite = rewrite
        self.refusals = refusals

    def __call__(self, graph: Graph) -> int:
        """Rewrite wherever that can be; returns how often it was."""
        return self._rewrite(graph)


def make_pass(name: str, make: Callable[[Graph], Rules], *, again: bool = False) -> WholeGraph:
    """A pass of rules that are made anew for each graph, since they need to know it.

    Args:
        name: of the pass, which is the file's name, too.
        make: the rules, by what is known of the graph as it is.
        again: make and apply them as long as they rewrite, where one waits for another's result.
    """

    def rewrite(graph: Graph) -> int:
        total = count = make(graph)(graph)
        while again and count:
            count = make(graph)(graph)
            total += count
        return total

    return WholeGraph(name, rewrite, lambda graph: make(graph).refusals(graph))


def refusals(graph: Graph, passes: Iterable[Callable[[Graph], int]]) -> Dict[str, str]:
    """Why nodes were left as they are, by their names; of several rules those that came furthest tell.

    Args:
        graph: the graph that the passes have been over; left as it is.
        passes: those, in any order.
    """
    told: Dict[str, List[Refusal]] = {}
    for item in dict.fromkeys(passes):
        ask = getattr(item, "refusals", None)
        for refusal in ask(graph) if ask else ():
            told.setdefault(refusal.node, []).append(refusal)
    return {node: _furthest(items) for node, items in told.items()}


def _furthest(items: List[Refusal]) -> str:
    depth = max(item.depth for item in items)
    return "; ".join(dict.fromkeys(item.reason for item in items if item.depth == depth))
