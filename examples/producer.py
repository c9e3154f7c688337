"""The same in Python, with `pip install bullmq`: asks for a sync."""

import asyncio
import os

from bullmq import Queue


async def main():
    queue = Queue("sync", {"prefix": "{keyferry}", "connection": os.environ["REDIS_URL"]})
    job = await queue.add("sync", {"syncId": os.environ["SYNC_ID"], "requestedBy": "deploy script"})
    print(f"added job {job.id}")
    await queue.close()


asyncio.run(main())
