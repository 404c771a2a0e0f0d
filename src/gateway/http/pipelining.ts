import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Requests of one connection that are worked on at the same time. Events that come in them can share a flush. */
const RUNNING_MAX = 8
/** Requests of one connection that wait. A client that sends more before it reads an answer is cut off. */
const WAITING_MAX = 64

interface Line {
  running: number
  waiting: [IncomingMessage, ServerResponse][]
}

/**
 * Bounds the requests that a client sends on one connection before it reads their answers (pipelining). Node reads and answers them
 * without limit, so that a hundred connections with two hundred small requests each took the only thread for a minute, and a gigabyte of
 * answers waited for their client. A request counts until the kernel has taken its answer. Call it last: it wraps the server's listener.
 */
export function boundPipelining(server: Server): void {
  const lines = new WeakMap<Socket, Line>()
  const listeners = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[]
  server.removeAllListeners('request')

  const start = (line: Line, request: IncomingMessage, response: ServerResponse) => {
    line.running++
    response.once('close', () => {
      line.running--
      const next = line.waiting.shift()
      // Not in this turn, so that a long line leaves time to other connections.
      if (next !== undefined && !request.socket.destroyed) setImmediate(start, line, ...next)
    })
    for (const listener of listeners) listener.call(server, request, response)
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
