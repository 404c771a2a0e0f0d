import cluster from 'node:cluster'
import { once } from 'node:events'
import { createServer, type ListenOptions } from 'node:net'

/**
 * How a process of a cluster listens on the port of all. On Linux each has a socket of its own, and the system deals out connections. Elsewhere the primary
 * hands them on, and a connection that is handed to a process which dies at that moment is neither answered nor closed.
 */
export function sharedPort(): Pick<ListenOptions, 'reusePort'> {
  return { reusePort: cluster.isWorker && process.platform === 'linux' }
}

/** @throws as listening does when another program has the port, because sockets that share it would share it with that program as well. */
export async function requireFreePort(address: { host: string; port: number }): Promise<void> {
  const server = createServer().listen(address)
  await once(server, 'listening')
  server.close()
  await once(server, 'close')
}
