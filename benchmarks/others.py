"""The same network with the same weights in other engines, built from the Keras model's layers.

None of them is a dependency of lulc: `pip install 'lulc[bench]'`; what is not installed is
left out by name. Each takes and gives NumPy arrays (1, y, x, channel) float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np

Engine = Callable[[np.ndarray], np.ndarray]


def engines(keras_model: Any, image: np.ndarray) -> tuple[dict[str, Engine], list[str]]:
    """The engines that are installed, by name, and the names of those that are not."""
    makers = {
        ("onnxruntime", "onnx"): onnx_runtime,
        ("openvino", "onnx"): openvino,
        ("torch",): pytorch,
    }
    found, missing = {}, []
    for packages, make in makers.items():
        try:
            for needed in packages:
                import_module(needed)
        except ImportError:
            missing.append(packages[0])
        else:
            found[f"{packages[0]} {version(packages[0])}"] = make(keras_model, image)
    return found, missing


def steps(keras_model: Any) -> Iterator[tuple[Any, list[str], str]]:
    """The layers in the order of computing: the layer, its inputs' names, its output's name."""
    for layer in keras_model.layers:
        if type(layer).__name__ != "InputLayer":
            given = layer.input if isinstance(layer.input, list) else [layer.input]
            yield layer, [tensor.name for tensor in given], layer.output.name


def onnx_model(keras_model: Any) -> bytes:
    """The network as an ONNX file, channels first inside as ONNX defines convolutions."""
    from onnx import TensorProto, checker, helper, numpy_helper

    constants: list[Any] = []

    def constant(name: str, values: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    first, last = keras_model.input.name, keras_model.output.name
    nodes = [helper.make_node("Transpose", ["pixels"], [first], perm=[0, 3, 1, 2])]
    for layer, given, made in steps(keras_model):
        kind, weights = type(layer).__name__, layer.get_weights()
        options: dict[str, Any] = {}
        if kind in ("Conv2D", "Conv2DTranspose"):
            turned = weights[0].transpose(3, 2, 0, 1)
            given = [*given, constant(f"{layer.name}_w", turned)]
            given += [constant(f"{layer.name}_b", b) for b in weights[1:]]
            options = {"pads": [1, 1, 1, 1], "strides": list(layer.strides)}
        elif kind == "BatchNormalization":
            given = [*given, *(constant(f"{layer.name}_{i}", w) for i, w in enumerate(weights))]
            options = {"epsilon": layer.epsilon}
        elif kind == "MaxPooling2D":
            options = {"kernel_shape": [2, 2], "strides": [2, 2]}
        elif kind in ("Concatenate", "Activation"):
            options = {"axis": 1}
        nodes.append(helper.make_node(_ONNX[kind], given, [made], **options))
    nodes.append(helper.make_node("Transpose", [last], ["activations"], perm=[0, 2, 3, 1]))
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "y", "x", tensor.shape[-1]])
        for name, tensor in (("pixels", keras_model.input), ("activations", keras_model.output))
    ]
    graph = helper.make_graph(nodes, "unet", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model)
    return model.SerializeToString()


_ONNX = {
    "Conv2D": "Conv",
    "Conv2DTranspose": "ConvTranspose",
    "BatchNormalization": "BatchNormalization",
    "ReLU": "Relu",
    "MaxPooling2D": "MaxPool",
    "Concatenate": "Concat",
    "Activation": "Softmax",
}


def onnx_runtime(keras_model: Any, _: np.ndarray) -> Engine:
    """ONNX Runtime on the processor, as it comes."""
    import onnxruntime

    session = onnxruntime.InferenceSession(
        onnx_model(keras_model), providers=["CPUExecutionProvider"]
    )
    return lambda image: session.run(None, {"pixels": image})[0]


def openvino(keras_model: Any, image: np.ndarray) -> Engine:
    """OpenVINO on the processor, in float32 and for this shape, its best case.

    Left to itself it computes in bfloat16 where the processor has it.
    """
    import openvino as ov

    network = ov.Core().read_model(onnx_model(keras_model), b"")
    network.reshape(list(image.shape))
    options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = ov.compile_model(network, "CPU", options).create_infer_request()
    return lambda image: np.array(request.infer([image])[0])


def pytorch(keras_model: Any, _: np.ndarray) -> Engine:
    """PyTorch in inference mode, channels last, which its oneDNN convolutions like best."""
    import torch
    from torch.nn import functional

    def tensor(values: np.ndarray) -> Any:
        return torch.from_numpy(np.ascontiguousarray(values))

    weights = {}
    for layer, _given, _made in steps(keras_model):
        values = [tensor(w) for w in layer.get_weights()]
        if type(layer).__name__.startswith("Conv2D"):
            turned = tensor(layer.get_weights()[0].transpose(3, 2, 0, 1))
            values[0] = turned.contiguous(memory_format=torch.channels_last)
        weights[layer.name] = values

    def apply(layer: Any, *x: Any) -> Any:
        kind, w = type(layer).__name__, weights[layer.name]
        if kind == "Conv2D":
            return functional.conv2d(*x, w[0], *w[1:], padding=1)
        if kind == "Conv2DTranspose":
            return functional.conv_transpose2d(*x, w[0], *w[1:], stride=2, padding=1)
        if kind == "BatchNormalization":
            gamma, beta, mean, variance = w
            return functional.batch_norm(*x, mean, variance, gamma, beta, eps=layer.epsilon)
        if kind == "ReLU":
            return functional.relu(*x)
        if kind == "MaxPooling2D":
            return functional.max_pool2d(*x, 2)
        return torch.cat(x, 1) if kind == "Concatenate" else torch.softmax(*x, 1)

    @torch.inference_mode()
    def run(image: np.ndarray) -> np.ndarray:
        held = {keras_model.input.name: torch.from_numpy(image).permute(0, 3, 1, 2)}
        for layer, given, made in steps(keras_model):
            held[made] = apply(layer, *(held[name] for name in given))
        return held[keras_model.output.name].permute(0, 2, 3, 1).numpy()

    return run
