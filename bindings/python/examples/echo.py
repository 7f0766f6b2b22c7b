"""A server for many clients, and a client, with asyncio.

python echo.py serve /tmp/echo
python echo.py ask /tmp/echo "a question"
"""

import asyncio
import sys

from spsc_shm import aio


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.close()


async def serve(path: str) -> None:
    async with await aio.start_server(echo, path) as server:
        print("ready", flush=True)
        await server.serve_forever()


async def ask(path: str, question: str) -> None:
    reader, writer = await aio.open_connection(path)
    writer.write(question.encode() + b"\n")
    print((await reader.readline()).decode(), end="")
    writer.close()
    await writer.wait_closed()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        asyncio.run(serve(sys.argv[2]))
    else:
        asyncio.run(ask(sys.argv[2], sys.argv[3]))
