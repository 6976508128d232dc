"""frames.py LISTEN BROKER CLIENT FILE: write down what a client of Kafka's
protocol and a broker tell each other.

A proxy from port LISTEN to port BROKER of loopback.  Of each API and version
the first two frames in each direction, of at most 1500 bytes, are appended to
FILE as lines "CLIENT request|response KEY VERSION HEX"; those that are there
already are not.  Ends with TERM.
"""
import asyncio
import signal
import struct
import sys

FRAMES = 2
BYTES = 1500
listen, broker, client, path = sys.argv[1:]
seen = {}


def note(kind, key, version, frame):
    frames = seen.setdefault((kind, key, version), set())
    if len(frame) > BYTES or len(frames) >= FRAMES or frame in frames:
        return
    frames.add(frame)
    with open(path, 'a') as out:
        out.write(f'{client} {kind} {key} {version} {frame.hex()}\n')


async def pump(reader, writer, took):
    try:
        while True:
            head = await reader.readexactly(4)
            frame = await reader.readexactly(struct.unpack('>i', head)[0])
            took(frame)
            writer.write(head + frame)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def serve(reader, writer):
    """Answers come in the order of requests, but for those without one."""
    asked = {}

    def request(frame):
        key, version, correlation = struct.unpack('>hhi', frame[:8])
        asked[correlation] = (key, version)
        note('request', key, version, frame)

    def response(frame):
        key, version = asked.pop(struct.unpack('>i', frame[:4])[0])
        # An answer to a version that is not known has version 0.
        if key != 18 or frame[4:6] == b'\0\0':
            note('response', key, version, frame)

    there = await asyncio.open_connection('127.0.0.1', int(broker))
    await asyncio.gather(pump(reader, there[1], request),
                         pump(there[0], writer, response))


async def main():
    loop = asyncio.get_running_loop()
    stop = loop.create_future()
    loop.add_signal_handler(signal.SIGTERM, stop.set_result, None)
    async with await asyncio.start_server(serve, '127.0.0.1', int(listen)):
        print('ready', flush=True)
        await stop


asyncio.run(main())
