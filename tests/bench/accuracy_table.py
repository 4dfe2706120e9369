"""The figures of accuracy.py as text."""

from __future__ import annotations

from typing import Any

_SHORT = {"per_channel": "channel", "per_tensor": "tensor"}


def show(found: dict[str, Any]) -> None:
    """Print the figures of one graph."""
    also = f"{found['also']} {found['fp32_also']:.2f}"
    ms = f", {found['fp32_ms']:.2f} ms" if found["fp32_ms"] else ""
    print(f"\n{found['graph']}: {found['measure']}: FP32 {found['fp32']:.2f} ({also}), {found['samples']} samples{ms}")
    print(
        f"  {'ranges':8} {'':7}{'lost':>7} {'95 %':>6}  {'each draw':26}{'also':>8}{'SQNR dB':>9}"
        f"{'MACs INT8':>11}{'speed-up':>10}{'seconds':>9}  gained"
    )
    for row in found["rows"]:
        begin = f"  {_SHORT[row['variant']]:8} {row['who']:7}"
        if "error" in row:
            print(f"{begin} {row['error']}")
            continue
        each = " ".join(f"{value:.2f}" for value in row["lost_by_draw"])
        sqnr = "-" if row["sqnr_db"] is None else f"{row['sqnr_db']:.2f}"
        speed = f"{row['speedup']:.2f} x" if "speedup" in row else "-"
        gained = f"  {row['gained']:.2f} ± {row['gained_interval']:.2f}" if "gained" in row else ""
        print(
            f"{begin}{row['lost']:7.2f} {row['interval']:6.2f}  {each:26}{row['also']:8.2f}{sqnr:>9}"
            f"{row['int8_macs']:9.1f} %{speed:>10}{row['seconds']:9.1f}{gained}",
            flush=True,
        )


def show_all(found: list[dict[str, Any]]) -> None:
    """Print one line for each graph: points lost."""
    columns = list(dict.fromkeys((row["variant"], row["who"]) for each in found for row in each["rows"]))
    titles = "".join(f"{_SHORT[variant] + ' ' + who:>18}" for variant, who in columns)
    print(f"\n{'points lost':46}{'FP32':>7}{titles}")
    for each in found:
        cells = {(row["variant"], row["who"]): _cell(row) for row in each["rows"]}
        print(f"{each['graph']:46}{each['fp32']:7.2f}" + "".join(f"{cells.get(key, ''):>18}" for key in columns))


def _cell(row: dict[str, Any]) -> str:
    return "error" if "error" in row else f"{row['lost']:.2f} ± {row['interval']:.2f}"
