"""Runs inside, as the script of a shell in the workspace: what a hostile graph, and its process, may try.

Without a wall the attempts succeed: each must be harmless to the machine, or undo what it did.

Each attempt prints its name and what came of it, with a tab between. Arguments: the host's folder, the launcher's
process id, a port of the host's loopback.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf

tf1 = tf.compat.v1
FOLDER, LAUNCHER, PORT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
WORKSPACE = os.environ["WORKSPACE"]


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


def reads_a_file():
    assert b"secret" in graph(lambda: tf.raw_ops.ReadFile(filename=FOLDER + "/secret"))


def lists_a_folder():
    found = graph(lambda: tf.raw_ops.MatchingFiles(pattern=FOLDER + "/*"))
    assert any(b"secret" in name for name in found), "nothing there"


def reads_passwords():
    assert b"root:" in graph(lambda: tf.raw_ops.ReadFile(filename="/etc/shadow"))


def reads_the_launchers_environment():
    assert graph(lambda: tf.raw_ops.ReadFile(filename="/proc/%d/environ" % LAUNCHER)), "it is empty"


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


def reads_lines_of_a_dataset():
    def build():
        data = tf1.data.TextLineDataset([FOLDER + "/secret"])
        return tf1.data.make_one_shot_iterator(data).get_next()

    with tf1.Graph().as_default(), tf1.Session() as session:
        assert session.run(build()) == b"secret"


def calls_home():
    def connect():
        socket.create_connection(("127.0.0.1", PORT), 2).close()
        return np.float32(1)

    with tf1.Graph().as_default(), tf1.Session() as session:
        session.run(tf1.py_func(connect, [], tf.float32))


def signals_the_launcher():
    os.kill(LAUNCHER, 0)


def reads_the_launchers_memory():
    with open("/proc/%d/mem" % LAUNCHER, "rb"):
        pass


def gains_a_namespace():
    if ctypes.CDLL(None, use_errno=True).unshare(0x10000000) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def mounts():
    """Over an empty folder of its own, and undone at once: without a wall, as root, it is this machine's."""
    libc = ctypes.CDLL(None, use_errno=True)
    target = os.fsencode(tempfile.mkdtemp())
    try:
        if libc.mount(b"none", target, b"tmpfs", 0, None) != 0:
            raise OSError(ctypes.get_errno(), "mount")
        if libc.umount2(target, 0) != 0:
            raise SystemExit("cannot undo the mount over %r" % target)
    finally:
        os.rmdir(target)


def gives_a_file_away():
    path = WORKSPACE + "/output/given"
    with open(path, "w"):
        pass
    try:
        os.chown(path, 54321, 54321)
    finally:
        os.unlink(path)


def types_into_the_terminal():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ioctl(0, 0x5412, ctypes.c_char_p(b"x")) != 0 and ctypes.get_errno() in (1, 13):
        raise OSError(ctypes.get_errno(), "ioctl")


def leaves_a_daemon():
    script = "sleep 2; echo x > '%s/daemon' || echo x > '%s/output/daemon'" % (FOLDER, WORKSPACE)
    subprocess.Popen(["setsid", "sh", "-c", script], stderr=subprocess.DEVNULL)


ATTEMPTS = (
    reads_a_file,
    lists_a_folder,
    reads_passwords,
    reads_the_launchers_environment,
    writes_a_file,
    overwrites_an_input,
    saves_a_checkpoint,
    prints_to_a_file,
    reads_lines_of_a_dataset,
    calls_home,
    signals_the_launcher,
    reads_the_launchers_memory,
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
            what = "stopped: %s" % str(error).splitlines()[0][:90]
        print("%s\t%s" % (attempt.__name__, what), flush=True)
