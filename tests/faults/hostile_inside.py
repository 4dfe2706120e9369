"""Runs inside, as the script of a shell in the workspace: what a hostile graph, and its process, may try.

Without a wall the attempts succeed: each is harmless to the machine, as it touches only what ``bait.py`` has laid out,
or undoes what it did in a process that ends.

Each attempt prints its name and what came of it, with a tab between. Argument: what there is to reach, as JSON.
"""

import ctypes
import hashlib
import json
import os
import signal
import socket
import subprocess
import sys

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
BAIT = json.loads(sys.argv[1])
FOLDER, PROCESS, TOKEN = BAIT["folder"], BAIT["process"], BAIT["token"].encode()
WORKSPACE = os.environ["WORKSPACE"]
TIOCSTI = 0x5412


def graph(build):
    """Run what is built of raw ops, as a frozen graph is run."""
    with tf1.Graph().as_default() as made:
        fetched = build()
        graph_def = made.as_graph_def()
    with tf1.Graph().as_default() as again:
        name = fetched.name
        tf1.import_graph_def(graph_def, name="")
        with tf1.Session(graph=again) as session:
            target = again.get_operation_by_name(name) if ":" not in name else again.get_tensor_by_name(name)
            return session.run(target)


def function_in_graph(function):
    """Run a Python function as an op."""
    with tf1.Graph().as_default(), tf1.Session() as session:
        session.run(tf1.py_func(lambda: (function(), np.float32(1))[1], [], tf.float32))


def alone(code):
    """Run code in a Python of one thread, which some calls ask for, and whose namespaces end with it."""
    start = "import ctypes, os, sys, tempfile\nlibc = ctypes.CDLL(None, use_errno=True)\n"
    start += "def check(what, result):\n    if result: raise OSError(ctypes.get_errno(), what)\n"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", start + code], stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode(errors="replace").strip().splitlines()[-1])


def reads_a_file():
    assert graph(lambda: tf.raw_ops.ReadFile(filename=FOLDER + "/secret")) == TOKEN, "another file"


def lists_a_folder():
    found = graph(lambda: tf.raw_ops.MatchingFiles(pattern=FOLDER + "/*"))
    assert any(b"secret" in name for name in found), "nothing there"


def reads_passwords():
    """Those of the host: a container has an /etc of its own."""
    path, digest = BAIT["passwords"]
    found = hashlib.sha256(graph(lambda: tf.raw_ops.ReadFile(filename=path))).hexdigest()
    assert found == digest, "it is not the host's"
    assert [os.stat(path).st_dev, os.stat(path).st_ino] == BAIT["passwords_file"], "it is not the host's"


def reads_lines_of_a_dataset():
    def build():
        data = tf1.data.TextLineDataset([FOLDER + "/secret"])
        return tf1.data.make_one_shot_iterator(data).get_next()

    with tf1.Graph().as_default(), tf1.Session() as session:
        assert session.run(build()) == TOKEN, "another file"


def writes_a_file():
    graph(lambda: tf.raw_ops.WriteFile(filename=FOLDER + "/written", contents="x"))


def overwrites_an_input():
    graph(lambda: tf.raw_ops.WriteFile(filename=WORKSPACE + "/dataset/input", contents="x"))


def saves_a_checkpoint():
    graph(
        lambda: tf.raw_ops.SaveV2(
            prefix=FOLDER + "/saved", tensor_names=["a"], shape_and_slices=[""], tensors=[tf.constant(1.0)]
        )
    )


def prints_to_a_file():
    graph(lambda: tf.raw_ops.PrintV2(input="x", output_stream="file://" + FOLDER + "/printed", end="\n"))


def calls_home():
    function_in_graph(lambda: socket.create_connection(("127.0.0.1", BAIT["port"]), 2).close())


def calls_by_a_name():
    """An abstract socket is in no folder that could be left out: only a network namespace hides it."""

    def connect():
        with socket.socket(socket.AF_UNIX) as called:
            called.connect("\0" + BAIT["abstract"])

    function_in_graph(connect)


def signals_a_process():
    os.kill(PROCESS, signal.SIGTERM)


def reads_the_environment_of_a_process():
    with open("/proc/%d/environ" % PROCESS, "rb") as stream:
        assert TOKEN in stream.read(), "it is another process"


def reads_the_memory_of_a_process():
    with open("/proc/%d/maps" % PROCESS) as stream:
        (stack,) = [line.split()[0] for line in stream if line.endswith("[stack]\n")]
    begin, end = (int(number, 16) for number in stack.split("-"))
    with open("/proc/%d/mem" % PROCESS, "rb") as stream:
        stream.seek(begin)
        assert TOKEN in stream.read(end - begin), "it is another process"


def gains_a_namespace():
    """One of users, in which a process has every capability, CAP_SYS_ADMIN among them."""
    alone(
        "before = os.readlink('/proc/self/ns/user')\n"
        "check('unshare', libc.unshare(0x10000000))\n"
        "status = dict(line.split(':', 1) for line in open('/proc/self/status'))\n"
        "assert os.readlink('/proc/self/ns/user') != before, 'it is the same'\n"
        "assert int(status['CapEff'], 16) >> 21 & 1, 'without capabilities'\n"
    )


def mounts():
    """Over an empty folder of its own, in a namespace of its own where it gets one, and undone at once."""
    alone(
        "if libc.unshare(0x20000) == 0:\n"
        "    check('private', libc.mount(b'none', b'/', None, 0x44000, None))\n"
        "target = os.fsencode(tempfile.mkdtemp())\n"
        "try:\n"
        "    check('mount', libc.mount(b'none', target, b'tmpfs', 0, None))\n"
        "    check('the mount cannot be undone', libc.umount2(target, 0))\n"
        "finally:\n"
        "    os.rmdir(target)\n"
    )


def gives_a_file_away():
    path = WORKSPACE + "/output/given"
    with open(path, "w"):
        pass
    try:
        os.chown(path, 54321, 54321)
    finally:
        os.unlink(path)


def types_into_the_terminal():
    """Into that of the launcher, by whatever leads there; the host looks whether the letter came."""
    libc = ctypes.CDLL(None, use_errno=True)
    reasons = []
    for place in (0, 1, 2, "/dev/tty", BAIT["terminal"]):
        try:
            opened = place if isinstance(place, int) else os.open(place, os.O_RDWR | os.O_NOCTTY)
        except OSError as error:
            reasons.append(error.strerror)
            continue
        if libc.ioctl(opened, TIOCSTI, ctypes.c_char_p(b"x")) == 0:
            return
        reasons.append(os.strerror(ctypes.get_errno()))
    raise OSError("; ".join(reasons))


def leaves_a_daemon():
    script = "sleep 2; echo x > '%s/daemon' || echo x > '%s/output/daemon'" % (FOLDER, WORKSPACE)
    subprocess.Popen(["setsid", "sh", "-c", script], stderr=subprocess.DEVNULL)


ATTEMPTS = (
    reads_a_file,
    lists_a_folder,
    reads_passwords,
    reads_lines_of_a_dataset,
    writes_a_file,
    overwrites_an_input,
    saves_a_checkpoint,
    prints_to_a_file,
    calls_home,
    calls_by_a_name,
    reads_the_environment_of_a_process,
    reads_the_memory_of_a_process,
    signals_a_process,
    gains_a_namespace,
    mounts,
    gives_a_file_away,
    types_into_the_terminal,
    leaves_a_daemon,
)

if __name__ == "__main__":
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for attempt in ATTEMPTS:
        try:
            attempt()
            what = "done"
        except Exception as error:  # noqa: BLE001 - whatever stopped it is what is asked for
            what = "stopped: %s" % str(getattr(error, "message", error)).strip().splitlines()[0][:90]
        print("%s\t%s" % (attempt.__name__, what), flush=True)
