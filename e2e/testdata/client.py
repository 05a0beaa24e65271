"""A client as people wrote them for the original: it knows nothing of Stampede.

usage: client.py SERVER MODEL_SERVER [FUNC]

It registers a test, starts it, asks for its status once a second until that is
"finish" or "error", fetches the report, which may not be there at once, and
prints it.
"""

import json
import sys
import time
import urllib.error
import urllib.request

server, model_server = sys.argv[1], sys.argv[2]
func = sys.argv[3] if len(sys.argv) > 3 else "lambda t: int(t / 0.1 + 1) if t < 60 else None"

config = {
    "url": model_server,
    "model": "mistralai/Mistral-7B-Instruct-v0.1",
    "key": "EMPTY",
    "dataset_name": "synthesizer",
    "endpoint_type": "vllm",
    "random_seed": None,
    "dataset_config": {"func": func, "prompt_source": "synthetic"},
    "workload_range": [None, None],
    "kwargs": {"skip_idle_min": 20, "time_step": 0.001, "request_timeout": 3600},
}


def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server + path, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


status, text = ask("/register_test", config)
if status != 200:
    sys.exit(f"register: {status} {text}")
test = text[1:-1]
print(test, file=sys.stderr)
print(ask(f"/start_test/{test}")[1], file=sys.stderr)

while True:
    state = ask(f"/test_status/{test}")[1][1:-1]
    print("status:", state, file=sys.stderr)
    if state == "finish":
        break
    if state == "error":
        sys.exit(ask(f"/error_info/{test}")[1])
    time.sleep(1)

status, text = ask(f"/report/json/{test}")
while status == 404:
    time.sleep(0.1)
    status, text = ask(f"/report/json/{test}")
report = json.loads(text)
print(report["request_num"], "requests,", report["fail_rate"], "failed", file=sys.stderr)
json.dump(report, sys.stdout)
