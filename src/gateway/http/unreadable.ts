import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { ErrorBody } from '../../contract/error.ts'

const MESSAGES: Record<string, string> = {
  HPE_HEADER_OVERFLOW: 'the headers are too large',
  ERR_HTTP_REQUEST_TIMEOUT: 'the request took too long to arrive',
}

/** The last request of each connection that was answered before all of it had arrived. */
const answeredEarly = new WeakMap<Socket, IncomingMessage>()

export function rememberEarlyAnswers(app: FastifyInstance): void {
  app.addHook('onResponse', async ({ raw }) => {
    if (!raw.complete) answeredEarly.set(raw.socket, raw)
  })
}

/** Answers what is not HTTP in the contract's shape, unless the request was answered already, and closes the connection. */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  const message = MESSAGES[error.code ?? ''] ?? 'the request is not valid HTTP'
  const body = JSON.stringify({ error: { code: 'invalid_request', message } } satisfies ErrorBody)
  const head = `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`
  const isAnswered = answeredEarly.get(socket)?.complete === false
  if (socket.writable && !isAnswered) socket.end(head + body)
  else socket.destroy()
}
