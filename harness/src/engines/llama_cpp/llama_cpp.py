"""The native peer of `tierproof bench`: llama.cpp, driven by tierproof's protocol.

Takes the same commands as a page, but over HTTP, and posts its events to ADDRESS.
Usage: llama_cpp.py ADDRESS MODEL.gguf
"""

import json
import queue
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version

PLACE, MODEL = sys.argv[1:3]
BEGAN = time.monotonic()

commands = queue.Queue()
outbox = queue.Queue()
numbering = threading.Lock()
numbered = 0


def now_ms():
    return (time.monotonic() - BEGAN) * 1000


def send(command, kind):
    """Number an event, add the time, and leave its delivery to another thread."""
    global numbered
    with numbering:
        outbox.put({"seq": numbered, "at_ms": now_ms(), "command": command, "kind": kind})
        numbered += 1


def deliver():
    while True:
        batch = [outbox.get()]
        while not outbox.empty():
            batch.append(outbox.get())
        request = urllib.request.Request(
            PLACE + "events",
            json.dumps(batch).encode(),
            {"content-type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()
        # Delivery takes processor time from the engine's threads, so events are batched, as in pages.
        time.sleep(0.05)


def heartbeat():
    while True:
        time.sleep(1)
        send(None, {"type": "heartbeat"})


class Commands(BaseHTTPRequestHandler):
    def do_POST(self):
        commands.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_):
        pass


class Engine:
    def __init__(self):
        import xllamacpp

        self.library = xllamacpp
        self.server = None
        self.threads = 1

    def load(self, command, request):
        began = now_ms()
        send(command, {"type": "phase", "phase": "prepare"})
        self.threads = request.get("threads") or 1
        params = self.library.CommonParams()
        params.model.path = MODEL
        params.n_ctx = request.get("context_tokens") or 0
        # One conversation, so that it gets the whole context.
        params.n_parallel = 1
        params.cpuparams.n_threads = self.threads
        params.cpuparams_batch.n_threads = self.threads
        self.server = self.library.Server(params)
        return {
            "of": "load",
            "architecture": "",
            "parameters": 0,
            "vocabulary": 0,
            "context_tokens": params.n_ctx,
            "weight_bytes": 0,
            "cache_bytes": 0,
            "has_chat_template": False,
            "fetch_ms": 0,
            "prepare_ms": now_ms() - began,
        }

    def generate(self, command, request):
        texts, last = [], {}

        def on_chunk(chunk):
            nonlocal last
            if "choices" not in chunk:
                raise RuntimeError(f"expected a chunk with `choices`, found {chunk}")
            text = chunk["choices"][0].get("text", "")
            if text:
                token = {"type": "token", "index": len(texts), "id": 0, "text": text}
                send(command, token)
                texts.append(text)
            if chunk.get("timings"):
                last = chunk

        send(command, {"type": "phase", "phase": "prefill"})
        self.server.handle_completions(
            {
                "prompt": request["prompt"]["ids"],
                "max_tokens": request["max_tokens"],
                "temperature": 0,
                "top_k": 1,
                "ignore_eos": request["ignore_stop"],
                "cache_prompt": False,
                "stream": True,
            },
            on_chunk,
        )
        timings, usage = last["timings"], last["usage"]
        return {
            "of": "generate",
            "prompt_ids": [0] * usage["prompt_tokens"],
            "reused_tokens": timings["cache_n"],
            "generated_ids": [0] * usage["completion_tokens"],
            "text": "".join(texts),
            "finish_reason": "length",
            "timings": {
                "prefill_ms": timings["prompt_ms"],
                "prefill_tokens": timings["prompt_n"],
                "first_token_ms": timings["prompt_ms"],
                "decode_ms": timings["predicted_ms"],
                "decode_tokens": timings["predicted_n"],
            },
            "execution": {
                "requested": "cpu",
                "actual": "cpu",
                "target": "native",
                "bundle": f"xllamacpp {version('xllamacpp')}",
                "simd": "native",
                "effective_threads": self.threads,
                "kernel_calls": 0,
                "gpu_dispatches": 0,
                "adapter": None,
                "adapter_is_software": None,
                "limits_sha256": None,
                "canary": {"bits": 0},
            },
        }

    def work(self, command, action):
        if action["do"] == "load":
            return self.load(command, action)
        if action["do"] == "generate":
            return self.generate(command, action)
        raise RuntimeError(f"this peer does not know the command `{action['do']}`")


def main():
    http = HTTPServer(("127.0.0.1", 0), Commands)
    for target in (http.serve_forever, deliver, heartbeat):
        threading.Thread(target=target, daemon=True).start()
    engine = Engine()
    send(
        None,
        {
            "type": "ready",
            "protocol": 3,
            "user_agent": f"xllamacpp {version('xllamacpp')}",
            "cross_origin_isolated": False,
        },
    )
    print(f"listening on {http.server_port}", flush=True)
    while True:
        command = commands.get()
        try:
            result = engine.work(command["id"], command["action"])
            send(command["id"], {"type": "finished", "result": result})
        except Exception as error:  # the library may raise anything; report it
            message = f"{type(error).__name__}: {error}"
            problem = {"kind": "unsupported-model", "message": message, "hint": None}
            send(command["id"], {"type": "failed", "error": problem})


main()
