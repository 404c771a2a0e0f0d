import { type Agent, type IncomingMessage, request as requestOf, type ServerResponse } from 'node:http'

/** Headers that are about one connection, and not passed to the next one. */
const OF_CONNECTION = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/**
 * A body of this length or more is sent when Restate asks for it. Restate refuses one that is too large before it reads it, and Node
 * would lose that answer while it writes.
 */
const LARGE_BYTES = 1024 * 1024

/** Where Restate listens. The path of a socket has about 100 bytes at most, so that it is relative to the working directory. */
export type ListenerOfRestate = { socketPath: string } | { host: string; port: number }

export interface Target {
  listener: ListenerOfRestate
  agent: Agent
  answerHeaderBytesMax: number
}

/** Passes a request on to Restate, and its answer back, both as streams. A client that hangs up ends the request. */
export function passOn(request: IncomingMessage, response: ServerResponse, target: Target): void {
  const isClientWaiting = request.headers.expect?.toLowerCase() === '100-continue'
  const isOnDemand = isClientWaiting || Number(request.headers['content-length']) >= LARGE_BYTES
  const onward = requestOf({
    ...target.listener,
    agent: target.agent,
    maxHeaderSize: target.answerHeaderBytesMax,
    method: request.method,
    path: request.url,
    headers: headersOf(request, isOnDemand),
  })
  onward.on('response', (answer) => {
    passBack(answer, response)
    answer.on('end', () => {
      // The rest of a body that Restate did not read would block the connection of the client.
      if (!onward.writableFinished) onward.destroy()
      request.resume()
    })
  })
  onward.on('error', (error: NodeJS.ErrnoException) => {
    request.resume()
    sayUnreachable(response, error)
  })
  response.on('close', () => {
    if (!response.writableFinished) onward.destroy()
  })
  if (!isOnDemand) {
    request.pipe(onward)
    return
  }
  // A client that waits for the word to send its body, and does not get it, may send the body or the next request.
  response.shouldKeepAlive = !isClientWaiting
  onward.once('continue', () => {
    if (isClientWaiting) response.writeContinue()
    request.pipe(onward)
  })
  onward.flushHeaders()
}

function headersOf(request: IncomingMessage, isOnDemand: boolean): string[] {
  const headers = withoutConnection(request.rawHeaders)
  if (request.headers['transfer-encoding'] !== undefined) headers.push('transfer-encoding', 'chunked')
  else if (request.headers['content-length'] === undefined) headers.push('content-length', '0')
  if (isOnDemand) headers.push('expect', '100-continue')
  return headers
}

function passBack(answer: IncomingMessage, response: ServerResponse): void {
  response.writeHead(answer.statusCode!, answer.statusMessage, withoutConnection(answer.rawHeaders))
  answer.on('error', () => response.destroy())
  answer.pipe(response)
}

function withoutConnection(raw: readonly string[]): string[] {
  const kept: string[] = []
  for (let place = 0; place < raw.length; place += 2) {
    if (!OF_CONNECTION.has(raw[place]!.toLowerCase())) kept.push(raw[place]!, raw[place + 1]!)
  }
  return kept
}

function sayUnreachable(response: ServerResponse, error: NodeJS.ErrnoException): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const isAway = error.syscall === 'connect'
  const message = isAway
    ? 'Restate does not answer at the moment; ask again'
    : 'the connection to Restate broke before its answer; whether it has the call is unknown'
  say(response, isAway ? 503 : 502, message)
}

/** Answers in the form of Restate's own errors. */
export function say(response: ServerResponse, status: number, message: string): void {
  const body = JSON.stringify({ message, source: 'guard' })
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
}
