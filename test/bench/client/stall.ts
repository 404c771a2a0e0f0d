import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LoadResult, StallJob } from './job.ts'
import { latencyOf } from './latency.ts'

const BODY_BYTES = 2 * 1024 * 1024
const PIECE = Buffer.alloc(64 * 1024, ' ')
/**
 * 3 MB/s on each connection. The kernel would take all of it at once, and 4 GB of it, on the same machine as the receiver, are more than
 * its memory for connections: it then drops packets of every connection.
 */
const PIECE_MS = 20
/** Connections are opened at this rate, as by an attacker that other requests should not notice. */
const OPENED_PER_SECOND = 1_000
const REOPEN_MS_MAX = 2_000

/**
 * Keeps connections open that each send a body of 2 MiB without its last byte and then stop, as do those whose body is refused. A
 * connection that is closed is opened again, up to 2 s later, so that they do not all come back at the same moment.
 */
export async function stall({ url, connections, secondsMax }: StallJob): Promise<LoadResult> {
  const cpuBefore = process.cpuUsage()
  const startMs = performance.now()
  const sockets = new Set<Socket>()
  const statuses: Record<string, number> = {}
  let requests = 0
  let isOver = false

  const openOne = () => {
    if (isOver) return
    requests++
    const onStatus = (status: string) => (statuses[status] = (statuses[status] ?? 0) + 1)
    const socket = stalledConnection(url, onStatus)
    sockets.add(socket)
    socket.on('close', () => {
      sockets.delete(socket)
      setTimeout(openOne, Math.random() * REOPEN_MS_MAX)
    })
  }
  for (let opened = 0; opened < connections; opened++) {
    openOne()
    if (opened % (OPENED_PER_SECOND / 100) === 0) await sleep(10)
  }
  await sleep(secondsMax * 1_000 - (performance.now() - startMs))
  isOver = true
  for (const socket of sockets) socket.destroy()
  const seconds = (performance.now() - startMs) / 1_000
  const { user, system } = process.cpuUsage(cpuBefore)
  const cpuSeconds = (user + system) / 1e6
  return { requests, events: 0, errors: statuses, seconds, latency: latencyOf([]), cpuSeconds, sightings: [] }
}

/** The signature has the right form, which everybody can write. */
function stalledConnection(url: string, onStatus: (status: string) => void): Socket {
  const { host, hostname, port, pathname } = new URL(url)
  const signature = `t=${Math.floor(Date.now() / 1_000)},v1=${'a'.repeat(64)}`
  const head = `POST ${pathname} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\nx-signature: ${signature}\r\ncontent-length: ${BODY_BYTES}\r\n\r\n`
  let left = BODY_BYTES - 1
  let isAnswered = false
  const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(head, sendPiece))
  const sendPiece = () => {
    if (isAnswered || left === 0 || socket.destroyed) return
    const piece = PIECE.subarray(0, Math.min(left, PIECE.length))
    left -= piece.length
    socket.write(piece, () => setTimeout(sendPiece, PIECE_MS))
  }
  socket.on('error', () => undefined)
  socket.on('data', (data) => {
    if (!isAnswered) onStatus(data.toString('latin1', 9, 12))
    isAnswered = true
  })
  return socket
}
