"""A link of some rate: a proxy of TCP that hands on bytes no faster."""

import asyncio
import threading


class Shaped:
    """Before a server; ``bit_s`` of the way up may be changed at any time."""

    def __init__(self, port, bit_s):
        self.bit_s, self._loop = bit_s, asyncio.new_event_loop()
        opened = asyncio.start_server(
            lambda *ends: self._joined(ends, port), "127.0.0.1", 0, limit=2048
        )
        self.port = self._loop.run_until_complete(opened).sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    async def _joined(self, near, port):
        far = await asyncio.open_connection("127.0.0.1", port)
        ways = self._carried(near[0], far[1], True), self._carried(far[0], near[1], False)
        await asyncio.gather(*ways, return_exceptions=True)

    async def _carried(self, reader, writer, shaped):
        while some := await reader.read(512):
            left_bits, then_s = 8 * len(some) * shaped, self._loop.time()
            while left_bits > 0:  # in steps: the rate may change in between
                await asyncio.sleep(min(0.02, left_bits / self.bit_s))
                left_bits -= (self._loop.time() - then_s) * self.bit_s
                then_s = self._loop.time()
            writer.write(some)
            await writer.drain()
        writer.close()

    def stop(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
