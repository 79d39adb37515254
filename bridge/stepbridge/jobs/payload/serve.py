"""A script-mode model server for an image without one: runs inside the container, Python 3.6 and up.

Does what the inference toolkit does with a user's script: model_fn, input_fn, predict_fn, output_fn (or
transform_fn), with the toolkit's defaults for those that the script leaves out. /ping answers once the model
is loaded. One process; one thread for each request, but a single one while it is debugged, so that requests
do not stop at the same breakpoint at once.
Standard library only; numpy is used where the image has it.
"""

import importlib
import inspect
import io
import json
import os
import socketserver
import subprocess
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, HTTPServer

MODEL = os.environ.get("SM_MODEL_DIR", "/opt/ml/model")
CODE = os.path.join(MODEL, "code")
CSV = "text/csv"
JSON = "application/json"
JSON_LINES = "application/jsonlines"
NPY = "application/x-npy"


class UnsupportedType(Exception):
    """A content type that no function of ours reads or writes; status 415 or 406."""

    def __init__(self, status, message):
        Exception.__init__(self, message)
        self.status = status


def numpy():
    try:
        return importlib.import_module("numpy")
    except ImportError:
        return None


def media_type(header):
    return (header or "").partition(";")[0].strip().lower()


# -- the defaults ------------------------------------------------------------------------------------------


def default_model_fn(model_dir):
    raise NotImplementedError("the inference script defines no model_fn(model_dir), which loads the model")


def number(text):
    try:
        return float(text)
    except ValueError:
        return text


def default_input_fn(body, content_type):
    kind = media_type(content_type) or JSON
    np = numpy()
    if kind == NPY and np is not None:
        return np.load(io.BytesIO(body), allow_pickle=False)
    text = body.decode("utf-8")
    if kind == CSV:
        import csv

        if np is not None:
            return np.genfromtxt(io.StringIO(text), delimiter=",")
        return [[number(cell) for cell in row] for row in csv.reader(io.StringIO(text)) if row]
    if kind == JSON:
        value = json.loads(text)
        return np.array(value) if np is not None and isinstance(value, list) else value
    if kind == JSON_LINES:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    raise UnsupportedType(415, "content type %s is not read here: define input_fn" % kind)


def default_predict_fn(data, model):
    if hasattr(model, "predict"):
        return model.predict(data)
    if callable(model):
        return model(data)
    raise NotImplementedError(
        "a %s has no predict(): the inference script must define predict_fn" % type(model).__name__
    )


def plain(value):
    """For json: arrays and their numbers as Python's own."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError("%s cannot be written as JSON: define output_fn" % type(value).__name__)


def default_output_fn(prediction, accept):
    kind = media_type(accept)
    if kind in ("", "*/*"):
        kind = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)
    if kind == JSON:
        return json.dumps(prediction, default=plain), JSON
    if kind == JSON_LINES:
        rows = plain(prediction) if hasattr(prediction, "tolist") else prediction
        rows = rows if isinstance(rows, (list, tuple)) else [rows]
        return "".join(json.dumps(row, default=plain) + "\n" for row in rows), JSON_LINES
    if kind == CSV:
        return as_csv(plain(prediction) if hasattr(prediction, "tolist") else prediction), CSV
    if kind == NPY and numpy() is not None:
        buffer = io.BytesIO()
        numpy().save(buffer, prediction)
        return buffer.getvalue(), NPY
    raise UnsupportedType(406, "%s is not written here: define output_fn" % kind)


def as_csv(rows):
    """One line for each row; a value by itself is a row of one column."""
    if not isinstance(rows, (list, tuple)):
        rows = [rows]
    lines = []
    for row in rows:
        cells = row if isinstance(row, (list, tuple)) else [row]
        lines.append(",".join(str(cell) for cell in cells))
    return "\n".join(lines) + "\n"


# -- the user's script -------------------------------------------------------------------------------------


def code_folder():
    named = os.environ.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    return named if os.path.isdir(named) else CODE


def load_script():
    """The module of the user's script.

    Returns None where the model has none."""
    folder = code_folder()
    program = os.environ.get("SAGEMAKER_PROGRAM", "")
    if not program and os.path.isfile(os.path.join(folder, "inference.py")):
        program = "inference.py"
    if not program:
        return None
    requirements = os.path.join(folder, "requirements.txt")
    if os.path.isfile(requirements):
        subprocess.check_call([sys.executable, "-m", "pip", "install", "-r", requirements])
    sys.path.insert(0, folder)
    name = os.path.splitext(os.path.normpath(program))[0].replace(os.sep, ".")
    return importlib.import_module(name)


def call(function, *arguments):
    """Call a function of the script; newer scripts take one more argument, the context."""
    try:
        wanted = len(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        wanted = len(arguments)
    more = [None] * (wanted - len(arguments)) if wanted == len(arguments) + 1 else []
    return function(*(list(arguments) + more))


class Model:
    """The loaded model behind the script's functions."""

    def __init__(self, script):
        self.input_fn = getattr(script, "input_fn", default_input_fn)
        self.predict_fn = getattr(script, "predict_fn", default_predict_fn)
        self.output_fn = getattr(script, "output_fn", default_output_fn)
        self.transform_fn = getattr(script, "transform_fn", None)
        self.model = call(getattr(script, "model_fn", default_model_fn), MODEL)

    def answer(self, body, content_type, accept):
        """(body as bytes, content type)."""
        if self.transform_fn is not None:
            result = call(self.transform_fn, self.model, body, content_type, accept)
        else:
            data = call(self.input_fn, text_or_bytes(body, content_type, self.input_fn), content_type)
            prediction = call(self.predict_fn, data, self.model)
            result = call(self.output_fn, prediction, accept)
        content, kind = result if isinstance(result, tuple) else (result, accept)
        if kind in ("", "*/*"):
            kind = JSON
        return content if isinstance(content, bytes) else str(content).encode("utf-8"), kind


def text_or_bytes(body, content_type, input_fn):
    """The toolkit hands a script text for textual content types, and bytes for all others."""
    if input_fn is default_input_fn:
        return body
    kind = media_type(content_type)
    textual = kind.startswith("text/") or kind in (JSON, JSON_LINES)
    return body.decode("utf-8") if textual else body


# -- HTTP --------------------------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    model = None

    def do_GET(self):
        self.reply(*((200, b"\n", "text/plain") if self.path == "/ping" else (404, b"", "text/plain")))

    def do_POST(self):
        body = self.body()
        if self.path.partition("?")[0] != "/invocations":
            return self.reply(404, b"", "text/plain")
        accept = self.headers.get("Accept") or os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", JSON)
        try:
            content, kind = self.model.answer(body, self.headers.get("Content-Type") or JSON, accept)
        except UnsupportedType as error:
            return self.reply(error.status, str(error).encode("utf-8"), "text/plain")
        except Exception as error:
            traceback.print_exc()
            sys.stderr.flush()
            text = "%s: %s" % (type(error).__name__, error)
            return self.reply(500, text.encode("utf-8"), "text/plain")
        return self.reply(200, content, kind)

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            pieces = []
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
                if size == 0:
                    return b"".join(pieces)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def reply(self, status, body, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):
        if self.path != "/ping":
            sys.stdout.write("%s\n" % (format % arguments))
            sys.stdout.flush()


class ThreadingServer(socketserver.ThreadingMixIn, HTTPServer):
    daemon_threads = True


def is_debugged():
    return "STEPBRIDGE_DEBUG" in os.environ


def main():
    if os.environ.get("SAGEMAKER_MULTI_MODEL") == "true":
        sys.stderr.write(
            "This image has no `serve` command, which Mode MultiModel needs: StepBridge's own server has one"
            " model. Use an image with multi-model-server, or the model of one archive.\n"
        )
        return 1
    script = load_script()
    if script is None:
        sys.stderr.write(
            "This image has no `serve` command, and the model names no inference script"
            " (SAGEMAKER_PROGRAM, or code/inference.py in its archive).\n"
        )
        return 1
    Handler.model = Model(script)
    port = int(os.environ.get("STEPBRIDGE_PORT") or 8080)
    address = "127.0.0.1" if os.environ.get("STEPBRIDGE_PORT") else ""
    kind = HTTPServer if is_debugged() else ThreadingServer
    server = kind((address, port), Handler)
    threading.current_thread().name = "server"
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
