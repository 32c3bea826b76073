#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fake_runtime.py SOCKET MODE: a container runtime that knows nothing but names. MODE is docker, crio, stall, garbage, flood or
drip. Prints the requests that it gets."""
import json
import os
import socket
import sys
import threading
import time

path, mode = sys.argv[1:]
LABELS = {"io.kubernetes.pod.name": "web-1", "io.kubernetes.pod.namespace": "shop", "io.kubernetes.container.name": "nginx"}


def body_of(ident):
    if mode == "crio":
        return {"name": "k8s_nginx_web-1_shop", "image": "quay.io/test/nginx:1.2", "image_ref": "sha256:" + 64 * "a", "labels": LABELS}
    return {"Id": ident, "Name": "/web", "Image": "sha256:" + 64 * "b", "Config": {"Image": "registry:5000/test/nginx:1.2", "Labels": {}}}


def serve(c):
    head = b""
    while b"\r\n\r\n" not in head:
        got = c.recv(4096)
        if not got:
            return
        head += got
    line = head.split(b"\r\n")[0].decode()
    print(line, flush=True)
    if mode == "stall":
        time.sleep(60)
    elif mode == "drip":  # a byte now and then, for ever
        while True:
            c.sendall(b"H")
            time.sleep(0.05)
    elif mode == "garbage":
        c.sendall(os.urandom(5000))
    elif mode == "flood":
        c.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
        for _ in range(1600):
            c.sendall(b"[" * 65536)
    else:
        body = json.dumps(body_of(line.split("/")[2].split(" ")[0])).encode()
        c.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + body)
    c.close()


def quietly(c):
    try:
        serve(c)
    except OSError as e:
        print("ended:", e.strerror, flush=True)


s = socket.socket(socket.AF_UNIX)
s.bind(path)
os.chmod(path, 0o660)
os.chown(path, 0, 4242)
s.listen(8)
print("listening", flush=True)
while True:
    threading.Thread(target=quietly, args=(s.accept()[0],), daemon=True).start()
