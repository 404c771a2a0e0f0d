import type { Socket } from 'node:net'
import type { ErrorBody } from '../../contract/error.ts'
import { isAnsweredEarly } from './early-answer.ts'

const MESSAGES: Record<string, string> = {
  HPE_HEADER_OVERFLOW: 'the headers are too large',
  ERR_HTTP_REQUEST_TIMEOUT: 'the request took too long to arrive',
}

/** Answers what is not HTTP in the contract's shape, unless the request was answered already, and closes the connection. */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  const message = MESSAGES[error.code ?? ''] ?? 'the request is not valid HTTP'
  const body = JSON.stringify({ error: { code: 'invalid_request', message } } satisfies ErrorBody)
  const head = `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`
  if (socket.writable && !isAnsweredEarly(socket)) socket.end(head + body)
  else socket.destroy()
}
