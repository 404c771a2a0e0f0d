import { guard } from './guard/guarded-server.ts'
import { waitForShutdown } from './shutdown-signal.ts'
import { RESTATE_SOCKETS } from './embedded/restate-sockets.ts'

/**
 * The process that stands before Restate, which has no authentication: `guard.ts <ingress> <admin> <node>` serves its sockets, which
 * are in the working directory, on these ports.
 */
const [ingress, admin, node] = process.argv.slice(2).map(Number) as [number, number, number]
const servers = await Promise.all([
  guard({ port: ingress, listener: { socketPath: RESTATE_SOCKETS.ingress }, links: 'refused' }),
  // Its UI may be linked to; a GET changes nothing.
  guard({ port: admin, listener: { socketPath: RESTATE_SOCKETS.admin }, links: 'followed' }),
  guard({ port: node, listener: { socketPath: RESTATE_SOCKETS.node }, links: 'refused' }),
])
process.send?.('ready')

await waitForShutdown()
for (const server of servers) server.closeAllConnections()
process.exit(0)
