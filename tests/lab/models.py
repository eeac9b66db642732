# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the lab's models: tiny LLaMA-architecture files with random weights, one seed a release, and a broken one.

They need no download, load in a tenth of a second, and answer in printable words that mean nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import gguf
import numpy as np

from .settings import cache, say

FORMAT = 3  # raise to have the files written again
# One block and one head: the cost of attention grows with a stream's length, and a lab's streams are long.
EMBEDDING, BLOCKS, HEADS, FEED_FORWARD, CONTEXT = 64, 1, 1, 192, 32768
SEEDS = {"tiny-r1": 1, "tiny-r2": 2}
WORDS = (
    "the a of and to in is it that was for on are with as his they be at one have this from by hot but "
    "some what there we can out other were all your when up use word how said an each she which do their "
    "time if will way about many then them would like so these her long make thing see him two has look "
    "more day could go come did my sound no most number who over know water than call first people may "
    "down side been now find any new work part take get place made live where after back little only "
    "round man year came show every good me give our under name "
)


def folder() -> Path:
    """Where the model files lie."""
    return cache() / "models"


def ensure() -> Path:
    """Write what is missing and return the index: file name to sha256, for the inventory."""
    index = folder() / "index.json"
    if index.exists() and json.loads(index.read_text()).get("format") == FORMAT:
        return index
    say("writing the lab's models")
    folder().mkdir(parents=True, exist_ok=True)
    for name, seed in SEEDS.items():
        _replace(folder() / f"{name}.gguf", lambda path, seed=seed: _write(path, seed))
    whole = (folder() / "tiny-r2.gguf").read_bytes()
    # A release whose digest is right and whose file ends in the middle: the engine cannot load it.
    _replace(folder() / "tiny-r3-broken.gguf", lambda path: path.write_bytes(whole[: len(whole) // 2]))
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder().glob("*.gguf"))}
    _replace(index, lambda path: path.write_text(json.dumps({"format": FORMAT, **digests}, indent=2) + "\n"))
    return index


def _replace(path: Path, write) -> None:  # type: ignore[no-untyped-def]
    fresh = path.with_name(path.name + ".new")
    write(fresh)
    os.replace(fresh, path)


def _vocabulary() -> tuple[list[str], list[int]]:
    """Tokens and their kinds: three specials, 256 bytes, and words that begin with a space."""
    kinds = gguf.TokenType
    specials = [("<unk>", kinds.UNKNOWN), ("<s>", kinds.CONTROL), ("</s>", kinds.CONTROL)]
    octets = [(f"<0x{value:02X}>", kinds.BYTE) for value in range(256)]
    words = [("\u2581" + word, kinds.NORMAL) for word in dict.fromkeys(WORDS.split())]
    tokens = [*specials, *octets, *words]
    return [text for text, _kind in tokens], [int(kind) for _text, kind in tokens]


def _write(path: Path, seed: int) -> None:
    tokens, kinds = _vocabulary()
    random = np.random.default_rng(seed)

    def weights(*shape: int) -> np.ndarray:
        return random.normal(0, 0.6, shape).astype(np.float32)

    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(path.stem)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(EMBEDDING)
    writer.add_block_count(BLOCKS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(EMBEDDING // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([-float(place) for place in range(len(tokens))])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_tensor("token_embd.weight", weights(len(tokens), EMBEDDING))
    output = weights(len(tokens), EMBEDDING)
    # Specials and bytes score zero, so that the greedy choice is always a word.
    output[: 3 + 256] = 0
    writer.add_tensor("output.weight", output)
    writer.add_tensor("output_norm.weight", np.ones(EMBEDDING, dtype=np.float32))
    for block in range(BLOCKS):
        prefix = f"blk.{block}."
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"{prefix}{part}.weight", weights(EMBEDDING, EMBEDDING))
        for part in ("ffn_gate", "ffn_up"):
            writer.add_tensor(f"{prefix}{part}.weight", weights(FEED_FORWARD, EMBEDDING))
        writer.add_tensor(f"{prefix}ffn_down.weight", weights(EMBEDDING, FEED_FORWARD))
        for part in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"{prefix}{part}.weight", np.ones(EMBEDDING, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
