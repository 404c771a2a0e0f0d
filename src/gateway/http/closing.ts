import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/**
 * Fastify closes only connections that have had a request when it stops. Those that have sent nothing are closed with them. A busy one is
 * closed by its answer, so that it does not delay the stop.
 */
export function closeConnectionsAtEnd(app: FastifyInstance): void {
  let isClosing = false
  const open = new Set<Socket>()
  app.server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  app.addHook('preClose', (done) => {
    isClosing = true
    for (const socket of open) if (socket.bytesRead === 0) socket.destroy()
    done()
  })
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (isClosing) reply.header('connection', 'close')
    done()
  })
}
