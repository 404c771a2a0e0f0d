import type { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { areTiny, type BodyPace, type PacedBody } from './body-pace.ts'
import { freeBytes } from './free-bytes.ts'

/**
 * What is dropped of a body that was answered before all of it had arrived, in bytes and in time; then its connection is cut. A client
 * that reads only when it has sent everything gets its answer up to there. 32 MiB are twice the largest body.
 */
const REST_BYTES_MAX = 32 * 1024 * 1024
const REST_MS_MAX = 5_000
/** The same when the gateway stops. */
const REST_MS_AT_END = 500

/** The last request of each connection that was answered before all of it had arrived. */
const answeredEarly = new WeakMap<Socket, IncomingMessage>()

/** Requests whose sender waits with the body until it is asked for. */
const waitingSenders = new WeakMap<IncomingMessage, ServerResponse>()

/**
 * Keeps a connection open after an early answer until the rest of the body has arrived, and drops it. Closed at once, the kernel would
 * reset the connection while the client still sends, and the answer would be lost.
 */
export function dropRests(app: FastifyInstance, pace: BodyPace, callerOf: (request: FastifyRequest) => string): void {
  const rests = new Set<IncomingMessage>()
  let isClosing = false
  // Expectations other than 100-continue are ignored; Node would answer 417.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response))
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    waitingSenders.set(request, response)
    app.server.emit('request', request, response)
  })
  app.addHook('onSend', (request, reply, _payload, done) => {
    const { raw } = request
    if (!raw.complete && hasBody(raw)) {
      // The body may come although it was not asked for, or not. What follows cannot be told apart.
      if (waitingSenders.has(raw)) reply.header('connection', 'close')
      else if (!isEndless(raw)) reply.removeHeader('connection')
      // An injected request has no connection.
      if (raw.socket instanceof Socket && !raw.socket.destroyed) {
        dropRest(raw, pace.enter(callerOf(request), raw, 'drop'))
        rests.add(raw)
        raw.once('close', () => {
          rests.delete(raw)
          // Its connection is idle now, and nothing else would close it.
          if (isClosing) setImmediate(() => app.server.closeIdleConnections())
        })
        if (isClosing) closeSoon(raw)
      }
    } else {
      // Fastify closes the connection after every error of a body, also when all of it has arrived.
      reply.removeHeader('connection')
    }
    done()
  })
  app.addHook('preClose', (done) => {
    isClosing = true
    rests.forEach(closeSoon)
    done()
  })
  app.addHook('onResponse', async ({ raw }) => {
    if (!raw.complete) answeredEarly.set(raw.socket, raw)
  })
}

/** Leaves a client a moment to read its answer when the gateway stops. */
function closeSoon(request: IncomingMessage): void {
  const timer = setTimeout(() => request.socket.destroy(), REST_MS_AT_END)
  request.once('close', () => clearTimeout(timer))
}

/** Asks a sender that waits for its body. */
export function askForBody(request: IncomingMessage): void {
  waitingSenders.get(request)?.writeContinue()
  waitingSenders.delete(request)
}

/** Whether the last answer on a connection was to a request that has not arrived as a whole. */
export function isAnsweredEarly(socket: Socket): boolean {
  return answeredEarly.get(socket)?.complete === false
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Whether a body will be cut off: Fastify then announces the end of the connection. */
function isEndless({ headers }: IncomingMessage): boolean {
  return Number(headers['content-length'] ?? 0) > REST_BYTES_MAX
}

/** Makes Node close the connection after the whole request, when it would close it after the answer. */
function closeAfter(request: IncomingMessage): void {
  const { socket } = request
  socket.destroySoon = () => {
    Reflect.deleteProperty(socket, 'destroySoon')
    if (request.complete || socket.destroyed) socket.destroySoon()
    else request.once('end', () => socket.destroySoon())
  }
}

function dropRest(request: IncomingMessage, paced: PacedBody): void {
  const { socket } = request
  closeAfter(request)
  let bytes = 0
  let pieces = 0
  const isChunked = request.headers['transfer-encoding'] !== undefined
  const timer = setTimeout(() => socket.destroy(), REST_MS_MAX)
  const stop = () => {
    clearTimeout(timer)
    paced.leave()
  }
  request.once('close', stop)
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    pieces++
    freeBytes(chunk)
    if (bytes > REST_BYTES_MAX || (isChunked && areTiny({ pieces, bytes }))) socket.destroy()
    else paced.wait()
  })
  request.once('end', stop)
  // A request whose body is not read drops it by itself, and one that is read resumes its socket.
  request.read(0)
  request._read = () => undefined
  request.resume()
  paced.wait()
}
