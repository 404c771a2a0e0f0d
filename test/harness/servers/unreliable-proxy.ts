import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'

/** What the proxy does with a request in place of passing it on, or its answer. */
export type Trouble = 'throttle' | 'cut before' | 'cut within' | 'cut after'

export interface UnreliableProxy {
  url: string
  /** Decides for each request. */
  trouble: (method: string, path: string) => Trouble | undefined
  /** How often each trouble was made. */
  made: Record<Trouble, number>
  stop: () => Promise<void>
}

export function noTrouble(): Record<Trouble, number> {
  return { throttle: 0, 'cut before': 0, 'cut within': 0, 'cut after': 0 }
}

/** An HTTP proxy that throttles, or cuts a connection before the server has the request, when it has a part, or after it did its work. */
export async function startUnreliableProxy(serverUrl: string): Promise<UnreliableProxy> {
  const target = new URL(serverUrl)
  const proxy: UnreliableProxy = {
    url: '',
    trouble: () => undefined,
    made: noTrouble(),
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  const server = createServer((incoming, answer) => {
    const trouble = proxy.trouble(incoming.method!, incoming.url!)
    if (trouble !== undefined) proxy.made[trouble]++
    if (trouble === 'cut before') incoming.socket.destroy()
    else if (trouble === 'throttle') {
      incoming.resume()
      incoming.on('end', () => answer.writeHead(503, { 'content-type': 'application/xml' }).end(SLOW_DOWN))
    } else passOn(target, incoming, answer, trouble)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy.url = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  return proxy
}

function passOn(target: URL, incoming: IncomingMessage, answer: ServerResponse, trouble: Trouble | undefined): void {
  const { method, url: path, headers } = incoming
  const outgoing = request({ host: target.hostname, port: target.port, method, path, headers }, (response) => {
    if (trouble === 'cut after') {
      response.resume()
      response.on('end', () => incoming.socket.destroy())
      return
    }
    answer.writeHead(response.statusCode!, response.headers)
    response.pipe(answer)
  })
  outgoing.on('error', () => incoming.socket.destroy())
  if (trouble === 'cut within') {
    incoming.once('data', (part: Buffer) => {
      outgoing.write(part)
      incoming.socket.destroy()
    })
    incoming.on('close', () => outgoing.destroy())
  } else incoming.pipe(outgoing)
}

const SLOW_DOWN = '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>'
