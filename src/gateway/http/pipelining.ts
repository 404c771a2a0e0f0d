import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { clientAddress } from './client-address.ts'
import { createLoopShare, isProbe, type ShareLimits } from './loop-share.ts'

/** Requests of one connection that are worked on at the same time. Events that come in them can share a flush. */
const RUNNING_MAX = 8
/** Requests of one connection that wait. A client that sends more before it reads an answer is cut off. */
const WAITING_MAX = 8

/** An address may be that of many callers. */
const ADDRESS_SHARE: ShareLimits = { aloneMax: 4, callerMax: 4, allMax: 32 }

interface Line {
  running: number
  waiting: [IncomingMessage, ServerResponse][]
}

/**
 * Bounds the requests that a client sends on one connection before it reads their answers (pipelining). Node reads and answers them
 * without limit, so that a hundred connections with two hundred small requests each took the only thread for a minute, and a gigabyte of
 * answers waited for their client. A request counts until the kernel has taken its answer. The requests of all connections begin in
 * portions, addresses by turns, so that a thousand connections leave time between them; behind a proxy, which has one address for all its
 * clients, connections by turns. Call it last: it wraps the server's listener.
 */
export function boundPipelining(server: Server, { isBehindProxy }: { isBehindProxy: boolean }): void {
  const lines = new WeakMap<Socket, Line>()
  const share = createLoopShare(ADDRESS_SHARE)
  const listeners = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[]
  server.removeAllListeners('request')

  const begin = (request: IncomingMessage, response: ServerResponse) => {
    for (const listener of listeners) listener.call(server, request, response)
  }
  const start = (line: Line, request: IncomingMessage, response: ServerResponse) => {
    line.running++
    response.once('close', () => {
      line.running--
      const next = line.waiting.shift()
      // Not in this turn, so that a long line leaves time to other connections.
      if (next !== undefined && !request.socket.destroyed) setImmediate(start, line, ...next)
    })
    if (isProbe(request.url)) return begin(request, response)
    share.begin(isBehindProxy ? request.socket : clientAddress(request.socket.remoteAddress), () => {
      if (request.socket.destroyed) return 0
      begin(request, response)
      return 1
    })
  }

  server.on('request', (request, response) => {
    const { socket } = request
    if (socket.destroyed) return
    const line = lines.get(socket) ?? { running: 0, waiting: [] }
    lines.set(socket, line)
    if (line.running < RUNNING_MAX && line.waiting.length === 0) start(line, request, response)
    else if (line.waiting.length < WAITING_MAX) line.waiting.push([request, response])
    else socket.destroy()
  })
}
