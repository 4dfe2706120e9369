"""What the TensorFlows of Python 3.7 (1.15, 2.0, 2.1) are not asked, and what is known to fail in one of them.

pytest's last lines count both, with the reasons.
"""

from __future__ import annotations

import sys

import pytest

KERNELS = "written for INT8 kernels that TensorFlow 2.1 and older lack; test_versions.py says what those do instead"
WRITERS = "builds graphs, functions or models in ways of TensorFlow 2.2 and later"

TRANSPOSED = (
    "TensorFlow 2.1 takes a transposed and a plain matrix product of one size with BiasAdd for one in a process: "
    "whichever runs second is wrong"
)
UNRESOLVED = "fails in a TensorFlow of Python 3.7; why is not known yet"

# file -> names of test functions; () for all of the file
LACK_KERNELS = {
    "calibration/by_command/test_callback.py": ("test_gen_calib_data_cmds",),
    "comparison/test_collapse.py": (),
    "examples/test_scripts.py": ("test_quantize_cmd", "test_quantize_python_by_images"),
    "ops/test_capabilities.py": ("test_what_one_version_lacks_is_not_used",),
    "kinds/test_depthwise.py": (),
    "nets/": (),
    "quantize/test_candidates.py": ("test_pad_is_fused",),
    "quantize/test_emission.py": (
        "test_a_broadcast_summand_stays_fp32",
        "test_a_signed_input_with_a_summand_has_no_kernel",
        "test_concatenations_share_a_range_with_every_algorithm",
        "test_convolution",
        "test_convolution_of_signed_values_that_it_pads",
        "test_dense",
        "test_explicit_and_fused_padding_are_asymmetric",
        "test_scores_are_not_clipped",
        "test_signed_summand_from_elsewhere",
        "test_stripped_defaults",
        "test_unsigned_summand",
    ),
    "quantize/test_lifted_results.py": (),
    "quantize/test_lifting.py": (),
    "quantize/test_local_error.py": ("test_the_prediction_is_what_the_op_shows",),
    "quantize/test_pass_through.py": (),
    "quantize/test_payoff.py": ("test_work_is_counted_for_each_sample",),
    "quantize/test_plan.py": (
        "test_a_convolution_takes_signed_and_unsigned_input",
        "test_a_sum_in_front_of_a_relu6_takes_only_an_unsigned_summand",
        "test_a_sum_is_kept",
        "test_a_sum_without_a_relu_that_a_padding_convolution_reads_falls_off",
        "test_a_sum_without_a_kernel_falls_off",
        "test_each_round_of_a_loop_has_rows_of_its_own",
        "test_only_a_product_without_relu_gives_float",
        "test_reasons",
        "test_signed_input_of_much_work",
    ),
    "test_graph_converter.py": (
        "test_a_graph_for_older_versions",
        "test_algorithms",
        "test_exclusions",
        "test_loops_and_branches_run_on",
        "test_the_result",
    ),
    "test_main.py": ("test_a_command_calibrates_and_images_compare", "test_other_forms_of_a_graph"),
    "topologies/": (),
    "verify/test_graph.py": ("test_one_range_for_each_tensor",),
    "verify/test_ranges.py": (),
}
LACK_WRITERS = {
    "reading/test_check_ops.py": ("test_functions_that_loading_would_run",),
    "reading/test_keras_check.py": (),
    "reading/test_keras_model.py": ("test_one_input", "test_several_inputs_and_outputs"),
    "ops/test_snapshots.py": (),
    "quantize/test_functions.py": (),
    "test_graph_converter.py": ("test_a_target_without_an_op_of_the_graph", "test_random_networks"),
    "transforms/test_split_explicit_padding.py": (),
    "transforms/test_write_as_matmul.py": (),
    "writing/test_saved_models.py": (),
    "graph/test_newer_attributes.py": ("test_a_default_goes", "test_functions_and_unknown_ops"),
}
FAIL = {
    "quantize/test_emission.py": ("test_control_inputs_survive",),
    "transforms/test_convert_layout.py": (
        "test_between_convolutions",
        "test_strides_dilations_and_explicit_paddings",
    ),
}
CONFUSE = {
    "transforms/test_fold_convolutionwithbias_mul.py": ("test_multiplied",),
    "transforms/test_fold_subdivmul_batch_norms.py": ("test_every_form_ends_as_one_op_with_its_bias",),
}


@pytest.fixture
def everything_pays(monkeypatch):
    """Small products at the end of small nets become INT8, too, whatever they lose."""
    monkeypatch.setattr("intel_quantization.quantize.payoff._CONVERSION_WORK", 0)
    monkeypatch.setattr("intel_quantization.quantize.payoff._LARGE_ERROR", float("inf"))


def pytest_collection_modifyitems(items):
    if sys.version_info >= (3, 8):
        return
    for item in items:
        place = item.nodeid.partition("tests/quantization/")[2]
        for reason, table in ((KERNELS, LACK_KERNELS), (WRITERS, LACK_WRITERS)):
            if any(_is_listed(place, file, names) for file, names in table.items()):
                item.add_marker(pytest.mark.skip(reason=reason))
        for reason, table in ((TRANSPOSED, CONFUSE), (UNRESOLVED, FAIL)):
            fits = table is FAIL or "transposed" in place
            if fits and any(_is_listed(place, file, names) for file, names in table.items()):
                item.add_marker(pytest.mark.xfail(reason=reason, strict=False))


def _is_listed(place, file, names):
    """Whether a test, such as ``quantize/test_plan.py::test_a_sum_is_kept[0.0]``, is one of those."""
    if not place.startswith(file):
        return False
    return not names or place.partition("::")[2].partition("[")[0] in names
