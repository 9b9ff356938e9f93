"""Policies as ONNX: `python -m r2pac.export_onnx` (docs/interop.md).

policy_file   reads a policy file
graphs        the two ONNX models
reference     the same in NumPy, in double precision and written independently; compares itself with the file
parity        compares what onnxruntime answers with it
contract      names, shapes, ranges and units of inputs and outputs
"""
