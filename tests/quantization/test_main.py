"""``python -m intel_quantization``: events, exit statuses, files, signals."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from intel_quantization.contract.cpu import what_int8_can_win
from tests.quantization.comparison.band_nets import net, pictures
from tests.quantization.pictures import band_classifier, bands, write

CLASSES = ("apple", "bean", "corn", "date")
PACKAGE = Path(__file__).resolve().parents[2] / "quantization"


def environment(workspace):
    paths = [str(PACKAGE), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return dict(os.environ, WORKSPACE=str(workspace), PYTHONPATH=os.pathsep.join(paths), TF_CPP_MIN_LOG_LEVEL="2")


def job(**changes):
    paths = {"in_graph": "pretrained_model/in.pb", "out_graph": "output/in_int8.pb", "data_location": "dataset"}
    return json.dumps({**paths, "schema": 1, **changes})


def start(workspace, *arguments):
    # shells let what they run in the background ignore SIGINT, and a job that begins so goes on doing so
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(
        [sys.executable, "-m", "intel_quantization", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(workspace),
    )


def run(workspace, *arguments):
    """(exit status, events, log text)"""
    process = start(workspace, *arguments)
    out, err = process.communicate()
    return process.returncode, [json.loads(line) for line in out.splitlines()], err.decode()


def make_workspace(root):
    (root / "pretrained_model").mkdir()
    (root / "pretrained_model" / "in.pb").write_bytes(band_classifier(len(CLASSES)))
    (root / "output").mkdir()
    for label, name in enumerate(CLASSES):
        for number in range(8):
            write(root / "dataset" / name / f"{number}.png", bands(label, len(CLASSES), 10 * label + number))
    return root


@pytest.fixture
def workspace(tmp_path):
    return make_workspace(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """(workspace, exit status, events, log) of one whole run."""
    root = make_workspace(tmp_path_factory.mktemp("workspace"))
    return (root, *run(root, "--job", job(intermediate=True, samples=12, batch_size=5, threads=1)))


def by_name(events, name):
    return [event for event in events if event["event"] == name]


def test_a_run_tells_its_story_in_order(finished):
    _, status, events, log = finished
    assert status == 0, log
    assert events[0]["event"] == "start"
    assert events[0]["threads"] == 1
    assert [event["name"] for event in by_name(events, "stage")] == [
        "read",
        "optimize",
        "calibrate",
        "quantize",
        "verify",
        "measure",
    ]
    progress = [(e["stage"], e["done"], e["total"]) for e in by_name(events, "progress")]
    assert progress == [
        *(("calibrate", done, 12) for done in (5, 10, 12)),
        *(("measure", done, 20) for done in (5, 10, 15, 20)),
    ]
    assert [event["event"] for event in events[-2:]] == ["result", "end"]
    assert events[-1]["exit_code"] == 0


def test_the_log_says_which_images_and_which_preprocessing(finished):
    messages = " ".join(event["message"] for event in by_name(finished[2], "log"))
    assert messages.startswith(what_int8_can_win(by_name(finished[2], "start")[0]["cpu"]))  # before anybody waits
    assert "32 images in 4 class folders: 12 to calibrate, 20 others to compare on" in messages
    assert "--preprocess" in messages


def test_the_result_has_accuracy_latency_size_and_ops(finished):
    root, _, events, _ = finished
    (result,) = by_name(events, "result")
    assert result["accuracy"]["labelled"]
    assert result["accuracy"]["images"] == 20
    assert result["accuracy"]["top1_fp32"] == 100
    assert result["accuracy"]["top1_int8"] == 100
    assert result["latency"]["batch"] == 1
    assert result["latency"]["speedup"] > 0
    assert result["size"]["int8"] == (root / "output" / "in_int8.pb").stat().st_size
    assert {row["op"]: row["total"] for row in result["ops"]}["Conv2D"] == 1
    assert result["calibration"]["samples"] == 12


def test_a_good_graph_raises_no_alarm(finished):
    root, _, events, _ = finished
    (result,) = by_name(events, "result")
    (doubt,) = result["alarms"]  # this linear graph tells the modes from gray pictures apart by nothing
    assert (doubt["severity"], "assumed" in doubt["what"]) == ("notice", True)
    (output,) = result["accuracy"]["outputs"]
    assert (output["kind"], output["verdict"], output["samples"]) == ("scores", "fine", 20)
    assert "<strong>Alarm:" not in (root / "output" / "in_int8.report.html").read_text()


def test_a_graph_that_nothing_was_left_to_compare_on(workspace):
    status, events, log = run(workspace, "--job", job(samples=32))
    assert status == 0, log
    (result,) = by_name(events, "result")
    (alarm,) = result["alarms"]
    assert alarm["severity"] == "notice"
    assert "INT8 was not compared with FP32" in alarm["what"]


def test_a_wrong_preprocessing_is_not_taken_in_silence(tmp_path):
    """Given by the user, so that INT8 agrees with FP32, about nonsense."""
    (tmp_path / "output").mkdir()
    (tmp_path / "pretrained_model").mkdir()
    (tmp_path / "pretrained_model" / "in.pb").write_bytes(net("scores")[0].SerializeToString())
    for number, (pixels, label) in enumerate(zip(*pictures(48))):
        write(tmp_path / "dataset" / f"{label:02d}" / f"{number}.png", pixels)
    status, events, log = run(tmp_path, "--job", job(preprocess="none", samples=16))
    assert status == 0, log
    (result,) = by_name(events, "result")
    alarms = [(alarm["severity"], alarm["what"]) for alarm in result["alarms"]]
    assert {severity for severity, _ in alarms} == {"alarm"}
    told = ("is right for only 2 of 32", "the same answer for 32 of 32", "than with none")
    for words in told:
        assert any(words in what for _, what in alarms), alarms
    assert "another --preprocess than none, as given" in result["alarms"][0]["try"]
    report = json.loads((tmp_path / "output" / "in_int8.report.json").read_text())
    assert next(iter(report)) == "alarms"
    assert report["alarms"] == result["alarms"]
    page = (tmp_path / "output" / "in_int8.report.html").read_text()
    assert page.index("Alarm: the FP32 graph ") < page.index("<h1>")


def test_without_int8_kernels_the_graph_is_still_delivered(workspace):
    """As TensorFlow 1.15 on a CPU that its MKL-DNN makes no code for; the child that tries them is a fake."""
    code = (
        "import functools, sys\nfrom intel_quantization.measure import int8_kernels\n"
        "from intel_quantization.__main__ import main\n"
        "int8_kernels.may_fail = lambda version: True\n"
        "dies = [sys.executable, '-c', 'import os; os.abort()']\n"
        "int8_kernels.obstacle = functools.partial(int8_kernels.obstacle, dies)\n"
        "sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--job", job(threads=1)],
        capture_output=True,
        env=environment(workspace),
        check=False,
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr.decode()
    warnings = [event["message"] for event in by_name(events, "log") if event["level"] == "warning"]
    (warning,) = [text for text in warnings if text.startswith("not measured: ")]
    assert all("--preprocess" in text for text in warnings if text != warning)  # this tiny net does not tell its mode
    assert warning.startswith("not measured: the INT8 kernels of TensorFlow ")
    assert "do not run on this CPU: a tiny convolution was ended by SIGABRT" in warning
    assert "--tensorflow 2.14" in warning
    (result,) = by_name(events, "result")
    assert (result["accuracy"], result["latency"]) == (None, None)
    assert (workspace / "output" / "in_int8.pb").stat().st_size > 0
    report = json.loads((workspace / "output" / "in_int8.report.json").read_text())
    assert report["not_measured"] == "a tiny convolution was ended by SIGABRT"


def test_the_manifest_vouches_for_every_file(finished):
    root, _, events, _ = finished
    output = root / "output"
    manifest = json.loads((output / "in_int8.manifest.json").read_text())
    listed = {entry["name"] for entry in manifest["files"]}
    assert {
        f"in_int8{end}" for end in (".pb", ".report.html", ".report.json", ".report.md", ".statistics.json")
    } <= listed
    assert any(name.startswith("in_int8.intermediate/") for name in listed)
    found = {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}
    assert found == listed | {"in_int8.manifest.json"}
    for entry in manifest["files"]:
        assert hashlib.sha256((output / entry["name"]).read_bytes()).hexdigest() == entry["sha256"]
    (result,) = by_name(events, "result")
    assert set(result["outputs"]) == found


def test_the_report_agrees_with_the_result(finished):
    root, _, events, _ = finished
    (result,) = by_name(events, "result")
    report = json.loads((root / "output" / "in_int8.report.json").read_text())
    for key in ("ops", "accuracy", "latency", "size", "calibration"):
        assert report[key] == result[key]
    assert "in_int8.pb" in (root / "output" / "in_int8.report.html").read_text()


def test_the_int8_graph_is_the_same_each_time(finished, workspace):
    status, _, _ = run(workspace, "--job", job(samples=12, batch_size=5, threads=1, evaluate=0))
    assert status == 0
    again = (workspace / "output" / "in_int8.pb").read_bytes()
    assert again == (finished[0] / "output" / "in_int8.pb").read_bytes()


def test_options_reach_the_work(workspace):
    changes = {"preprocess": "none", "evaluate": 0, "samples": 4, "excluded_ops": ["MatMul"], "inputs": ["images"]}
    status, events, log = run(workspace, "--job", job(**changes))
    assert status == 0, log
    (result,) = by_name(events, "result")
    assert result["accuracy"] is None
    assert result["alarms"] == []  # nobody asked for a comparison
    assert result["calibration"]["preprocess"] == "none"
    assert not result["calibration"]["preprocess_chosen"]
    counts = {row["op"]: row for row in result["ops"]}
    assert counts["MatMul"]["int8"] == 0
    assert any(reason["op"] == "MatMul" and reason["reason"] for reason in result["reasons"])


def test_preprocessing_in_numbers(workspace):
    changes = {"mean": [127.5], "std": [127.5], "resize": "pad:9", "evaluate": 4, "samples": 4}
    status, events, log = run(workspace, "--job", job(**changes))
    assert status == 0, log
    (result,) = by_name(events, "result")
    calibration = result["calibration"]
    assert calibration["preprocess"] == "custom ((pixels * 1 - 127.5) / 127.5), resize pad:9"
    assert calibration["preprocess_details"]["std"] == [127.5]
    assert not calibration["preprocess_chosen"]
    assert "resize pad:9" in (workspace / "output" / "in_int8.report.html").read_text()


def fails(workspace, status, kind, *words, **changes):
    code, events, log = run(workspace, "--job", job(**changes))
    assert code == status, log
    assert events[-1]["event"] == "error"
    assert events[-1]["kind"] == kind
    for word in words:
        assert word in events[-1]["message"]
    assert "Traceback" not in log
    assert os.listdir(workspace / "output") == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"mean": [1.0, 2.0, 3.0]}, "--mean has 3 numbers"),
        ({"preprocess": "torch"}, "does not fit"),
        ({"preprocess": "tf", "channel_order": "bgr"}, "--channel_order bgr"),
        ({"preprocess": "tf", "resize": "crop:2"}, "crop:2"),
    ],
)
def test_preprocessing_that_does_not_fit(workspace, changes, word):
    fails(workspace, 3, "bad_input", word, **changes)


INFER = """
import sys
import numpy as np
import tensorflow as tf
print("infer:", *sys.argv[2:])
tf1 = tf.compat.v1
graph_def = tf1.GraphDef.FromString(open(sys.argv[1], "rb").read())
with tf.Graph().as_default() as graph:
    tf1.import_graph_def(graph_def, name="")
with tf1.Session(graph=graph) as session:
    for number in range(int(sys.argv[3])):
        pictures = np.random.RandomState(number).uniform(-1, 1, [4, 16, 16, 1])
        session.run("predictions:0", {"images:0": pictures})
"""


def test_a_command_calibrates_and_images_compare(workspace):
    (workspace / "models_source_dir").mkdir()
    (workspace / "models_source_dir" / "infer.py").write_text(INFER)
    command = f"{sys.executable} /workspace/models_source_dir/infer.py {{}} --data=/workspace/dataset 1000"
    status, events, log = run(workspace, "--job", job(callback=command, samples=20, threads=1))
    assert status == 0, log
    assert f"infer: --data={workspace}/dataset 1000" in log
    progress = [event for event in by_name(events, "progress") if event["stage"] == "calibrate"]
    assert progress[-1]["done"] == progress[-1]["total"] == 20
    (result,) = by_name(events, "result")
    assert 20 <= result["calibration"]["samples"] < 4000
    assert result["calibration"]["command"] == command
    assert (result["accuracy"]["images"], result["accuracy"]["top1_fp32"]) == (32, 100)
    assert result["latency"]["batch"] == 1
    assert {row["op"]: row["int8"] for row in result["ops"]}["Conv2D"] == 1
    assert "infer.py" in (workspace / "output" / "in_int8.report.html").read_text()


def test_a_command_that_fails_is_bad_input_with_its_last_lines(workspace):
    command = "python3 -c 'import sys; sys.exit(sys.argv[1][-3:] + chr(33))' {}"
    fails(workspace, 3, "bad_input", "exit code 1", "its last lines: .pb!", callback=command, data_location=None)


def test_a_wrong_output_name_is_bad_input(workspace):
    fails(workspace, 3, "bad_input", "predicitons", outputs=["predicitons"])


def test_an_input_that_takes_no_images_is_bad_input(workspace):
    fails(workspace, 3, "bad_input", "images", inputs=["predictions"])


def test_what_makes_top_1_unknown_is_told(workspace):
    (workspace / "dataset" / "one more class").mkdir()
    (workspace / "dataset" / "and another").mkdir()
    _, events, _ = run(workspace, "--job", job(preprocess="none"))
    warnings = [event["message"] for event in by_name(events, "log") if event["level"] == "warning"]
    assert any("top-1 is not known" in text for text in warnings)


def test_a_broken_image_is_bad_input_and_named(workspace):
    for path in (workspace / "dataset").rglob("*.png"):
        path.write_bytes(b"\x89PNG\r\n\x1a\n broken")
    fails(workspace, 3, "bad_input", "cannot decode", ".png")


def test_no_images_is_bad_input(workspace):
    (workspace / "empty").mkdir()
    fails(workspace, 3, "bad_input", "no images", data_location="empty")


def test_a_graph_that_is_none_is_bad_input(workspace):
    (workspace / "pretrained_model" / "in.pb").write_bytes(b"\x00garbage")
    fails(workspace, 3, "bad_input", "in.pb")


def test_no_data_is_bad_input(workspace):
    fails(workspace, 3, "bad_input", "--data_location", data_location=None)


def test_an_output_folder_that_is_not_there(workspace):
    (workspace / "output").rmdir()
    code, events, _ = run(workspace, "--job", job())
    assert code == 11
    assert events[-1]["kind"] == "output_refused"


@pytest.mark.parametrize(
    ("arguments", "status", "kind"),
    [
        ([], 2, "usage"),
        (["--jobb", "{}"], 2, "usage"),
        (["--job", "@/nowhere/job.json"], 2, "usage"),
        (["--job", "{"], 3, "bad_input"),
        (["--job", '{"schema": 99}'], 3, "bad_input"),
    ],
)
def test_a_wrong_command_line_is_told_as_an_event(tmp_path, arguments, status, kind):
    code, events, log = run(tmp_path, *arguments)
    assert code == status
    assert [event["event"] for event in events] == ["error"]
    assert events[0]["kind"] == kind
    assert "Traceback" not in log


def test_a_job_can_come_from_a_file(tmp_path):
    (tmp_path / "job.json").write_text('{"schema": 1, "nonsense": 1}')
    code, events, _ = run(tmp_path, "--job", f"@{tmp_path}/job.json")
    assert code == 3
    assert "nonsense" in events[0]["message"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_leaves_nothing(workspace, number):
    process = start(workspace, "--job", job())
    for line in process.stdout:
        if json.loads(line)["event"] == "stage":
            break
    else:
        pytest.fail(process.stderr.read().decode())
    process.send_signal(number)
    process.communicate()
    assert process.returncode == 128 + number
    assert os.listdir(workspace / "output") == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_the_calibration_command_too(workspace, monkeypatch, number):
    (workspace / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(workspace / "temporary"))
    code = "import os, time; print(os.getpid()); open(os.environ['WORKSPACE'] + '/pid', 'w').write(str(os.getpid()))"
    command = f'{sys.executable} -c "{code}; time.sleep(1000)" {{}}'
    process = start(workspace, "--job", job(callback=command, data_location=None))
    wait_for(lambda: (workspace / "pid").exists() and (workspace / "pid").read_text())
    process.send_signal(number)
    process.communicate()
    assert process.returncode == (128 + number if number == signal.SIGTERM else -number)
    pid = (workspace / "pid").read_text()
    wait_for(lambda: os.listdir(workspace / "temporary") == [])
    wait_for(lambda: has_ended(pid))


def has_ended(pid):
    """Whether a process runs no more; where process 1 does not reap, it stays as a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_for(condition):
    """Wait until something is so; no test depends on how long that takes."""
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.05)


def test_an_unforeseen_failure_is_internal_and_keeps_its_traceback(tmp_path):
    """A defect of ours is told as such; its traceback goes to the log, for the report of it."""
    code = (
        "import sys, intel_quantization.job as jobs\n"
        "jobs.parse = lambda text: 1 / 0\n"
        "from intel_quantization.__main__ import main\n"
        "sys.exit(main(['--job', '{}']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=-1, stderr=-1, env=environment(tmp_path), check=False)
    assert done.returncode == 70
    event = json.loads(done.stdout)
    assert (event["event"], event["kind"]) == ("error", "internal")
    assert "ZeroDivisionError" in event["message"]
    assert b"Traceback" in done.stderr


def test_running_out_of_memory_has_its_own_status(tmp_path):
    code = (
        "import sys, intel_quantization.job as jobs\n"
        "def parse(text): raise MemoryError\n"
        "jobs.parse = parse\n"
        "from intel_quantization.__main__ import main\n"
        "sys.exit(main(['--job', '{}']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=-1, stderr=-1, env=environment(tmp_path), check=False)
    assert done.returncode == 9
    assert json.loads(done.stdout)["kind"] == "out_of_memory"


def test_no_room_for_the_graph(workspace, monkeypatch):
    """The path is the user's, not the hidden one where it is made, and what helps is said."""
    limit = (2000, 2000)
    code = (
        "import resource, signal, sys\n"
        "from intel_quantization.__main__ import main\n"
        "import intel_quantization.run\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, {limit})\n"
        f"sys.exit(main(['--job', {job()!r}]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=-1, stderr=-1, env=environment(workspace), check=False)
    event = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, event["kind"]) == (11, "output_refused")
    assert event["message"] == f"cannot write {workspace}/output/in_int8.pb: File too large"
    assert "--output_limit" in event["remedy"]
    assert os.listdir(workspace / "output") == []


@pytest.mark.parametrize(
    ("error", "message", "remedy"),
    [
        ("OSError(28, 'No space left')", "cannot write the results: No space left", "make room"),
        ("OSError(28, 'No space left', '/w/.x.partial-7/x.pb')", "cannot write /w/x.pb: No space left", "make room"),
        ("PermissionError(13, 'Permission denied', '/w/x')", "cannot write /w/x: Permission denied", "permissions"),
        ("OSError(28, 'No space left', tempfile.tempdir + '/c')", "cannot write the temporary file", "--memory"),
    ],
)
def test_what_cannot_be_written_is_told(tmp_path, error, message, remedy):
    code = (
        "import os, sys, tempfile, intel_quantization.job as jobs\n"
        "os.environ['HOME'] = tempfile.tempdir = '/tmp/home'\n"
        f"def parse(text): raise {error}\n"
        "jobs.parse = parse\n"
        "from intel_quantization.__main__ import main\n"
        "sys.exit(main(['--job', '{}']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=-1, stderr=-1, env=environment(tmp_path), check=False)
    event = json.loads(done.stdout)
    assert (done.returncode, event["kind"]) == (11, "output_refused")
    assert event["message"].startswith(message)
    assert remedy in event["remedy"]


@pytest.mark.parametrize("form", ["text", "saved_model", "keras"])
def test_other_forms_of_a_graph(workspace, form):
    name = other_form(workspace / "pretrained_model", form)
    status, _events, log = run(workspace, "--job", job(in_graph="pretrained_model/" + name, preprocess="tf"))
    assert status == 0, log
    report = json.loads((workspace / "output" / "in_int8.report.json").read_text())
    assert report["graphs"]["fp32"] == name
    assert len(report["provenance"]["sha256"]["fp32"]) == 64
    assert report["size"]["fp32"] > 100
    if form != "text":
        assert [info["name"] for info in report["inputs"]] == ["image:0"]


def other_form(folder, form):
    """Write the network of a workspace, or a small one of Keras, in another form; returns its name."""
    import tensorflow as tf
    from google.protobuf import text_format
    from tensorflow.python.eager import context

    if form == "text":
        graph_def = tf.compat.v1.GraphDef.FromString((folder / "in.pb").read_bytes())
        (folder / "in.pbtxt").write_text(text_format.MessageToString(graph_def))
        return "in.pbtxt"
    with context.eager_mode():
        x = tf.keras.layers.Input((32, 32, 3), name="image")
        y = tf.keras.layers.Conv2D(4, 3, activation="relu")(x)
        y = tf.keras.layers.GlobalAveragePooling2D()(y)
        model = tf.keras.Model(x, tf.keras.layers.Dense(len(CLASSES), activation="softmax")(y))
        if form == "keras":
            model.save(str(folder / "in.h5"))
            return "in.h5"
        tf.saved_model.save(model, str(folder / "saved"))
    return "saved"


def test_a_target_is_checked_and_told(workspace):
    status, events, log = run(workspace, "--job", job(samples=8, evaluate=0, threads=1, target_tensorflow="1.15"))
    assert status == 0, log
    told = [event["message"] for event in by_name(events, "log") if "versions know" in event["message"]]
    report = json.loads((workspace / "output" / "in_int8.report.json").read_text("utf-8"))
    made_for = report["provenance"]["made_for"]
    assert made_for[0] == "1.15.2"
    assert report["provenance"]["tensorflow"] in made_for
    assert [message.rpartition(": ")[2] for message in told] == [", ".join(made_for)]
    assert report["options"]["target_tensorflow"] == "1.15"


def test_an_unknown_target_is_refused_at_once(workspace):
    status, events, _ = run(workspace, "--job", job(target_tensorflow="1.14"))
    error = by_name(events, "error")[0]
    assert (status, error["kind"]) == (3, "bad_input")
    assert "1.14" in error["message"]
    assert "1.15.2" in error["remedy"]
    assert not os.listdir(workspace / "output")


def test_statistics_stand_for_calibration(finished, workspace):
    """Without data; with the patches the INT8 graph is the same, without them what is left out is told."""
    root = finished[0]
    (workspace / "statistics").mkdir()
    for name in ("in_int8.statistics.json", "in_int8.intermediate/statistics.npz"):
        (workspace / "statistics" / Path(name).name).write_bytes((root / "output" / name).read_bytes())
    for name in ("in_int8.statistics.json", "statistics.npz"):
        status, events, log = run(
            workspace, "--job", job(data_location=None, statistics=f"statistics/{name}", threads=1)
        )
        assert status == 0, log
        messages = " ".join(event["message"] for event in by_name(events, "log"))
        assert f"what 12 samples showed an earlier run is in {name}" in messages
        assert ("has no patches" in messages) == (name != "statistics.npz")
        (result,) = by_name(events, "result")
        assert result["calibration"] == {
            "samples": 12,
            "unit": "samples",
            "algorithm": "AUTO",
            "statistics": name,
        }
        assert result["accuracy"] is None
        assert result["latency"] is not None
        assert "by an earlier run on 12 samples" in (workspace / "output" / "in_int8.report.html").read_text()
    assert (workspace / "output" / "in_int8.pb").read_bytes() == (root / "output" / "in_int8.pb").read_bytes()


def test_statistics_with_data_to_compare_on(finished, workspace):
    path = workspace / "s.json"
    path.write_bytes((finished[0] / "output" / "in_int8.statistics.json").read_bytes())
    status, events, log = run(workspace, "--job", job(statistics="s.json", samples=12, algo="KL"))
    assert status == 0, log
    assert by_name(events, "result")[0]["accuracy"]["images"] == 20
    assert not [event for event in by_name(events, "progress") if event["stage"] == "calibrate"]


def test_statistics_of_another_graph_are_bad_input(finished, workspace):
    path = workspace / "s.json"
    data = json.loads((finished[0] / "output" / "in_int8.statistics.json").read_text())
    assert len(data["origin"]["data"]) == 64
    assert data["origin"]["options"]["samples"] == 12
    path.write_text(json.dumps(dict(data, graph="0" * 64)))
    status, events, _ = run(workspace, "--job", job(data_location=None, statistics="s.json"))
    assert (status, events[-1]["kind"]) == (3, "bad_input")
    assert "are of another graph" in events[-1]["message"]
    assert os.listdir(workspace / "output") == []


def test_which_layers_lose(finished):
    root, _, events, _ = finished
    (result,) = by_name(events, "result")
    report = json.loads((root / "output" / "in_int8.report.json").read_text())["blame"]
    assert report["samples"] == 12
    assert [each["nodes"] for each in result["blame"]] == [each["nodes"] for each in report["opportunities"]]
    named = {name for each in report["suspects"] for name in each["nodes"]}
    assert named
    assert all(each["local_db"] > 15 and each["fp32_ms"] > 0 for each in report["suspects"])


def test_a_network_that_takes_long_is_compared_on_fewer_and_that_is_told(workspace):
    code = (
        "import sys\n"
        "from intel_quantization.__main__ import main\n"
        "from intel_quantization.measure import how_many\n"
        "how_many._COMPARED = how_many._BLAMED = 1.0\n"
        "how_many.DEFAULT_SAMPLES = 5\n"
        f"sys.exit(main(['--job', {job(samples=10, threads=1)!r}]))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=-1, stderr=-1, env=environment(workspace), check=False)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    (result,) = by_name(events, "result")
    assert result["accuracy"]["images"] == 5
    told = [event["message"] for event in by_name(events, "log") if event["message"].startswith("compared on")]
    (told,) = [event["message"] for event in by_name(events, "log") if event["message"].startswith("compared on")]
    assert told.startswith("compared on 5 of 22 images, so as to take no longer than converting did; --evaluate 22")
    report = json.loads((workspace / "output" / "in_int8.report.json").read_text())
    assert report["blame"]["samples"] == 8


def test_which_layers_lose_need_not_be_measured(workspace):
    status, events, log = run(workspace, "--job", job(samples=8, threads=1, blame=False))
    assert status == 0, log
    (result,) = by_name(events, "result")
    assert result["blame"] is None


# the first call for each batch is for FP32, the second for INT8
_METRIC = """
calls = []

def score(outputs, labels):
    calls.append(1)
    return [1.0 if len(calls) % 2 else {int8}] * len(labels)
"""


@pytest.mark.parametrize(
    ("int8", "limit", "word", "code"),
    [(0.25, 50.0, "broken", 12), (0.25, 80.0, "held", 0), (1.0, 1.0, "undecided", 0), (1.0, 100.0, "held", 0)],
)
def test_what_may_be_lost(workspace, int8, limit, word, code):
    (workspace / "metric").mkdir()
    (workspace / "metric" / "m.py").write_text(_METRIC.format(int8=int8))
    text = job(samples=8, threads=1, max_drop=limit, metric="metric/m.py:score")
    status, events, log = run(workspace, "--job", text)
    assert status == code, log
    (result,) = by_name(events, "result")
    assert result["verdict"]["word"] == word
    assert result["verdict"]["metric"] == "m.py:score"
    assert events[-1]["exit_code"] == code
    assert result["accuracy"]["measures"][0]["points"] == pytest.approx(100 * (1 - int8))
    assert [each["metric"] for each in result["accuracy"]["measures"]] == ["m.py:score", "top-1"]
    report = json.loads((workspace / "output" / "in_int8.report.json").read_text())
    assert report["verdict"] == result["verdict"]
    assert (workspace / "output" / "in_int8.pb").is_file()
    page = (workspace / "output" / "in_int8.report.html").read_text()
    assert page.index("--max_drop") < page.index("<h1>")


def test_a_limit_with_nothing_to_measure_is_undecided(workspace):
    status, events, log = run(workspace, "--job", job(samples=8, evaluate=0, threads=1, max_drop=1))
    assert status == 0, log
    (result,) = by_name(events, "result")
    assert result["verdict"]["word"] == "undecided"
    assert "nothing to compare on" in result["verdict"]["text"]


@pytest.mark.parametrize(
    "changes", [{"max_drop": -1}, {"max_drop": "1"}, {"metric": "m.py"}, {"metric": "../m.py:score"}], ids=str
)
def test_limits_and_metrics_are_checked(workspace, changes):
    status, events, _log = run(workspace, "--job", job(**changes))
    assert status == 3
    (error,) = by_name(events, "error")
    assert next(iter(changes)) in error["message"]
