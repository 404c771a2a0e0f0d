import { Agent, createServer, type RequestListener, type Server } from 'node:http'
import { foreignPageProblem, type Links } from '../../admission/loopback.ts'
import { type ListenerOfRestate, passOn, say } from './pass-on.ts'

/** As many as Restate reads. */
const HEADER_BYTES_MAX = 64 * 1024
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
    headerBytesMax: HEADER_BYTES_MAX,
  }
  const answer: RequestListener = (request, response) => {
    const problem = foreignPageProblem(request, links)
    if (problem === undefined) passOn(request, response, target)
    else say(response.setHeader('connection', 'close'), 403, problem)
  }
  // Idle connections stay open, as Restate keeps them.
  const server = createServer({ maxHeaderSize: HEADER_BYTES_MAX, keepAliveTimeout: 0 }, answer)
  for (const event of ['checkContinue', 'checkExpectation'] as const) server.on(event, answer)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ port, host, backlog: CONNECTIONS_WAITING_MAX }, resolve)
  })
  return server
}
