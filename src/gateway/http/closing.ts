import type { FastifyInstance } from 'fastify'

/** Fastify closes idle connections when it stops. One that is being answered then is closed by that answer, and delays the stop no longer. */
export function closeConnectionsAtEnd(app: FastifyInstance): void {
  let isClosing = false
  app.addHook('preClose', (done) => {
    isClosing = true
    done()
  })
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (isClosing) reply.header('connection', 'close')
    done()
  })
}
