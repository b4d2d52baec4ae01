"""Python's websockets at the other end of a connection: a server that nobody here wrote, for the worker, and a client
that nobody here wrote, for the feed of this package.

    with_websockets.py serve CASE TRUTH [PEM]    prints its port, serves connections one after the other as CASE says, by
                                                 TLS with the certificate and key of PEM; writes each message to TRUTH as
                                                 a line of base64, ends with its standard input
    with_websockets.py read URI...               connects to one after the other, prints a line of JSON for each: the
                                                 messages in base64, the close code heard, and the one said
"""

import asyncio
import base64
import http
import json
import ssl
import sys

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed

MINUTE_MS = 60_000
START_MS = 1_769_900_340_000


class Teller:
    """Sends messages over one connection and keeps the truth."""

    def __init__(self, socket, truth):
        self.socket = socket
        self.truth = truth

    async def tell(self, message, pieces=None):
        raw = message if isinstance(message, bytes) else message.encode()
        self.truth.write(base64.b64encode(raw).decode() + "\n")
        self.truth.flush()
        if pieces is None:
            await self.socket.send(message)
        else:
            size = max(1, len(message) // pieces)
            await self.socket.send([message[at : at + size] for at in range(0, len(message), size)])

    async def trades(self, first, count):
        for number in range(first, first + count):
            await self.tell(trade(number))

    async def settle(self):
        """A ping, answered: the client has read all before."""
        await asyncio.wait_for(await self.socket.ping(b"settle \xff"), 10)
        print("settled", flush=True)


def trade(number, pad=0):
    record = {
        "e": "trade",
        "E": START_MS + number * 700,
        "s": "BNBUSDT" if number % 3 else "BTCUSDT",
        "t": number // 3 if number % 3 == 0 else number,
        "p": f"{640 + number % 17}.{number % 100:02}000000",
        "q": f"0.{1 + number % 99:02}000000",
        "T": START_MS + number * 700,
        "m": number % 2 == 0,
        "M": True,
    }
    if pad:
        record["pad"] = "x" * pad
    return json.dumps(record, separators=(",", ":"))


async def plain(teller, place):
    await teller.trades(1, 300)
    await teller.settle()
    await teller.socket.wait_closed()


async def forms(teller, place):
    """Fragments, binary, pings in between, large messages, text that is none of ASCII."""
    await teller.tell(trade(3), pieces=7)
    await teller.tell(trade(6).encode(), pieces=5)
    await teller.tell(trade(9).encode())
    await (await teller.socket.ping(b"\x00" * 125))
    await teller.tell(trade(12, pad=3_000_000))
    await teller.tell(trade(15, pad=500_000), pieces=50)
    await teller.tell('{"note":"\u03ba\u1f79\u03c3\u03bc\u03b5 \U0001f600"}')
    await teller.settle()
    await teller.socket.wait_closed()


async def subscribed(teller, place):
    asked = await asyncio.wait_for(teller.socket.recv(), 5)
    await teller.tell(json.dumps({"asked": json.loads(asked)}))
    beat = await asyncio.wait_for(teller.socket.recv(), 5)
    await teller.tell(json.dumps({"beat": beat}))
    await teller.trades(1, 30)
    await teller.settle()
    await teller.socket.wait_closed()


async def cuts(teller, place):
    """Closed, then aborted, then to the end."""
    await teller.trades(1 + place * 99, 99)
    await teller.settle()
    if place == 0:
        await teller.socket.close(1001, "24 hours")
    elif place == 1:
        teller.socket.transport.abort()
    else:
        await teller.socket.wait_closed()


async def closes(teller, place):
    await teller.trades(1, 30)
    await teller.socket.close(4321, "enough")


CASES = {"plain": plain, "forms": forms, "subscribed": subscribed, "cuts": cuts, "closes": closes}
REFUSALS = {"forbidden": http.HTTPStatus.FORBIDDEN, "busy": http.HTTPStatus.SERVICE_UNAVAILABLE}


async def serving(case, path, identity=None):
    tls = None
    if identity:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(identity)
    with open(path, "w", encoding="ascii") as truth:
        place = -1

        async def handle(socket):
            nonlocal place
            place += 1
            try:
                await CASES[case](Teller(socket, truth), place)
            except ConnectionClosed:
                pass

        def refuse(socket, request):
            if case in REFUSALS:
                return socket.respond(REFUSALS[case], "not today\n")
            return None

        async with serve(handle, "127.0.0.1", 0, process_request=refuse, max_size=None, ssl=tls) as server:
            print(server.sockets[0].getsockname()[1], flush=True)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


async def reading(uri):
    messages = []
    try:
        async with connect(uri, max_size=None, proxy=None, compression=None, open_timeout=10) as socket:
            while True:
                message = await socket.recv()
                raw = message if isinstance(message, bytes) else message.encode()
                messages.append(base64.b64encode(raw).decode())
    except ConnectionClosed as closed:
        heard, said = closed.rcvd and closed.rcvd.code, closed.sent and closed.sent.code
        print(json.dumps({"messages": messages, "heard": heard, "said": said}), flush=True)


async def reading_all(uris):
    for uri in uris:
        await reading(uri)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", case, path, *identity]:
            asyncio.run(serving(case, path, *identity))
        case ["read", *uris]:
            asyncio.run(reading_all(uris))
        case _:
            sys.exit(__doc__)
