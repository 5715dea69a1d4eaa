# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Small models, written byte by byte: ONNX graphs (protobuf) and a llama in GGUF. No package needed.

models.py FOLDER writes mlp.onnx, small.onnx, wide.onnx, reshape.onnx, broken.onnx, tiny.gguf and other.gguf there.
"""
import os
import random
import struct
import sys

FLOAT, INT64 = 1, 7


def varint(n):
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def number(field, n):
    return varint(field << 3) + varint(n)


def text(field, value):
    data = value if isinstance(value, bytes) else value.encode()
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(name, kind, dims, raw):
    return b"".join(number(1, d) for d in dims) + number(2, kind) + text(8, name) + text(9, raw)


def value_info(name, dims):
    shape = b"".join(text(1, text(2, d) if isinstance(d, str) else number(1, d)) for d in dims)
    return text(1, name) + text(2, text(1, number(1, FLOAT) + text(2, shape)))


def node(kind, inputs, outputs):
    return b"".join(text(1, i) for i in inputs) + b"".join(text(2, o) for o in outputs) + text(4, kind)


def onnx(graph_name, nodes, initializers, inputs, outputs):
    graph = b"".join(text(1, n) for n in nodes) + text(2, graph_name)
    graph += b"".join(text(5, t) for t in initializers)
    graph += b"".join(text(11, i) for i in inputs) + b"".join(text(12, o) for o in outputs)
    return number(1, 7) + text(2, "infermeter-tests") + text(7, graph) + text(8, text(1, "") + number(2, 13))


def weights(seed, n, scale):
    source = random.Random(seed)
    few = [struct.pack("<f", source.uniform(-scale, scale)) for _ in range(1024)]
    return b"".join(few[i * 31 % 1024] for i in range(n))


def mlp(graph_name, width, layers, seed=1):
    """x[n, width] → y[n, width]: layers of MatMul and Relu."""
    nodes, initializers, last = [], [], "x"
    for i in range(layers):
        out = "y" if i == layers - 1 else "h%d" % i
        initializers.append(tensor("w%d" % i, FLOAT, [width, width], weights(seed + i, width * width, 0.1)))
        nodes += [node("MatMul", [last, "w%d" % i], ["m%d" % i]), node("Relu", ["m%d" % i], [out])]
        last = out
    return onnx(graph_name, nodes, initializers, [value_info("x", ["n", width])], [value_info("y", ["n", width])])


def reshape(graph_name):
    """x[n, 4] → y[3, 4]: works for n = 3 and fails inside its kernel for any other n."""
    shape = tensor("shape", INT64, [2], struct.pack("<2q", 3, 4))
    return onnx(graph_name, [node("Reshape", ["x", "shape"], ["y"])], [shape], [value_info("x", ["n", 4])],
                [value_info("y", [3, 4])])


# GGUF

U32, F32, STRING = 4, 6, 8


def gguf_text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def gguf(name, width=64, layers=2, heads=4, inner=128, vocabulary=96, context=512, seed=7):
    meta = [
        ("general.architecture", STRING, "llama"), ("general.name", STRING, name),
        ("llama.context_length", U32, context), ("llama.embedding_length", U32, width),
        ("llama.block_count", U32, layers), ("llama.feed_forward_length", U32, inner),
        ("llama.attention.head_count", U32, heads), ("llama.attention.layer_norm_rms_epsilon", F32, 1e-5),
        ("llama.rope.dimension_count", U32, width // heads), ("llama.vocab_size", U32, vocabulary),
        ("tokenizer.ggml.model", STRING, "no_vocab"),
    ]
    shapes = [("token_embd.weight", [width, vocabulary]), ("output_norm.weight", [width]),
              ("output.weight", [width, vocabulary])]
    for i in range(layers):
        shapes += [("blk.%d.%s.weight" % (i, part), dims) for part, dims in (
            ("attn_norm", [width]), ("attn_q", [width, width]), ("attn_k", [width, width]), ("attn_v", [width, width]),
            ("attn_output", [width, width]), ("ffn_norm", [width]), ("ffn_gate", [width, inner]),
            ("ffn_up", [width, inner]), ("ffn_down", [inner, width]))]
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(shapes), len(meta))
    for key, kind, value in meta:
        head += gguf_text(key) + struct.pack("<I", kind)
        head += gguf_text(value) if kind == STRING else struct.pack("<I" if kind == U32 else "<f", value)
    data = b""
    for i, (name_, dims) in enumerate(shapes):
        n = 1
        for d in dims:
            n *= d
        head += gguf_text(name_) + struct.pack("<I%dQIQ" % len(dims), len(dims), *dims, 0, len(data))
        data += struct.pack("<%df" % n, *([1.0] * n)) if name_.endswith("norm.weight") else weights(seed + i, n, 0.1)
        data += b"\0" * (-len(data) % 32)
    return head + b"\0" * (-len(head) % 32) + data


def write_all(folder):
    files = {
        "mlp.onnx": mlp("mlp_graph", 512, 8),
        "small.onnx": mlp("small_graph", 16, 1, seed=50),
        "wide.onnx": mlp("wide_graph", 256, 2, seed=90),
        "reshape.onnx": reshape("reshape_graph"),
        "broken.onnx": mlp("broken_graph", 16, 1)[:500],
        "tiny.gguf": gguf("tiny random llama"),
        "other.gguf": gguf("tiny random llama", seed=11),  # the same general.name: only the file tells them apart
    }
    for name, data in files.items():
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            with open(path + ".new", "wb") as file:
                file.write(data)
            os.rename(path + ".new", path)


if __name__ == "__main__":
    os.makedirs(sys.argv[1], exist_ok=True)
    write_all(sys.argv[1])
