import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface TcpProxy {
  /** The server's address through the proxy. */
  url: string
  /** Breaks every connection and refuses new ones. */
  cut: () => Promise<void>
  mend: () => Promise<void>
  /** Accepts everything and forwards nothing, as when packets are lost, until it is cut. */
  hold: () => void
  /** Forwards the connections that are made from now on; the held ones stay held. */
  release: () => void
  /** Connections that clients have made, and are open. */
  connections: () => number
}

/** A proxy that can be cut, as when the server is killed. */
export async function startTcpProxy(serverUrl: string): Promise<TcpProxy> {
  const server = new URL(serverUrl)
  const open = new Set<Socket>()
  let isHeld = false
  const listener = createServer((client) => {
    const upstream = connect(Number(server.port), server.hostname)
    for (const socket of [client, upstream]) {
      open.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        open.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    if (!isHeld) client.pipe(upstream).pipe(client)
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const { port } = listener.address() as { port: number }
  const url = new URL(serverUrl)
  url.hostname = '127.0.0.1'
  url.port = String(port)
  return {
    url: url.href,
    hold: () => {
      isHeld = true
      for (const socket of open) socket.unpipe().pause()
    },
    release: () => {
      isHeld = false
    },
    connections: () => open.size / 2,
    cut: async () => {
      isHeld = false
      const closed = once(listener, 'close')
      listener.close()
      for (const socket of open) socket.destroy()
      await closed
    },
    mend: async () => {
      listener.listen(port, '127.0.0.1')
      await once(listener, 'listening')
    },
  }
}
