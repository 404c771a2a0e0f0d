import { Agent, createServer, type RequestListener, type Server } from 'node:http'
import { boundHeaders, HEAD_LIMITS, HEAD_TOO_LARGE, hasManyHeaders } from '../../admission/request-head.ts'
import { foreignPageProblem, type Links } from '../../admission/loopback.ts'
import { type ListenerOfRestate, passOn, say } from './pass-on.ts'

/** Restate's own limit for requests. */
const ANSWER_HEADER_BYTES_MAX = 64 * 1024
/** Thousands may connect at the same moment. */
const CONNECTIONS_WAITING_MAX = 4_096

export interface GuardOptions {
  /** 127.0.0.1 unless given. */
  host?: string
  port: number
  /** What it serves there. */
  listener: ListenerOfRestate
  links: Links
}

/** Serves a listener of Restate to this machine, and refuses every request that a page elsewhere may have made. */
export async function guard({ host = '127.0.0.1', port, listener, links }: GuardOptions): Promise<Server> {
  const target = {
    listener,
    agent: new Agent({ keepAlive: true, maxFreeSockets: CONNECTIONS_WAITING_MAX }),
    answerHeaderBytesMax: ANSWER_HEADER_BYTES_MAX,
  }
  const answer: RequestListener = (request, response) => {
    const problem = foreignPageProblem(request, links)
    if (hasManyHeaders(request)) say(response.setHeader('connection', 'close'), 431, HEAD_TOO_LARGE)
    else if (problem === undefined) passOn(request, response, target)
    else say(response.setHeader('connection', 'close'), 403, problem)
  }
  // Idle connections stay open, as Restate keeps them.
  const server = createServer({ ...HEAD_LIMITS, keepAliveTimeout: 0 }, answer)
  boundHeaders(server)
  for (const event of ['checkContinue', 'checkExpectation'] as const) server.on(event, answer)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host, backlog: CONNECTIONS_WAITING_MAX }, resolve)
  })
  return server
}
