"""The true aws CLI without its start-up: one process has it loaded, and forks for each call. What scripts find on PATH as
`aws` hands over its words, environment, directory and descriptors; as `sleep`, it lets the test's clock run on instead."""
import array
import json
import os
import socket
import sys
import threading
import traceback
from pathlib import Path

CALLER = """#!{python} -SEs
import array, json, os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect({socket!r})
message = json.dumps([sys.argv[1:], dict(os.environ), os.getcwd()]).encode()
s.sendmsg([len(message).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
s.sendall(message)
code = s.recv(1)
sys.exit(code[0] if code else 70)
"""
# A line a pause, then a wait that is short, so that what is to happen meanwhile can.
SLEEP = """#!/bin/sh
echo "$1" >>{clock}
exec {python} -SEsc 'import time; time.sleep(0.03)'
"""


def serve(path):
    from awscli.clidriver import create_clidriver

    driver = create_clidriver()
    # Most of a call's time is the reading of these.
    for service in ("ecr", "ecs", "iam", "logs", "s3", "sts"):
        for kind in ("service-2", "paginators-1"):
            driver.session.get_component("data_loader").load_service_model(service, kind)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(64)
    print("ready", flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    while True:
        connection, _ = listener.accept()
        if os.fork():
            connection.close()
            continue
        if os.fork():
            os._exit(0)
        head, ancillary, _, _ = connection.recvmsg(4, socket.CMSG_SPACE(12))
        descriptors = array.array("i")
        descriptors.frombytes(ancillary[0][2])
        message = b""
        while len(message) < int.from_bytes(head, "big"):
            message += connection.recv(65536)
        words, environment, directory = json.loads(message)
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
        os.chdir(directory)
        # Where its data are the CLI has told itself as it was loaded.
        kept = {"AWS_DATA_PATH": os.environ["AWS_DATA_PATH"]}
        os.environ.clear()
        os.environ.update(environment | kept)
        # Profiles are the caller's, not those of whoever runs the tests.
        driver.session._config = driver.session._profile_map = None
        code = 70
        try:
            code = driver.main(words)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 70
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            connection.sendall(bytes([code or 0]))
            os._exit(0)


def programs(folder):
    """`aws` and `sleep` in a folder for PATH; the file that has a line for each pause."""
    clock = Path(folder, "clock")
    clock.touch()
    for name, text in (("aws", CALLER), ("sleep", SLEEP)):
        program = Path(folder, name)
        program.write_text(text.format(python=sys.executable, socket=f"{folder}/socket", clock=clock))
        program.chmod(0o755)
    return clock


if __name__ == "__main__":
    serve(sys.argv[1])
