"""A server in this process that answers as vLLM 0.32 does, over a real tiny model.

Its faults are vLLM's: a tied head may stay at a reload, the prefix cache keeps what older weights
computed, a restart forgets all that it was given.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import torch

from uniapl_cli.generation.generator import Request
from uniapl_cli.generation.local import LocalGenerator
from uniapl_cli.seeding import derive
from uniapl_cli.training.policy import load_model
from uniapl_cli.types import Sampling


@dataclass(frozen=True)
class Fault:
    """What to send after `delay` s: a status with JSON, nothing (`drop`), or a changed answer."""

    status: int = 200
    body: Any = None
    delay: float = 0.0
    drop: bool = False
    change: Callable[[Any], Any] | None = None


# (route, body, how often the route was asked for before) -> a fault, or None for none.
Faults = Callable[[str, Mapping[str, Any], int], Fault | None]


class Refused(Exception):
    """A request that vLLM answers with a 400."""


def is_tied(model: Any) -> bool:
    """Whether a model's head is its embedding."""
    return model.get_output_embeddings().weight is model.get_input_embeddings().weight


class StandIn(ThreadingHTTPServer):
    """A vLLM server of the model in `folder`, with VLLM_SERVER_DEV_MODE=1.

    keeps_head: as on a CPU, a head stays as it was at a reload where the server's own model or the
    new one is tied. bodies: what was asked for, as (route, body), and keys: what each carried. key:
    what requests must carry.
    """

    daemon_threads = True
    request_queue_size = 64
    computing = threading.Lock()  # of all: transformers loads one model at a time

    def __init__(
        self,
        folder: str | Path,
        *,
        port: int = 0,
        names: tuple[str, ...] = ("served",),
        max_model_len: int = 512,
        logprobs_mode: str = "raw_logprobs",
        keeps_head: bool = False,
        key: str | None = None,
        faults: Faults = lambda route, body, before: None,
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.folder, self.names, self.max_model_len = Path(folder), names, max_model_len
        self.logprobs_mode, self.keeps_head = logprobs_mode, keeps_head
        self.key, self.faults = key, faults
        self.bodies: list[tuple[str, Mapping[str, Any]]] = []
        self.keys: list[str | None] = []
        self.counts: Counter[str] = Counter()
        self.running = self.peak = self.draws = 0
        self.state, self.closed = threading.Condition(), threading.Event()
        self.restart()

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.server_port}"

    def __enter__(self) -> StandIn:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closed.set()
        with self.computing:  # a thread that computes when the process ends would abort it
            self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about clients that hang up."""

    def restart(self) -> None:
        """Begin again with the weights of the folder."""
        with self.computing, self.state:
            self.model = load_model(self.folder, "cpu").eval()
            self.tied, self.version, self.paused = is_tied(self.model), "default", False
            self.cached: dict[tuple[int, ...], Any] = {}
            self.state.notify_all()

    def answer(self, route: str, query: Mapping[str, list[str]], body: Mapping[str, Any]) -> Any:
        """Return the JSON of a route, None for an empty answer."""
        if route in ("/health", "/v1/models"):
            of_all = {"root": str(self.folder), "max_model_len": self.max_model_len}
            listed = {"object": "list", "data": [{"id": name, **of_all} for name in self.names]}
            return listed if route == "/v1/models" else None
        if route == "/v1/completions":
            return self._complete(body)
        if route in ("/pause", "/resume"):
            return self._pause(query.get("mode"), pause=route == "/pause")
        if route == "/collective_rpc":
            return self._reload(body["kwargs"]["weights_path"])
        if route == "/reset_prefix_cache":
            with self.state:
                free = self.running == 0
                self.cached = {} if free else self.cached
            return {"success": free}
        if route == "/update_weight_version":
            self.version = body["new_version"]
            return {"success": True, "new_version": self.version}
        if route == "/weight_info":
            return {"weight_version": self.version}
        raise Refused(f"no route {route}")

    def _pause(self, mode: Any, *, pause: bool) -> Any:
        assert mode == ["wait"] or not pause, "what is under way would be lost"
        with self.state:
            self.paused = pause
            self.state.notify_all()
            self.state.wait_for(lambda: self.running == 0 or not self.paused)
        return {"status": "paused" if pause else "resumed"}

    @contextmanager
    def _computes(self) -> Iterator[None]:
        with self.computing:
            if self.closed.is_set():
                raise Refused("the server is closed")
            yield

    def _reload(self, folder: str) -> Any:
        with self._computes():
            head = self.model.get_output_embeddings().weight.detach().clone()
            self.model = load_model(folder, "cpu").eval()
            if self.keeps_head and (self.tied or is_tied(self.model)):
                self.model.get_output_embeddings().weight = torch.nn.Parameter(head)
        return {"results": [None]}

    def _complete(self, body: Mapping[str, Any]) -> Any:
        if body.get("model") not in self.names:
            raise Refused(f"The model `{body.get('model')}` does not exist.")
        many = isinstance(body["prompt"][0], list)
        prompts = [tuple(ids) for ids in (body["prompt"] if many else [body["prompt"]])]
        with self.state:
            self.state.wait_for(lambda: not self.paused)
            self.running += 1
            self.peak = max(self.peak, self.running)
        try:
            with self._computes(), torch.inference_mode():
                found = [choice for prompt in prompts for choice in self._choices(prompt, body)]
        finally:
            with self.state:
                self.running -= 1
                self.state.notify_all()
        return {"choices": [{"index": index, **choice} for index, choice in enumerate(found)]}

    def _choices(self, prompt: tuple[int, ...], body: Mapping[str, Any]) -> list[dict[str, Any]]:
        count, temperature = body.get("n", 1), body.get("temperature", 1.0)
        if temperature == 0 and count > 1:
            raise Refused(f"n must be 1 when using greedy sampling, got {count}.")
        limit = min(body.get("max_tokens", 16), self.max_model_len - len(prompt))
        if limit < 1:
            raise Refused(f"maximum context length is {self.max_model_len} tokens")
        cut = {"top_p": body.get("top_p", 1.0), "top_k": body.get("top_k", 0)}
        sampling = Sampling(temperature=temperature, **cut, max_new_tokens=limit)
        # With log-probabilities of the prompt, vLLM reads nothing from its prefix cache.
        told = body.get("prompt_logprobs") is not None
        model = self.model if told else self.cached.setdefault(prompt, self.model)
        chat: Any = SimpleNamespace(stop_id=-1, text=lambda ids: "")
        generator = LocalGenerator(model, chat, precision="float32")
        generator.stop_ids = {-1, *body.get("stop_token_ids", ())}
        if not body.get("ignore_eos"):
            generator.stop_ids |= LocalGenerator(model, chat).stop_ids
        seeds = tuple(derive(self.draws, "draw", number) for number in range(count))
        self.draws += 1
        ((_, drawn),) = generator.generate([Request(prompt, seeds)], sampling)
        return [self._choice(model, prompt, answer, body, told) for answer in drawn]

    def _choice(
        self, model: Any, prompt: tuple[int, ...], answer: Any, body: Mapping[str, Any], told: bool
    ) -> dict[str, Any]:
        logps, temperature = list(answer.logps), body.get("temperature", 1.0)
        if self.logprobs_mode == "raw_logprobs" and temperature not in (0, 1):
            logps = self._logps(model, [*prompt, *answer.token_ids])[len(prompt) - 1 :]
        choice: dict[str, Any] = {"text": "", "finish_reason": answer.finish_reason}
        choice |= {"logprobs": None, "prompt_logprobs": None, "stop_reason": None}
        if body.get("logprobs") is not None:
            choice["logprobs"] = {"token_logprobs": logps}
        if body.get("return_token_ids"):
            choice |= {"token_ids": list(answer.token_ids), "prompt_token_ids": list(prompt)}
        if told:
            entry = {"rank": 1, "decoded_token": ""}
            own = zip(prompt[1:], self._logps(model, prompt), strict=True)
            choice["prompt_logprobs"] = [None, *({str(i): {"logprob": p, **entry}} for i, p in own)]
        return choice

    def _logps(self, model: Any, ids: Any) -> list[float]:
        tokens = torch.tensor([list(ids)])
        logps = model(input_ids=tokens, use_cache=False).logits[0, :-1].float().log_softmax(-1)
        return logps.gather(1, tokens[0, 1:, None]).squeeze(1).tolist()


class _Handler(BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server, parts = self.server, urlsplit(self.path)
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        with server.state:
            before = server.counts[parts.path]
            server.counts[parts.path] += 1
            server.bodies.append((parts.path, body))
            server.keys.append(self.headers.get("Authorization"))
        fault = server.faults(parts.path, body, before) or Fault()
        if server.closed.wait(fault.delay) or fault.drop:
            self.close_connection = True
        elif fault.status != 200 or fault.body is not None:
            self._send(fault.status, fault.body)
        elif server.key and self.headers.get("Authorization") != f"Bearer {server.key}":
            self._send(401, {"error": "Unauthorized"})
        else:
            try:
                answer = server.answer(parts.path, parse_qs(parts.query), body)
                self._send(200, fault.change(answer) if fault.change else answer)
            except (Refused, KeyError, TypeError) as error:
                self._send(400, {"error": {"message": str(error), "code": 400}})

    do_GET = do_POST

    def _send(self, status: int, answer: Any) -> None:
        content = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass
