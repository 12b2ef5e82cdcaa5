#!/usr/bin/env python3
"""A server that is far away: distant.py PORT MILLISECONDS passes everything on so much later, both ways.

Prints the port that it listens on. What is under way is bounded only by what its two sides agree on.
"""
import asyncio
import sys

BLOCK = 256 << 10


async def carry(source, sink, seconds):
    loop = asyncio.get_running_loop()
    under_way = asyncio.Queue()

    async def deliver():
        while True:
            due, block = await under_way.get()
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            if not block:
                break
            sink.write(block)
            await sink.drain()
        sink.close()

    delivery = asyncio.create_task(deliver())
    try:
        while block := await source.read(BLOCK):
            under_way.put_nowait((loop.time() + seconds, block))
    except ConnectionError:
        pass
    under_way.put_nowait((loop.time() + seconds, b""))
    await asyncio.gather(delivery, return_exceptions=True)


async def serve(port, seconds):
    async def link(reader, writer):
        there, back = await asyncio.open_connection("127.0.0.1", port, limit=16 * BLOCK)
        await asyncio.gather(carry(reader, back, seconds), carry(there, writer, seconds))

    server = await asyncio.start_server(link, "127.0.0.1", 0, limit=16 * BLOCK)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1000))
