# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0
"""Small models, written byte by byte: ONNX graphs (protobuf), llamas and a BERT in GGUF. No package needed.

models.py FOLDER writes them there: see write_all.
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


def value_info(name, dims, kind=FLOAT):
    shape = b"".join(text(1, text(2, d) if isinstance(d, str) else number(1, d)) for d in dims)
    return text(1, name) + text(2, text(1, number(1, kind) + text(2, shape)))


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


def identities(graph_name, *inputs):
    """Each of the inputs (name, kind, dimensions) comes out again."""
    return onnx(graph_name, [node("Identity", [name], ["out_" + name]) for name, _, _ in inputs], [],
                [value_info(name, dims, kind) for name, kind, dims in inputs],
                [value_info("out_" + name, dims, kind) for name, kind, dims in inputs])


# GGUF

U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
FORMATS = {U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}
TOKENS = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % i for i in range(256)] + ["\u2581w%d" % i for i in range(41)]
VOCABULARY = [  # of one that has words, for programs that take text
    ("tokenizer.ggml.model", STRING, "llama"), ("tokenizer.ggml.tokens", ARRAY, (STRING, TOKENS)),
    ("tokenizer.ggml.scores", ARRAY, (F32, [0.0] * len(TOKENS))),
    ("tokenizer.ggml.token_type", ARRAY, (I32, [2, 3, 3] + [6] * 256 + [1] * 41)),
    ("tokenizer.ggml.bos_token_id", U32, 1), ("tokenizer.ggml.eos_token_id", U32, 2),
]


def gguf_text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def gguf_value(kind, value):
    if kind == STRING:
        return gguf_text(value)
    if kind == ARRAY:
        kind, items = value
        return struct.pack("<IQ", kind, len(items)) + b"".join(gguf_value(kind, item) for item in items)
    return struct.pack(FORMATS[kind], value)


def gguf_file(meta, shapes, seed):
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(shapes), len(meta))
    for key, kind, value in meta:
        head += gguf_text(key) + struct.pack("<I", kind) + gguf_value(kind, value)
    data = b""
    for i, (name, dims) in enumerate(shapes):
        n = 1
        for d in dims:
            n *= d
        head += gguf_text(name) + struct.pack("<I%dQIQ" % len(dims), len(dims), *dims, 0, len(data))
        data += struct.pack("<%df" % n, *([1.0] * n)) if name.endswith("norm.weight") else weights(seed + i, n, 0.1)
        data += b"\0" * (-len(data) % 32)
    return head + b"\0" * (-len(head) % 32) + data


def layer_shapes(layers, shapes):
    return [("blk.%d.%s" % (i, part), dims) for i in range(layers) for part, dims in shapes]


def gguf(name, width=64, layers=2, heads=4, inner=128, vocabulary=96, context=512, seed=7, words=()):
    if words:
        vocabulary = len(TOKENS)
    meta = [
        ("general.architecture", STRING, "llama"), ("general.name", STRING, name),
        ("llama.context_length", U32, context), ("llama.embedding_length", U32, width),
        ("llama.block_count", U32, layers), ("llama.feed_forward_length", U32, inner),
        ("llama.attention.head_count", U32, heads), ("llama.attention.layer_norm_rms_epsilon", F32, 1e-5),
        ("llama.rope.dimension_count", U32, width // heads), ("llama.vocab_size", U32, vocabulary),
    ] + (list(words) or [("tokenizer.ggml.model", STRING, "no_vocab")])
    shapes = [("token_embd.weight", [width, vocabulary]), ("output_norm.weight", [width]),
              ("output.weight", [width, vocabulary])]
    shapes += layer_shapes(layers, [
        ("attn_norm.weight", [width]), ("attn_q.weight", [width, width]), ("attn_k.weight", [width, width]),
        ("attn_v.weight", [width, width]), ("attn_output.weight", [width, width]), ("ffn_norm.weight", [width]),
        ("ffn_gate.weight", [width, inner]), ("ffn_up.weight", [width, inner]), ("ffn_down.weight", [inner, width])])
    return gguf_file(meta, shapes, seed)


def gguf_bert(width=64, layers=2, heads=4, inner=128, context=512):
    """Gives embeddings, and has no memory between calls."""
    meta = [
        ("general.architecture", STRING, "bert"), ("general.name", STRING, "tiny random bert"),
        ("bert.context_length", U32, context), ("bert.embedding_length", U32, width),
        ("bert.block_count", U32, layers), ("bert.feed_forward_length", U32, inner),
        ("bert.attention.head_count", U32, heads), ("bert.attention.layer_norm_epsilon", F32, 1e-5),
        ("bert.attention.causal", BOOL, False), ("bert.pooling_type", U32, 1),
        ("tokenizer.ggml.token_type_count", U32, 2),
    ] + VOCABULARY
    shapes = [("token_embd.weight", [width, len(TOKENS)]), ("token_types.weight", [width, 2]),
              ("position_embd.weight", [width, context]), ("token_embd_norm.weight", [width]),
              ("token_embd_norm.bias", [width])]
    parts = [("attn_q", width, width), ("attn_k", width, width), ("attn_v", width, width),
             ("attn_output", width, width), ("ffn_up", width, inner), ("ffn_down", inner, width)]
    shapes += layer_shapes(layers, [(name + end, dims) for name, here, there in parts
                                    for end, dims in ((".weight", [here, there]), (".bias", [there]))] +
                           [(name + end, [width]) for name in ("attn_output_norm", "layer_output_norm")
                            for end in (".weight", ".bias")])
    return gguf_file(meta, shapes, seed=3)


def write_all(folder):
    files = {
        "mlp.onnx": mlp("mlp_graph", 512, 8),
        "small.onnx": mlp("small_graph", 16, 1, seed=50),
        "wide.onnx": mlp("wide_graph", 256, 2, seed=90),
        "reshape.onnx": reshape("reshape_graph"),
        "broken.onnx": mlp("broken_graph", 16, 1)[:500],
        "tiny.gguf": gguf("tiny random llama"),
        "other.gguf": gguf("tiny random llama", seed=11),  # the same general.name: only the file tells them apart
        "words.gguf": gguf("with words", words=VOCABULARY),
        "bert.gguf": gguf_bert(),
        "text.onnx": identities("text_graph", ("ids", INT64, ["n", "s"]), ("mask", INT64, ["n", "s"]),
                                ("types", INT64, ["n", "s"])),
        "voice.onnx": identities("voice_graph", ("input", FLOAT, ["n", "s"]), ("state", FLOAT, [2, "n", 8]),
                                 ("rate", INT64, [])),
        "cache.onnx": identities("cache_graph", ("past", FLOAT, ["n", 2, "p", 4]), ("ids", INT64, ["n", "s"]),
                                 ("lengths", INT64, ["n"])),
        "scalar.onnx": identities("scalar_graph", ("x", FLOAT, [])),
        "deep.onnx": identities("deep_graph", ("x", FLOAT, ["n"] + [1] * 8)),
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
