import type { FastifyInstance } from 'fastify'

/** Fastify closes only idle connections when it stops. A busy one is closed by its answer, so that it does not delay the stop. */
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
