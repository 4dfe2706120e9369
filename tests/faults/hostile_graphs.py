"""Makes graphs that are damaged, or that do what no network does; runs inside, on TensorFlow alone: see inputs.py.

Each function of GRAPHS writes one file of its name into a folder.
"""

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
_RANDOM = np.random.RandomState(0)
GRAPHS = {}
"""File name -> what makes it, called with its path."""
MARK = "/tmp/a_hostile_graph_ran"
"""What a graph that is run anyway writes."""


def _weights(*shape):
    return v1.constant(_RANDOM.normal(0.0, 0.2, shape).astype("float32"))


def image():
    return v1.placeholder(tf.float32, [None, 16, 16, 3], name="input")


def conv(x, filters=8, name=None):
    x = v1.nn.conv2d(x, _weights(3, 3, int(x.shape[-1]), filters), 1, "SAME", name=name)
    return v1.nn.relu(v1.nn.bias_add(x, _weights(filters)))


def end_in_classes(x):
    x = v1.reshape(v1.reduce_mean(x, [1, 2]), [-1, int(x.shape[-1])])
    return v1.nn.softmax(v1.matmul(x, _weights(int(x.shape[-1]), 4)), name="predict")


def _built(net):
    with tf.Graph().as_default() as graph:
        net()
    return graph.as_graph_def()


def _plain():
    end_in_classes(conv(conv(image(), name="first")))


def _write(path, graph_def):
    with open(path, "wb") as stream:
        stream.write(graph_def if isinstance(graph_def, bytes) else graph_def.SerializeToString())


def _net(name):
    """Registers a net as a frozen graph."""

    def register(net):
        GRAPHS[name] = lambda path: _write(path, _built(net))
        return net

    return register


def _edit(name):
    """Registers a change of the plain net."""

    def register(edit):
        def make(path):
            graph_def = _built(_plain)
            result = edit(graph_def, {node.name: node for node in graph_def.node})
            _write(path, graph_def if result is None else result)

        GRAPHS[name] = make
        return edit

    return register


# -- ops that touch what is around ------------------------------------------------------------------


def _beside(effect):
    """A net whose answer waits for an effect."""

    def net():
        x = conv(image())
        with tf.control_dependencies([effect(x)]):
            end_in_classes(tf.identity(x))

    return net


_EFFECTS = {
    "reads_a_file": lambda x: tf.io.read_file("/etc/hostname"),
    "lists_files": lambda x: tf.io.matching_files("/*"),
    "writes_a_file": lambda x: tf.io.write_file(MARK, tf.strings.as_string(tf.reduce_sum(x))),
    "prints_to_a_file": lambda x: tf.raw_ops.PrintV2(input="x", output_stream="file://" + MARK),
    "saves": lambda x: tf.raw_ops.SaveV2(prefix=MARK, tensor_names=["x"], shape_and_slices=[""], tensors=[x]),
    "restores": lambda x: tf.raw_ops.RestoreV2(
        prefix=MARK, tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32]
    )[0],
    "calls_python": lambda x: v1.py_func(lambda y: y, [x], tf.float32),
    "calls_eager_python": lambda x: tf.py_function(lambda y: y, [x], tf.float32),
    "aborts": lambda x: tf.raw_ops.Abort(error_msg="", exit_without_error=True),
    "reads_records": lambda x: tf.raw_ops.DatasetToSingleElement(
        dataset=tf.raw_ops.TFRecordDataset(filenames=["/etc/hostname"], compression_type="", buffer_size=0),
        output_types=[tf.string],
        output_shapes=[[]],
    )[0],
}
for _name, _effect in _EFFECTS.items():
    _net(_name + ".pb")(_beside(_effect))


@_net("folds_a_file.pb")
def _folds_a_file():
    text = tf.io.read_file("/usr/lib/os-release")  # which is there behind each wall
    bias = tf.cast(tf.strings.length(text), tf.float32) * tf.ones([8])
    end_in_classes(v1.nn.bias_add(v1.nn.conv2d(image(), _weights(3, 3, 3, 8), 1, "SAME"), bias))


@_net("writes_in_a_function.pb")
def _writes_in_a_function():
    @tf.function
    def inner(x):
        tf.io.write_file(MARK, "x")
        return x * 2.0

    end_in_classes(inner(conv(image())))


# -- graphs without an end, or of immense size ------------------------------------------------------


@_net("loops_for_ever.pb")
def _loops_for_ever():
    x = conv(image())
    end_in_classes(tf.while_loop(lambda i, t: i >= 0, lambda i, t: (i * 0, t * 1.0), [tf.constant(0), x])[1])


@_net("waits_for_ever.pb")
def _waits_for_ever():
    queue = tf.raw_ops.FIFOQueueV2(component_types=[tf.float32], shapes=[[1, 8]])
    end_in_classes(
        conv(image())
        + tf.reshape(tf.raw_ops.QueueDequeueV2(handle=queue, component_types=[tf.float32])[0], [1, 1, 1, 8])
    )


@_net("fills_memory.pb")
def _fills_memory():
    huge = tf.reduce_sum(tf.fill([1 << 20, 1 << 20], tf.constant(1.0)))
    end_in_classes(conv(image()) + huge)


@_net("grows_when_run.pb")
def _grows_when_run():
    x = conv(image())
    size = tf.cast(tf.reduce_sum(x) * 0, tf.int64) + (1 << 41)
    end_in_classes(x + tf.reduce_sum(tf.fill(tf.reshape(size, [1]), 1.0)))


def _call(node, name):
    node.op = "PartitionedCall"
    node.attr["f"].func.name = name
    for key in ("Tin", "Tout"):
        node.attr[key].list.type.append(1)


def _library(calls, last):
    """f0 calls f1 so often, and so on; the last one calls ``last``, or doubles where that is empty."""

    def edit(graph_def, nodes):
        for number in range(40):
            function = graph_def.library.function.add()
            function.signature.name = "f%d" % number
            function.signature.input_arg.add(name="x", type=1)
            function.signature.output_arg.add(name="y", type=1)
            before = "x"
            for count in range(calls):
                node = function.node_def.add(name="n%d" % count, input=[before])
                before = "n%d:output:0" % count
                if number < 39 or last:
                    _call(node, "f%d" % (number + 1) if number < 39 else last)
                else:
                    node.op = "Relu"
                    node.attr["T"].type = 1
                    before = "n%d:activations:0" % count
            function.ret["y"] = before
        _call(graph_def.node.add(name="called", input=["input"]), "f0")
        nodes["first"].input[0] = "called"

    return edit


_edit("billion_laughs.pb")(_library(2, last=""))
_edit("recursion.pb")(_library(1, last="f0"))


@_edit("long_chain.pb")
def _long_chain(graph_def, nodes):
    last = "input"
    for number in range(20000):
        node = graph_def.node.add(name="chain%d" % number, op="Identity", input=[last])
        node.attr["T"].type = 1
        last = node.name
    nodes["first"].input[0] = last


# -- damaged and odd -------------------------------------------------------------------------------


@_edit("cut.pb")
def _cut(graph_def, nodes):
    data = graph_def.SerializeToString()
    return data[: len(data) // 2]


@_edit("cut_between_nodes.pb")
def _cut_between_nodes(graph_def, nodes):
    del graph_def.node[4:]  # behind a constant, which nobody reads then
    graph_def.ClearField("versions")


@_edit("no_dtype.pb")
def _no_dtype(graph_def, nodes):
    del nodes["Const"].attr["dtype"]


@_edit("wrong_shape.pb")
def _wrong_shape(graph_def, nodes):
    nodes["Const"].attr["value"].tensor.tensor_shape.dim[0].size = 77


@_edit("unknown_type.pb")
def _unknown_type(graph_def, nodes):
    nodes["first"].attr["T"].type = 9999


@_edit("unknown_op.pb")
def _unknown_op(graph_def, nodes):
    nodes["first"].op = "Conv9D"


@_edit("circle.pb")
def _circle(graph_def, nodes):
    nodes["first"].input[0] = "predict"


@_edit("two_of_a_name.pb")
def _two_of_a_name(graph_def, nodes):
    graph_def.node.add().CopyFrom(nodes["first"])


@_edit("immense_input.pb")
def _immense_input(graph_def, nodes):
    for dim in nodes["input"].attr["shape"].shape.dim[1:3]:
        dim.size = 10**6


@_edit("no_input.pb")
def _no_input(graph_def, nodes):
    nodes["input"].CopyFrom(nodes["Const"])
    nodes["input"].name = "input"


@_edit("nan_weights.pb")
def _nan_weights(graph_def, nodes):
    value = nodes["Const"].attr["value"].tensor
    value.tensor_content = np.full(3 * 3 * 3 * 8, np.nan, np.float32).tobytes()


@_edit("infinite_weights.pb")
def _infinite_weights(graph_def, nodes):
    value = nodes["Const"].attr["value"].tensor
    value.tensor_content = np.full(3 * 3 * 3 * 8, np.inf, np.float32).tobytes()


@_edit("escapes_in_names.pb")
def _escapes_in_names(graph_def, nodes):
    nodes["first"].op = "Conv\x1b]0;owned\x07\x1b[2J"


@_edit("long_name.pb")
def _long_name(graph_def, nodes):
    nodes["first"].op = "x" * 1_000_000


@_edit("version_of_tomorrow.pb")
def _version_of_tomorrow(graph_def, nodes):
    graph_def.versions.producer = 2**31 - 1
    graph_def.versions.min_consumer = 2**31 - 1


GRAPHS["empty.pb"] = lambda path: _write(path, b"\n")
GRAPHS["a_text.pb"] = lambda path: _write(path, b"to be or not to be\n" * 99)
GRAPHS["nested.pbtxt"] = lambda path: _write(path, b"node { attr { value { " + b"list { func { attr { value { " * 20000)
GRAPHS["random.pb"] = lambda path: _write(path, _RANDOM.bytes(100_000))
GRAPHS["plain.pb"] = lambda path: _write(path, _built(_plain))


@_net("two_inputs.pb")
def _two_inputs():
    other = v1.placeholder(tf.float32, [None, 8], name="other")
    end_in_classes(conv(image()) + tf.reshape(other, [-1, 1, 1, 8]))


@_net("other_shape.pb")
def _other_shape():
    x = v1.placeholder(tf.float32, [None, 8, 8, 3], name="input")
    end_in_classes(conv(x))
