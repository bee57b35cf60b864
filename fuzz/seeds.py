"""Makes the seeds of the target `gguf`: the smallest models, and a block of every weight type.

    python3 seeds.py corpus/gguf

Needs the packages of `fixtures/reference/requirements.txt`. The seeds of the other targets are text
and were written by hand.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter
from gguf.quants import quantize

VECTORS = Path(__file__).parent.parent / "inference-wasm/tests/vectors/quant.json"
TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"


def write(writer: GGUFWriter) -> None:
    """Write the file."""
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def model(path: Path, kind: Type, width: int) -> None:
    """A model of one layer and four tokens that loads."""
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(16)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(width)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(["<s>", "a", "b", "ab"])
    writer.add_token_types([3, 1, 1, 1])
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(0)
    writer.add_chat_template(TEMPLATE)
    random = np.random.default_rng(7)
    for name, shape in {
        "token_embd": (4, width),
        "output_norm": (width,),
        "blk.0.attn_norm": (width,),
        "blk.0.attn_q": (width, width),
        "blk.0.attn_k": (width // 2, width),
        "blk.0.attn_v": (width // 2, width),
        "blk.0.attn_output": (width, width),
        "blk.0.ffn_norm": (width,),
        "blk.0.ffn_gate": (width, width),
        "blk.0.ffn_up": (width, width),
        "blk.0.ffn_down": (width, width),
    }.items():
        values = random.normal(0, 0.5, shape).astype(np.float32)
        used = Type.F32 if len(shape) == 1 else kind
        writer.add_tensor(f"{name}.weight", quantize(values, used), raw_dtype=used)
    write(writer)


def types(path: Path) -> None:
    """Tensors of one row in every type, and nothing else."""
    writer = GGUFWriter(path, "llama")
    for name, vectors in json.loads(VECTORS.read_text()).items():
        stored = np.frombuffer(bytes.fromhex(vectors[0]["bytes"]), np.uint8)
        if name in ["F32", "F16"]:
            stored = stored.view(np.float32 if name == "F32" else np.float16)
        writer.add_tensor(name, stored.reshape(1, -1), raw_dtype=Type[name])
    write(writer)


def main() -> None:
    """Write all."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    model(folder / "model-f32", Type.F32, 4)
    model(folder / "model-bf16", Type.BF16, 4)
    model(folder / "model-q4_0", Type.Q4_0, 32)
    types(folder / "types")


if __name__ == "__main__":
    main()
