"""Where the nodes of a graph are drawn: in rows from inputs to outputs, by Sugiyama's method.

Each node stands in the row behind the last one that it reads; edges that pass rows get a place in each of them, so that
no line crosses a box; rows are put in order by the medians of their neighbours, and then moved towards them.

Written here rather than taken from a library: pure Python ones that lay out graphs are not maintained, the JavaScript
ones are 0.3 to 1.5 MB of foreign source to be kept up to date, and a layout that is made once, when the report is
written, can be tested.
"""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Sequence, Tuple

Edge = Tuple[int, int]
_SWEEPS = 6
_MOST_PLACES = 20_000  # for edges that pass rows; with more, edges are straight lines


class Layout(NamedTuple):
    """Columns (any number, in widths of a node) and rows of the nodes, and of each edge where it passes a row."""

    x: List[float]
    y: List[int]
    passes: Dict[Edge, List[float]]


def lay_out(count: int, edges: Sequence[Edge]) -> Layout:
    """Place so many nodes.

    Args:
        count: of nodes, numbered in the order of the data.
        edges: from a node to one that reads it. Those that lead back, as of a loop, take no part.
    """
    forward = sorted({edge for edge in edges if edge[0] < edge[1]})
    rows = [0] * count
    for source, reader in sorted(forward, key=lambda edge: edge[1]):
        rows[reader] = max(rows[reader], rows[source] + 1)
    y = list(rows)
    routes = _routes(forward, rows)
    links: List[Edge] = [
        pair for edge in forward for route in [[edge[0], *routes[edge], edge[1]]] for pair in zip(route, route[1:])
    ]
    above: List[List[int]] = [[] for _ in rows]
    below: List[List[int]] = [[] for _ in rows]
    for source, reader in links:
        if rows[reader] == rows[source] + 1:  # not so where edges are straight lines
            above[reader].append(source)
            below[source].append(reader)
    order: List[List[int]] = [[] for _ in range(max(rows, default=-1) + 1)]
    for place, row in enumerate(rows):
        order[row].append(place)
    _sort_rows(order, above, below)
    x = _columns(order, above, below)
    return Layout(x[:count], y, {edge: [x[place] for place in route] for edge, route in routes.items()})


def _routes(edges: Sequence[Edge], rows: List[int]) -> Dict[Edge, List[int]]:
    """A place in each row that an edge passes; their rows are added."""
    routes: Dict[Edge, List[int]] = {edge: [] for edge in edges}
    if sum(rows[reader] - rows[source] - 1 for source, reader in edges) > _MOST_PLACES:
        return routes
    for source, reader in edges:
        for row in range(rows[source] + 1, rows[reader]):
            routes[source, reader].append(len(rows))
            rows.append(row)
    return routes


def _sort_rows(order: List[List[int]], above: List[List[int]], below: List[List[int]]) -> None:
    """Sort each row by the medians of its neighbours' ranks, down and up again, in place."""
    rank = [0.0] * len(above)
    for row in order:
        for number, place in enumerate(row):
            rank[place] = float(number)
    for sweep in range(_SWEEPS):
        neighbours = below if sweep % 2 else above
        for row in reversed(order) if sweep % 2 else order:
            keys = {place: _median([rank[each] for each in neighbours[place]], rank[place]) for place in row}
            row.sort(key=keys.__getitem__)
            for number, place in enumerate(row):
                rank[place] = float(number)


def _columns(order: List[List[int]], above: List[List[int]], below: List[List[int]]) -> List[float]:
    """Move the places of each row towards their neighbours, one width apart at least."""
    x = [0.0] * len(above)
    for row in order:
        for number, place in enumerate(row):
            x[place] = number - (len(row) - 1) / 2.0
    for sweep in range(_SWEEPS):
        neighbours = below if sweep % 2 else above
        for row in reversed(order) if sweep % 2 else order:
            wanted = [_median([x[each] for each in neighbours[place]], x[place]) for place in row]
            for place, column in zip(row, _apart(wanted)):
                x[place] = column
    return x


def _apart(wanted: Sequence[float]) -> List[float]:
    """The columns nearest to those that are wanted, in their order, one apart: least squares, by merging neighbours."""
    blocks: List[Tuple[float, int]] = []  # the sum of (wanted - place in the block), and how many
    for column in wanted:
        total, size = column, 1
        while blocks and blocks[-1][0] / blocks[-1][1] + blocks[-1][1] > total / size:
            before, members = blocks.pop()
            total, size = before + total - size * members, members + size
        blocks.append((total, size))
    return [total / size + place for total, size in blocks for place in range(size)]


def _median(values: Sequence[float], otherwise: float) -> float:
    if not values:
        return otherwise
    found = sorted(values)
    middle = len(found) // 2
    return found[middle] if len(found) % 2 else (found[middle - 1] + found[middle]) / 2.0
