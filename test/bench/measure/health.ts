import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Latency } from '../client/job.ts'
import { latencyOf } from '../client/latency.ts'
import { memoryOf } from './process-memory.ts'

const PAUSE_MS = 20

export interface Watched {
  /** Of requests for /health, each on a connection of its own. */
  health: Latency
  /** MB, at the beginning and at most. */
  memoryBefore: number
  memoryMax: number
}

/** Asks a gateway for its health every 20 ms while the work runs, and measures its memory. @throws when an answer is missing. */
export async function watchedDuring(gateway: { url: string; pid: number }, work: () => Promise<unknown>): Promise<Watched> {
  const memoryBefore = await memoryOf(gateway.pid)
  const milliseconds: number[] = []
  let memoryMax = memoryBefore
  let isOver = false
  const done = work().finally(() => (isOver = true))
  while (!isOver) {
    milliseconds.push(await healthMs(gateway.url))
    memoryMax = Math.max(memoryMax, await memoryOf(gateway.pid))
    await sleep(PAUSE_MS)
  }
  await done
  return { health: latencyOf(milliseconds), memoryBefore, memoryMax }
}

async function healthMs(url: string): Promise<number> {
  const { hostname, port } = new URL(url)
  const startMs = performance.now()
  const socket = connect({ host: hostname, port: Number(port) })
  socket.write(`GET /health HTTP/1.1\r\nhost: ${hostname}\r\nconnection: close\r\n\r\n`)
  const [data] = (await once(socket, 'data')) as [Buffer]
  const ms = performance.now() - startMs
  socket.destroy()
  if (!data.toString().startsWith('HTTP/1.1 200')) throw new Error(`/health: ${data.toString('latin1', 0, 100)}`)
  return ms
}
