import { once } from 'node:events'
import { createConnection, createServer } from 'node:net'

const LOOPBACK = '127.0.0.1'
const CONNECT_MS_MAX = 2_000

const PORT_FIRST = 20_000
const PORT_LAST = 32_000
let nextPort = PORT_FIRST + Math.floor(Math.random() * (PORT_LAST - PORT_FIRST))

/**
 * Different ports that were free a moment ago. They are below the range that systems use for outgoing connections (from
 * 32768 on Linux), so that no such connection takes a port while the process that listens on it restarts.
 */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = []
  while (found.length < count) {
    nextPort = nextPort < PORT_LAST ? nextPort + 1 : PORT_FIRST
    if (await isPortFree(nextPort)) found.push(nextPort)
  }
  return found
}

/** Whether a process can listen on a port of the loopback interface. */
export async function isPortFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, LOOPBACK, () => server.close(() => resolve(true)))
  })
}

/** Whether the host and port of a URL accept connections. */
export async function isListening(url: string): Promise<boolean> {
  const { hostname, port, protocol } = new URL(url)
  const socket = createConnection({
    host: hostname,
    port: Number(port || (protocol === 'https:' ? 443 : 80)),
    timeout: CONNECT_MS_MAX,
  })
  try {
    await Promise.race([once(socket, 'connect'), once(socket, 'timeout').then(() => Promise.reject(new Error('timed out')))])
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
