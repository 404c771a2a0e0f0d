import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

/** A connection on which a test writes bytes, and reads everything that comes. */
export interface RawConnection {
  socket: Socket
  /** Resolves when the bytes are handed over to the kernel, or the connection is closed. */
  send: (bytes: string | Buffer) => Promise<void>
  /** What came so far; nothing is read before the first call. */
  received: () => string
  /** Resolves to all that came when the other side has closed. */
  closed: () => Promise<string>
}

export async function rawConnection(port: number): Promise<RawConnection> {
  const socket = connect({ port, host: '127.0.0.1' })
  await once(socket, 'connect')
  let text = ''
  let isReading = false
  const isClosed = new Promise<void>((resolve) => void socket.once('close', () => resolve()))
  // A connection that is reset has closed.
  socket.on('error', () => undefined)
  const read = () => {
    if (!isReading) socket.on('data', (piece: Buffer) => (text += piece.toString()))
    isReading = true
    return text
  }
  return {
    socket,
    send: (bytes) => Promise.race([isClosed, new Promise<void>((resolve) => void socket.write(bytes, () => resolve()))]),
    received: read,
    closed: async () => {
      read()
      await isClosed
      return text
    },
  }
}

/** The head of a POST with a JSON body. */
export function headOf(path: string, headers: Record<string, string | number>): string {
  const lines = Object.entries({ host: 'localhost', 'content-type': 'application/json', ...headers })
  return `POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}

/** One chunk of a chunked body. */
export function chunkOf(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
}

/** The status of each answer in what came on a connection. */
export function statusesIn(received: string): number[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
}
