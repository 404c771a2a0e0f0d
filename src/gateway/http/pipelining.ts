import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { hasManyHeaders } from '../../admission/request-head.ts'
import { holdChunks } from './body-pace.ts'
import { clientAddress } from './client-address.ts'
import { lastCallerOf } from './connection-callers.ts'
import { costOfHead } from './head-cost.ts'
import { createFreeProbes } from './free-probes.ts'
import { createLoopShare, type LoopShare, type ShareLimits } from './loop-share.ts'
import { refuseHeaders } from './unreadable.ts'

/** Requests of one connection that are worked on at the same time. Events that come in them can share a flush. */
const RUNNING_MAX = 8
/** Requests of one connection that wait. A client that sends more before it reads an answer is cut off. */
const WAITING_MAX = 8

/** Of an address, or of a caller that is known from the request before. Their connections take turns. */
const SHARE: ShareLimits = { aloneMax: 4, callerMax: 1, allMax: 32 }

interface Line {
  running: number
  waiting: [IncomingMessage, ServerResponse][]
}

/**
 * Bounds the requests that a client sends on one connection before it reads their answers (pipelining). Node reads and answers them
 * without limit, so that a hundred connections with two hundred small requests each took the only thread for a minute, and a gigabyte of
 * answers waited for their client. A request counts until the kernel has taken its answer.
 *
 * The requests of all connections begin in portions, so that a thousand connections leave time between them. Addresses take turns. A
 * connection whose last request had a known caller has the turns of that caller, so that it does not wait for others of its address. Behind a proxy,
 * which has one address for all its clients, connections take turns. Call it last: it wraps the server's listener.
 */
export function boundPipelining(server: Server, { isBehindProxy }: { isBehindProxy: boolean }): void {
  const lines = new WeakMap<Socket, Line>()
  const share = createLoopShare(SHARE)
  const isFree = createFreeProbes()
  const enter = inTurnOfConnections(share)
  const listeners = server.listeners('request') as ((request: IncomingMessage, response: ServerResponse) => void)[]
  server.removeAllListeners('request')

  const begin = (request: IncomingMessage, response: ServerResponse) => {
    if (hasManyHeaders(request)) refuseHeaders(response)
    else for (const listener of listeners) listener.call(server, request, response)
  }
  const start = (line: Line, request: IncomingMessage, response: ServerResponse) => {
    line.running++
    response.once('close', () => {
      line.running--
      const next = line.waiting.shift()
      // Not in this turn, so that a long line leaves time to other connections.
      if (next !== undefined && !request.socket.destroyed) setImmediate(start, line, ...next)
    })
    if (isFree(request)) return begin(request, response)
    const { socket } = request
    const caller = isBehindProxy ? socket : (lastCallerOf(socket) ?? clientAddress(socket.remoteAddress))
    enter(caller, socket, () => {
      if (socket.destroyed) return 0
      begin(request, response)
      return costOfHead(request)
    })
  }

  server.on('request', (request, response) => {
    const { socket } = request
    if (socket.destroyed) return
    holdChunks(request)
    const line = lines.get(socket) ?? { running: 0, waiting: [] }
    lines.set(socket, line)
    if (line.running < RUNNING_MAX && line.waiting.length === 0) start(line, request, response)
    else if (line.waiting.length < WAITING_MAX) line.waiting.push([request, response])
    else socket.destroy()
  })
}

type Task = () => number

/** Lets the connections of a caller take turns, so that many requests on one of them delay the others by one request each. */
function inTurnOfConnections(share: LoopShare) {
  const callers = new Map<string | Socket, Map<Socket, Task[]>>()
  return (caller: string | Socket, connection: Socket, task: Task) => {
    const waiting = callers.get(caller) ?? new Map<Socket, Task[]>()
    callers.set(caller, waiting)
    const ofConnection = waiting.get(connection)
    if (ofConnection === undefined) waiting.set(connection, [task])
    else ofConnection.push(task)
    share.begin(caller, () => {
      const [next, tasks] = waiting.entries().next().value!
      waiting.delete(next)
      const first = tasks.shift()!
      if (tasks.length > 0) waiting.set(next, tasks)
      else if (waiting.size === 0) callers.delete(caller)
      return first()
    })
  }
}
