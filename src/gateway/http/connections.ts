import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { clientAddress } from './client-address.ts'

export interface ConnectionLimits {
  /** Open connections; a further one is closed without an answer. */
  connectionsMax: number
  /** The same for one peer, so that it leaves connections to others. */
  clientConnectionsMax: number
}

/** Bounds the connections, because each takes some 10 KB, and bodies and requests besides. */
export function limitConnections(server: Server, { connectionsMax, clientConnectionsMax }: ConnectionLimits): void {
  server.maxConnections = connectionsMax
  // One of several processes would hand it to the next one, and all of them for ever when all are full.
  Object.assign(server, { dropMaxConnection: true })
  // Clients keep connections open that they do not use, and expect that a server closes them.
  server.on('drop', () => server.closeIdleConnections())

  const byClient = new Map<string, number>()
  server.on('connection', (socket: Socket) => {
    const client = clientAddress(socket.remoteAddress)
    const open = (byClient.get(client) ?? 0) + 1
    if (open > clientConnectionsMax) {
      socket.destroy()
      return
    }
    byClient.set(client, open)
    socket.once('close', () => {
      const left = byClient.get(client)! - 1
      if (left === 0) byClient.delete(client)
      else byClient.set(client, left)
    })
  })
}
