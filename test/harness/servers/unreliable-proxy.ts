import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'

/** What the proxy does with a request in place of passing it on, or its answer. */
export type Trouble = 'throttle' | 'cut before' | 'cut after'

export interface UnreliableProxy {
  url: string
  /** Decides for each request. */
  trouble: (method: string, path: string) => Trouble | undefined
  /** How often each trouble was made. */
  made: Record<Trouble, number>
  stop: () => Promise<void>
}

/** An HTTP proxy that throttles, cuts a connection before the server has the request, or after the server did its work. */
export async function startUnreliableProxy(serverUrl: string): Promise<UnreliableProxy> {
  const target = new URL(serverUrl)
  const proxy: UnreliableProxy = {
    url: '',
    trouble: () => undefined,
    made: { throttle: 0, 'cut before': 0, 'cut after': 0 },
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
    } else passOn(target, incoming, answer, trouble === 'cut after')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy.url = `http://127.0.0.1:${(server.address() as { port: number }).port}`
  return proxy
}

function passOn(target: URL, incoming: IncomingMessage, answer: ServerResponse, isCut: boolean): void {
  const { method, url: path, headers } = incoming
  const outgoing = request({ host: target.hostname, port: target.port, method, path, headers }, (response) => {
    if (isCut) {
      response.resume()
      response.on('end', () => incoming.socket.destroy())
      return
    }
    answer.writeHead(response.statusCode!, response.headers)
    response.pipe(answer)
  })
  outgoing.on('error', () => incoming.socket.destroy())
  incoming.pipe(outgoing)
}

const SLOW_DOWN = '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>'
