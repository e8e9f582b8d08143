#!/usr/bin/python3
"""A client of any service of a house, in another language: docs/wire-format.md, spoken.

    client.py --redis redis://127.0.0.1:6379 --cluster example clock time '{}' --subscribe tick --count 2

Finds a ready instance in Redis, calls one method, prints the reply; then prints so many messages of a push. Needs Debian's python3-zmq,
python3-msgpack and python3-redis, and the secret of the installation: run it as the user that runs the services, or name the file.
Exit codes: 0 done, 1 the call failed, 2 no instance, or no secret.
"""
import argparse, hashlib, hmac, json, os, pathlib, secrets, struct, sys, time, uuid

import msgpack, redis, zmq

HELLO, WELCOME, GOODBYE, PING, PONG, CREDIT, NAME, REQUEST, REPLY, FAILURE = range(1, 11)
SUBSCRIBE, PUSH, HOLE, RESYNC, CHALLENGE, PROOF = 12, 15, 16, 17, 20, 21
PROTOCOL, WINDOW, FRAME_COST, CREDIT_EVERY = 2, 1 << 20, 128, 1 << 16
SILENCE_S = 15.0


def instances(db, cluster, service):
    """Live instances, oldest first. The index is a sorted set: id -> end of life on Redis' clock, in milliseconds."""
    seconds, micros = db.time()
    now = seconds * 1000 + micros // 1000
    found = []
    for name in db.zrangebyscore(f"hf:{{{cluster}}}:instances:{service}", f"({now}", "+inf"):
        fields = db.hgetall(f"hf:{{{cluster}}}:instance:{service}:{name}")
        if fields.get("state") == "ready":
            found.append(fields)
    return sorted(found, key=lambda it: (int(it["startedAt"]), it["id"]))


def secret_file():
    """Where the secret is when nothing is configured (wiring.secretFile)."""
    system = pathlib.Path("/var/lib/headframe")
    if system.exists() and os.geteuid() in (system.stat().st_uid, 0):
        return system / "wiring.secret"
    state = os.environ.get("XDG_STATE_HOME", "")
    return pathlib.Path(state if state.startswith("/") else pathlib.Path.home() / ".local/state") / "headframe/wiring.secret"


class Link:
    """One connection to one process: proves that it belongs here, then calls and subscribes. Not for several threads."""

    def __init__(self, endpoint, timeout_s, cluster, secret):
        self.endpoint, self.queue, self.awaited, self.names = endpoint, [], {0}, {}
        self.last_id, self.read, self.told, self.proven = 0, 0, 0, False
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        peer = f"python-{uuid.uuid4().hex[:8]}"
        self.socket.setsockopt_string(zmq.ROUTING_ID, f"{peer}/1")
        self.socket.setsockopt(zmq.LINGER, 500)
        self.socket.connect(endpoint)
        nonce = secrets.token_hex(32)
        self.send(HELLO, a=PROTOCOL, b=WINDOW, payload=f"{peer}\n{nonce}\n")
        _, _, version, window, payload = self.wait(0, (CHALLENGE,), timeout_s)
        if version != PROTOCOL:  # A newer listener chooses ours, an older one its own.
            raise ConnectionError(f"{endpoint} speaks protocol {version}")
        other, others_nonce, key, others_proof = payload.decode().split("\n")

        def proof(side):
            fields = ["headframe", PROTOCOL, version, side, cluster, endpoint, 0, peer, nonce, "", WINDOW, other, others_nonce, key, window]
            return hmac.new(secret, "\n".join(map(str, fields)).encode(), hashlib.sha256).digest()

        if not hmac.compare_digest(proof("listener").hex(), others_proof):
            raise ConnectionError(f"[UNAUTHENTICATED] {endpoint} does not know the secret, or belongs to another cluster")
        self.send(PROOF, payload=proof("caller"))
        self.read = 0  # What came before the welcome counts in no window.
        self.wait(0, (WELCOME,), timeout_s)
        self.proven = True

    def send(self, kind, ident=0, a=0, b=0, payload=b""):
        """One message a frame: simple. A busy client puts all that it has to say into one."""
        payload = payload.encode() if isinstance(payload, str) else payload
        header = b"H\x01" + struct.pack("<d", time.monotonic() * 1000)
        self.socket.send(header + struct.pack("<BIIII", kind, len(payload), ident, a, b) + payload)

    def take(self):
        """Reads one frame, keeps what is awaited, answers pings, opens the sender's window."""
        frame, at = self.socket.recv(), 10
        if frame[:2] != b"H\x01":
            raise ConnectionError("not a frame of this protocol")
        while at < len(frame):
            kind, size, ident, a, b = struct.unpack_from("<BIIII", frame, at)
            payload = frame[at + 17 : at + 17 + size]
            at += 17 + size
            if kind == GOODBYE:
                code = "[UNAUTHENTICATED] " if ident == 1 else ""
                raise ConnectionError(f"{code}{self.endpoint} said goodbye: {payload.decode()}")
            if kind == PING:
                self.send(PONG)
            elif ident in self.awaited and kind not in (PONG, CREDIT):
                self.queue.append((kind, ident, a, b, payload))
        self.read += len(frame) + FRAME_COST
        if self.read - self.told >= CREDIT_EVERY:
            self.told = self.read
            self.send(CREDIT, a=self.read & 0xFFFFFFFF, b=self.read >> 32)

    def wait(self, ident, kinds, timeout_s=float("inf")):
        """The next of these messages. Says something each second, so that the other side knows of us, and hears whether it lives."""
        deadline, heard = time.monotonic() + timeout_s, time.monotonic()
        while True:
            for i, message in enumerate(self.queue):
                if message[1] == ident and message[0] in kinds:
                    return self.queue.pop(i)
            now = time.monotonic()
            if now >= deadline or now - heard > SILENCE_S:
                raise TimeoutError(f"[TIMEOUT] no answer of {self.endpoint}")
            if self.socket.poll(min(1.0, deadline - now) * 1000):
                self.take()
                heard = time.monotonic()
            elif self.proven:
                self.send(PING)

    def call(self, instance, method, request, timeout_s):
        if (instance, method) not in self.names:
            self.names[instance, method] = len(self.names) + 1
            self.send(NAME, self.names[instance, method], payload=f"{instance}\n{method}")
        ident = self.begin()
        self.send(REQUEST, ident, self.names[instance, method], int(timeout_s * 1000), msgpack.packb(request))
        kind, _, _, _, answer = self.wait(ident, (REPLY, FAILURE), timeout_s)
        self.awaited.discard(ident)
        if kind == REPLY:
            return msgpack.unpackb(answer)
        code, _, text = answer.decode().partition("\n")
        raise RuntimeError(f"[{code}] {text}")

    def subscribe(self, instance, push):
        """Messages as (sequence, value); sequence 0: part of a snapshot, which comes first and after every hole."""
        ident, expected = self.begin(), 1
        self.send(SUBSCRIBE, ident, payload=f"{instance}\n{push}")
        while True:
            kind, _, a, b, payload = self.wait(ident, (PUSH, HOLE))
            sequence = a | b << 32
            if kind == HOLE:
                expected = max(expected, sequence)
            elif sequence == 0 or sequence >= expected:
                if sequence > expected:
                    self.send(RESYNC, ident)
                expected = max(expected, sequence + 1)
                yield sequence, msgpack.unpackb(payload)

    def begin(self):
        self.last_id += 1
        self.awaited.add(self.last_id)
        return self.last_id


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--redis", default=os.environ.get("HEADFRAME__REDIS__URL", "redis://127.0.0.1:6379"))
    parser.add_argument("--cluster", default="headframe")
    parser.add_argument("--secret-file", default=os.environ.get("HEADFRAME__WIRING__SECRETFILE") or secret_file())
    parser.add_argument("--timeout", type=float, default=5.0, help="seconds for the hello and for the call")
    parser.add_argument("--subscribe", metavar="PUSH")
    parser.add_argument("--count", type=int, default=1, help="messages of the push to print")
    parser.add_argument("service")
    parser.add_argument("method")
    parser.add_argument("request", nargs="?", default="{}", help="as JSON")
    given = parser.parse_args()
    found = instances(redis.Redis.from_url(given.redis, decode_responses=True), given.cluster, given.service)
    if not found:
        print(f"no ready instance of {given.service} in the cluster {given.cluster}", file=sys.stderr)
        return 2
    try:
        secret = bytes.fromhex(pathlib.Path(given.secret_file).read_text())
    except (OSError, ValueError) as error:
        print(f"the secret of the installation cannot be read: {error}", file=sys.stderr)
        return 2
    try:
        link = Link(found[0]["endpoint"], given.timeout, given.cluster, secret)
        print(show(link.call(found[0]["id"], given.method, json.loads(given.request), given.timeout)), flush=True)
        if given.subscribe:
            messages = link.subscribe(found[0]["id"], given.subscribe)
            for sequence, value in (next(messages) for _ in range(given.count)):
                print(sequence, show(value), flush=True)
        link.send(GOODBYE)
    except (RuntimeError, ConnectionError, TimeoutError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def show(value):
    return json.dumps(value, default=lambda it: it.hex() if isinstance(it, bytes) else str(it))


if __name__ == "__main__":
    sys.exit(main())
