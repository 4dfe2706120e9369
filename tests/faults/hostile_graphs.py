"""Makes graphs that are damaged, or that do what no network does; runs inside, on TensorFlow alone: see inputs.py.

Each function of GRAPHS writes one file, or a folder, of its name into a folder.
"""

import json
import os
import zipfile

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
_RANDOM = np.random.RandomState(0)
GRAPHS = {}
"""File name -> what makes it, called with its path."""
_MARK = "/tmp/a_hostile_graph_ran"


def _weights(*shape):
    return v1.constant(_RANDOM.normal(0.0, 0.2, shape).astype("float32"))


def _image():
    return v1.placeholder(tf.float32, [None, 16, 16, 3], name="input")


def _conv(x, filters=8, name=None):
    x = v1.nn.conv2d(x, _weights(3, 3, int(x.shape[-1]), filters), 1, "SAME", name=name)
    return v1.nn.relu(v1.nn.bias_add(x, _weights(filters)))


def _end(x):
    x = v1.reshape(v1.reduce_mean(x, [1, 2]), [-1, int(x.shape[-1])])
    return v1.nn.softmax(v1.matmul(x, _weights(int(x.shape[-1]), 4)), name="predict")


def _built(net):
    with tf.Graph().as_default() as graph:
        net()
    return graph.as_graph_def()


def _plain():
    _end(_conv(_conv(_image(), name="first")))


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
        x = _conv(_image())
        with tf.control_dependencies([effect(x)]):
            _end(tf.identity(x))

    return net


_EFFECTS = {
    "reads_a_file": lambda x: tf.io.read_file("/etc/hostname"),
    "lists_files": lambda x: tf.io.matching_files("/*"),
    "writes_a_file": lambda x: tf.io.write_file(_MARK, tf.strings.as_string(tf.reduce_sum(x))),
    "prints_to_a_file": lambda x: tf.raw_ops.PrintV2(input="x", output_stream="file://" + _MARK),
    "saves": lambda x: tf.raw_ops.SaveV2(prefix=_MARK, tensor_names=["x"], shape_and_slices=[""], tensors=[x]),
    "restores": lambda x: tf.raw_ops.RestoreV2(
        prefix=_MARK, tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32]
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
    text = tf.io.read_file("/etc/hostname")
    bias = tf.cast(tf.strings.length(text), tf.float32) * tf.ones([8])
    _end(v1.nn.bias_add(v1.nn.conv2d(_image(), _weights(3, 3, 3, 8), 1, "SAME"), bias))


@_net("writes_in_a_function.pb")
def _writes_in_a_function():
    @tf.function
    def inner(x):
        tf.io.write_file(_MARK, "x")
        return x * 2.0

    _end(inner(_conv(_image())))


# -- graphs without an end, or of immense size ------------------------------------------------------


@_net("loops_for_ever.pb")
def _loops_for_ever():
    x = _conv(_image())
    _end(tf.while_loop(lambda i, t: i >= 0, lambda i, t: (i * 0, t * 1.0), [tf.constant(0), x])[1])


@_net("waits_for_ever.pb")
def _waits_for_ever():
    queue = tf.raw_ops.FIFOQueueV2(component_types=[tf.float32], shapes=[[1, 8]])
    _end(
        _conv(_image())
        + tf.reshape(tf.raw_ops.QueueDequeueV2(handle=queue, component_types=[tf.float32])[0], [1, 1, 1, 8])
    )


@_net("fills_memory.pb")
def _fills_memory():
    huge = tf.reduce_sum(tf.fill([1 << 20, 1 << 20], tf.constant(1.0)))
    _end(_conv(_image()) + huge)


@_net("grows_when_run.pb")
def _grows_when_run():
    x = _conv(_image())
    size = tf.cast(tf.reduce_sum(x) * 0, tf.int64) + (1 << 41)
    _end(x + tf.reduce_sum(tf.fill(tf.reshape(size, [1]), 1.0)))


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
GRAPHS["nested.pbtxt"] = lambda path: _write(path, b"node { attr { value { list { func { attr { value {" * 20000)
GRAPHS["random.pb"] = lambda path: _write(path, _RANDOM.bytes(100_000))
GRAPHS["plain.pb"] = lambda path: _write(path, _built(_plain))


@_net("two_inputs.pb")
def _two_inputs():
    other = v1.placeholder(tf.float32, [None, 8], name="other")
    _end(_conv(_image()) + tf.reshape(other, [-1, 1, 1, 8]))


@_net("other_shape.pb")
def _other_shape():
    x = v1.placeholder(tf.float32, [None, 8, 8, 3], name="input")
    _end(_conv(x))


# -- models -------------------------------------------------------------------------------------------


def _keras(path, *more):
    layers = tf.keras.layers
    x = layers.Input((16, 16, 3), name="input")
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(x))
    for layer in more:
        y = layer(y)
    tf.keras.Model(x, layers.Dense(4, activation="softmax")(y)).save(path)


def _evil():
    return tf.keras.layers.Lambda(lambda t: (t, open("/tmp/a_hostile_graph_ran", "w").close())[0], name="evil")


def _lambda(path):
    _keras(path, _evil())
    if os.path.exists(_MARK):
        os.unlink(_MARK)  # making it called it


GRAPHS["lambda.h5"] = _lambda
GRAPHS["lambda.keras"] = _lambda


def _bomb(path):
    """A member of 3 GB, of nothing but spaces."""
    _keras(path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in members.items():
            if name != "config.json":
                archive.writestr(name, data)
                continue
            with archive.open(name, "w", force_zip64=True) as stream:
                stream.write(data)
                for _ in range(3000):
                    stream.write(b" " * (1 << 20))


GRAPHS["bomb.keras"] = _bomb


def _saved_model(path):
    with tf.Graph().as_default(), v1.Session() as session:
        x = _image()
        scale = v1.get_variable("scale", (8,), initializer=v1.ones_initializer())
        y = _end(_conv(x) * scale)
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, path, {"x": x}, {"y": y})


def _cut_variables(path):
    _saved_model(path)
    name = os.path.join(path, "variables", "variables.data-00000-of-00001")
    with open(name, "r+b") as stream:
        stream.truncate(os.path.getsize(name) // 2)


def _no_variables(path):
    _saved_model(path)
    for name in os.listdir(os.path.join(path, "variables")):
        os.unlink(os.path.join(path, "variables", name))


def _reads_at_loading(path):
    """A SavedModel of the second kind: a function that reads a file, and one that writes one when it is restored."""

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 16, 16, 3], tf.float32)])
        def answer(self, x):
            length = tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)
            return tf.nn.conv2d(x, tf.ones([3, 3, 3, 4]), 1, "SAME") * length

        @tf.function(input_signature=[])
        def _initialize(self):
            tf.io.write_file(_MARK, "x")

    module = Module()
    tf.saved_model.save(module, path, signatures=module.answer)


GRAPHS["reads_in_a_saved_model"] = _reads_at_loading
GRAPHS["cut_variables"] = _cut_variables
GRAPHS["no_variables"] = _no_variables


def main():
    """Make all, or those whose names are in the variable ONLY, into the output folder; say which could not be."""
    folder = os.path.join(os.environ["WORKSPACE"], "output", "graphs")
    os.mkdir(folder)
    failed = {}
    for name, make in GRAPHS.items():
        try:
            make(os.path.join(folder, name))
        except Exception as error:  # noqa: BLE001 - the table tells it
            failed[name] = "%s: %s" % (type(error).__name__, error)
    with open(os.path.join(folder, "failed.json"), "w") as stream:
        json.dump(failed, stream)


if __name__ == "__main__":
    main()
