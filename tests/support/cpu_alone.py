"""The tests that speak of the CPU itself, and so cannot pass with tensors on another device; each with the reason."""

CALLS_NUMPY = "a Function of the test itself calls NumPy"
SHOWS_CPU = "the text it expects has no device, as on the CPU"
SHARES = "it is about memory shared with NumPy's arrays"
INSIDE = "it looks at arrays inside the engine, which are not NumPy's here"
LOCKED = "it locks NumPy's memory, and CuPy has no locks"
KNOWN = "it lists the known types of devices, of which there is one more here"
MEMORY = "it measures memory that the strict arrays need for themselves"

CPU_ALONE: dict[str, str] = {
    "minidl/nn/test_module.py::test_a_state_is_not_loaded_into_read_only_memory": LOCKED,
    "minidl/nn/test_module.py::test_parameter_is_a_tensor_that_shares_memory": SHOWS_CPU,
    "minidl/ops/test_access.py::test_format": SHOWS_CPU,
    "minidl/ops/test_access.py::test_numpy_shares_memory": SHARES,
    "minidl/ops/test_access.py::test_tolist_numpy_and_iteration": SHARES,
    "minidl/ops/test_conversion.py::test_errors": KNOWN,
    "minidl/ops/test_conversion.py::test_what_changes_nothing_returns_the_tensor_itself": "it moves to the CPU",
    "minidl/ops/test_convolution.py::test_the_matrix_of_windows_is_never_whole": MEMORY,
    "minidl/ops/test_inplace.py::test_memory_that_stands_for_several_elements_is_not_written_to*": LOCKED,
    "minidl/ops/test_normalization.py::test_a_failed_call_leaves_them": LOCKED,
    "minidl/optim/test_optimizer.py::test_group_errors": LOCKED,
    "minidl/test_autograd.py::test_a_graph_is_let_go_of_without_the_collector?saved_output?": CALLS_NUMPY,
    "minidl/test_autograd.py::test_a_whole_new_array_in_another_form_becomes_the_gradient_itself*": INSIDE,
    "minidl/test_autograd.py::test_every_order_of_the_exponential": CALLS_NUMPY,
    "minidl/test_autograd.py::test_outputs_with_different_dtypes": CALLS_NUMPY,
    "minidl/test_checkpoint.py::test_map_location_and_kinds_of_path": KNOWN,
    "minidl/test_creation.py::test_as_tensor_copies_only_what_it_must": SHARES,
    "minidl/test_creation.py::test_errors?ValueError-<lambda>-device: 'tpu'*": KNOWN,
    "minidl/test_creation.py::test_other_devices": SHARES,
    "minidl/test_inplace_guard.py::test_a_saved_output_is_guarded*": CALLS_NUMPY,
    "minidl/test_public_names.py::test_every_name_has_a_docstring": "the names it looks at are replaced here",
    "minidl/test_testing.py::test_a_gradient_that_is_not_finite": CALLS_NUMPY,
    "minidl/test_testing.py::test_a_wrong_gradient_at_a_kink_is_called_wrong": CALLS_NUMPY,
    "minidl/test_testing.py::test_planted_wrong_gradients_fail?WrongPlace-*": CALLS_NUMPY,
    "minidl/test_testing.py::test_the_message_of_a_direction_names_the_element": CALLS_NUMPY,
    "minidl/test_printing.py::test_[!a]*": SHOWS_CPU,
    "minidl/test_printing.py::test_a_full_line_is_continued": SHOWS_CPU,
}
