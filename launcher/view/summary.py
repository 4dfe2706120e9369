"""The result event in words: the rows that the plain, rich and quiet views all show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from launch_quantization.contract.outputs import REPORT_HTML
from launch_quantization.stream.sanitize import safe_path

OP_HEADER = ("Op", "total", "INT8", "FP32")
_GRAVE = "alarm"
_NODES_SHOWN = 3
_OUTPUTS_SHOWN = 8
_REASONS_SHOWN = 8
_COMMAND_SHOWN = 80


def op_rows(result: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Rows for the table *Op | total | INT8 | FP32*, in the order of the event."""
    return [(op["op"], str(op["total"]), str(op["int8"]), str(op["fp32"])) for op in result["ops"]]


def op_table(result: Mapping[str, Any]) -> list[str]:
    """The same table as aligned lines, header first."""
    rows = [OP_HEADER, *op_rows(result)]
    first = max(len(row[0]) for row in rows)
    return [f"{row[0]:<{first}}  {row[1]:>6}  {row[2]:>6}  {row[3]:>6}" for row in rows]


def alarms(result: Mapping[str, Any], *, notices: bool = True) -> list[tuple[bool, str, str]]:
    """What is wrong, the worst first: whether it is an alarm, what it says, and what to try, if any.

    Args:
        result: data of a result event.
        notices: also what is no more than doubtful.
    """
    found = [alarm for alarm in result.get("alarms") or () if notices or alarm["severity"] == _GRAVE]
    lines = verdict(result, notices=notices)
    for index, alarm in enumerate(found):
        grave = alarm["severity"] == _GRAVE
        what = f"{'ALARM' if grave else 'notice'}: {alarm['what']}{_name_output(alarm['output'])}"
        again = [each["try"] for each in found[index + 1 : index + 2]] == [alarm["try"]]  # once is enough
        lines.append((grave, what, "" if again else f"  try {alarm['try']}"))
    return lines


def verdict(result: Mapping[str, Any], *, notices: bool = True) -> list[tuple[bool, str, str]]:
    """What is said of --max_drop, in the same form; nothing where nobody asked.

    Args:
        result: data of a result event.
        notices: also that the limit is held.
    """
    said = result.get("verdict")
    if said is None or (said["word"] == "held" and not notices):
        return []
    return [(said["word"] == "broken", said["text"], "")]


def _name_output(output: str) -> str:
    return f" ({output})" if output else ""


def facts(result: Mapping[str, Any], files: Sequence[Path]) -> list[tuple[str, str]]:
    """Label and value of everything else that is known.

    Args:
        result: data of a result event.
        files: what is in place now, the graph first.
    """
    found = [("size", _tell_size(result["size"]))]
    if result["latency"] is not None:
        found.append(("latency", _tell_latency(result["latency"])))
    if result["accuracy"] is not None:
        texts = _tell_accuracy(result["accuracy"])
        found.extend(("" if number else "accuracy", text) for number, text in enumerate(texts))
    if result["calibration"] is not None:
        found.append(("calibrated", _tell_calibration(result["calibration"])))
    if files:
        found.append(("graph", safe_path(files[0])))
        found.extend(("report", safe_path(file)) for file in files if file.name.endswith(REPORT_HTML))
    return found


def reasons(result: Mapping[str, Any]) -> list[str]:
    """Why nodes stayed in FP32: one line a reason, the most frequent first, with a few of its nodes."""
    by_reason: dict[str, list[str]] = {}
    for item in result["reasons"]:
        by_reason.setdefault(item["reason"], []).append(item["node"])
    ordered = sorted(by_reason.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    lines = [f"{len(nodes)} x {reason}: {_list_some(nodes)}" for reason, nodes in ordered[:_REASONS_SHOWN]]
    if len(ordered) > _REASONS_SHOWN:
        lines.append(f"and {len(ordered) - _REASONS_SHOWN} more reasons, all in the report")
    return lines


def _list_some(nodes: Sequence[str]) -> str:
    more = "" if len(nodes) <= _NODES_SHOWN else ", …"
    return ", ".join(nodes[:_NODES_SHOWN]) + more


def human_bytes(count: float) -> str:
    """Bytes with a decimal unit, three digits: ``97.5 MB``."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{_three_digits(count)} {unit}"
        count /= 1000
    return f"{_three_digits(count)} GB"


def _three_digits(number: float) -> str:
    return f"{number:.{2 if number < 10 else 1 if number < 100 else 0}f}"


def _tell_size(size: Mapping[str, int]) -> str:
    ratio = f" ({size['fp32'] / size['int8']:.2f} x smaller)" if size["int8"] else ""
    return f"{human_bytes(size['fp32'])} -> {human_bytes(size['int8'])}{ratio}"


def _tell_latency(latency: Mapping[str, Any]) -> str:
    speedup = latency["speedup"]
    if speedup is None or latency["fp32_ms"] is None or latency["int8_ms"] is None:
        return "not measured"
    word = "faster" if speedup >= 1 else "as fast: INT8 is slower on this CPU"
    return (
        f"{latency['fp32_ms']:.2f} ms -> {latency['int8_ms']:.2f} ms ({speedup:.2f} x {word}), "
        f"batch {latency['batch']}, {latency['runs']} runs"
    )


def _tell_calibration(calibration: Mapping[str, Any]) -> str:
    if calibration.get("made_up") is not None:
        how = calibration["made_up"]
    elif calibration.get("command") is not None:
        how = f"by {_first_words(calibration['command'])}"
    elif calibration.get("statistics") is not None:
        how = f"in an earlier run: {calibration['statistics']}"
    elif calibration.get("function") is not None:
        how = f"given by {calibration['function']}"
    elif calibration["preprocess"] is None:
        how = "fed as they are"
    else:
        chosen = " (chosen automatically)" if calibration["preprocess_chosen"] else ""
        how = f"preprocess {calibration['preprocess']}{chosen}"
    return f"on {calibration['samples']} {_name_unit(calibration)} ({calibration['algorithm']}), {how}"


def _name_unit(counted: Mapping[str, Any]) -> str:
    """What samples are called: images of before unless the job says it."""
    return counted.get("unit") or ("samples" if counted.get("command") is not None else "images")


def _first_words(command: str) -> str:
    return command if len(command) <= _COMMAND_SHOWN else command[: _COMMAND_SHOWN - 2] + " …"


def _tell_accuracy(accuracy: Mapping[str, Any]) -> list[str]:
    """A line of what is known of classes, and one for each output that is compared as something else."""
    parts = []
    if accuracy["top1_fp32"] is not None and accuracy["top1_int8"] is not None:
        parts.append(f"top-1 {accuracy['top1_fp32']:.2f} % -> {accuracy['top1_int8']:.2f} %{_tell_interval(accuracy)}")
    parts += [_measure(each) for each in accuracy.get("measures") or () if each["metric"] != "top-1"]
    if accuracy["agreement"] is not None:
        parts.append(f"same answer {accuracy['agreement']:.2f} %")
    outputs: Sequence[Mapping[str, Any]] = accuracy.get("outputs") or ()
    if accuracy["sqnr_db"] is not None and (parts or not outputs):
        parts.append(f"SQNR {accuracy['sqnr_db']:.1f} dB")
    unit = _name_unit(accuracy)
    lines = [f"{', '.join(parts)} on {accuracy['images']} {unit}"] if parts else []
    if lines:  # class scores, and an ArgMax of them, say the same once more
        outputs = [each for each in outputs if each["figures"].get("agreement") != accuracy["agreement"]]
    for output in outputs[:_OUTPUTS_SHOWN]:
        names = output["outputs"]
        first = ", ".join(names[:1]) + (", …" if len(names) > 1 else "")
        lines.append(f"{first}: {output['text']}, on {output['samples']} {unit}")
    if len(outputs) > _OUTPUTS_SHOWN:
        lines.append(f"and {len(outputs) - _OUTPUTS_SHOWN} more outputs, in the report")
    return lines or [f"nothing to compare by on {accuracy['images']} {unit}"]


def _measure(measure: Mapping[str, Any]) -> str:
    low, high = measure["low"], measure["high"]
    if any(measure[key] is None for key in ("fp32", "int8", "low", "high")):
        return f"{measure['metric']} not known"
    figures = f"{measure['metric']} {measure['fp32']:.2f} -> {measure['int8']:.2f}"
    return f"{figures} (lost {low:+.1f} to {high:+.1f}, 95 %)"


def _tell_interval(accuracy: Mapping[str, Any]) -> str:
    drop = accuracy.get("drop")
    if drop is None or drop["low"] is None or drop["high"] is None:
        return ""
    return f" (lost {drop['low']:+.1f} to {drop['high']:+.1f}, 95 %)"
