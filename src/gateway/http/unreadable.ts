import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { HEAD_TOO_LARGE } from '../../admission/request-head.ts'
import type { ErrorBody } from '../../contract/error.ts'
import { isAnsweredEarly } from './early-answer.ts'

const TOO_LARGE = '431 Request Header Fields Too Large'

const ANSWERS: Record<string, { status: string; message: string }> = {
  HPE_HEADER_OVERFLOW: { status: TOO_LARGE, message: HEAD_TOO_LARGE },
  ERR_HTTP_REQUEST_TIMEOUT: { status: '400 Bad Request', message: 'the request took too long to arrive' },
}
const NOT_HTTP = { status: '400 Bad Request', message: 'the request is not valid HTTP' }

/** Answers what is not HTTP in the contract's shape, unless the request was answered already, and closes the connection. */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  const { status, message } = ANSWERS[error.code ?? ''] ?? NOT_HTTP
  const body = bodyOf(message)
  const head = `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`
  if (socket.writable && !isAnsweredEarly(socket)) socket.end(head + body)
  else socket.destroy()
}

/** Answers a request with too many headers, without looking at it, and closes the connection. */
export function refuseHeaders(response: ServerResponse): void {
  response.writeHead(431, { 'content-type': 'application/json', connection: 'close' }).end(bodyOf(HEAD_TOO_LARGE))
}

function bodyOf(message: string): string {
  return JSON.stringify({ error: { code: 'invalid_request', message } } satisfies ErrorBody)
}
