import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** What happens at a statement: it never reaches the server, or its answer never reaches the client. */
export type Cut = 'before' | 'after'

export interface StatementProxy {
  url: string
  stop: () => Promise<void>
}

/**
 * A proxy of PostgreSQL that sees each statement of a client. At the first one for which `cutAt` answers, it waits for `kill`, which ends the
 * client, and then drops the client's connections.
 */
export async function startStatementProxy(
  serverUrl: string,
  cutAt: (statement: string) => Cut | undefined,
  kill: () => Promise<void>,
): Promise<StatementProxy> {
  const server = new URL(serverUrl)
  const open = new Set<Socket>()
  let isCut = false
  const cut = async () => {
    await kill()
    for (const socket of open) socket.destroy()
  }
  const listener = createServer((client) => {
    const upstream = connect(Number(server.port), server.hostname)
    let hasStarted = false
    let isAnswerCut = false
    for (const socket of [client, upstream]) {
      open.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        open.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (bytes: Buffer) => {
      if (isCut) return
      const found = hasStarted
        ? statementsIn(bytes)
            .map(cutAt)
            .find((one) => one !== undefined)
        : undefined
      hasStarted = true
      isCut = found !== undefined
      isAnswerCut = isCut
      if (found === 'before') void cut()
      else upstream.write(bytes)
    })
    upstream.on('data', (bytes: Buffer) => {
      if (!isAnswerCut) client.write(bytes)
      else if (isComplete(bytes)) void cut()
    })
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const url = new URL(serverUrl)
  Object.assign(url, { hostname: '127.0.0.1', port: String((listener.address() as { port: number }).port) })
  return {
    url: url.href,
    stop: async () => {
      const closed = once(listener, 'close')
      listener.close()
      for (const socket of open) socket.destroy()
      await closed
    },
  }
}

/** The texts of the messages Query and Parse. A message that continues in the next bytes is the last one here. */
function statementsIn(bytes: Buffer): string[] {
  const found: string[] = []
  for (let at = 0; at + 5 <= bytes.length; at += 1 + bytes.readUInt32BE(at + 1)) {
    const type = String.fromCharCode(bytes[at]!)
    const start = type === 'P' ? bytes.indexOf(0, at + 5) + 1 : at + 5
    if (type === 'Q' || type === 'P') found.push(bytes.toString('utf8', start, bytes.indexOf(0, start)))
  }
  return found
}

/** Whether the bytes end with the message ReadyForQuery. */
function isComplete(bytes: Buffer): boolean {
  return bytes.length >= 6 && bytes[bytes.length - 6] === 'Z'.charCodeAt(0) && bytes.readUInt32BE(bytes.length - 5) === 5
}
