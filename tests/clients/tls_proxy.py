"""An engine's TLS port: takes clients with a certificate of its authority, and passes them on.

Usage: python tls_proxy.py CA CERTIFICATE KEY SOCKET. Prints the port that it listens on.
"""

import asyncio
import ssl
import sys

ca, certificate, key, socket = sys.argv[1:]


async def pipe(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def pass_on(reader, writer):
    engine_reader, engine_writer = await asyncio.open_unix_connection(socket)
    await asyncio.gather(pipe(reader, engine_writer), pipe(engine_reader, writer))


async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(ca)
    context.verify_mode = ssl.CERT_REQUIRED
    server = await asyncio.start_server(pass_on, '127.0.0.1', 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
