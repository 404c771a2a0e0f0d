import { Command } from 'commander'
import { readConfig } from '../../main/config/config.ts'
import { addressesIn } from '../../ingress/addresses.ts'
import { StartError } from '../../main/config/start-error.ts'
import { guard } from '../../main/guard/guarded-server.ts'
import { waitForShutdown } from '../../main/shutdown-signal.ts'

export function guardCommand(): Command {
  return new Command('guard')
    .description(
      'Serve the UI and the admin port of RESTATE_ADMIN_URL at RESTATE_ADMIN_PORT, without web pages of other sites. It is part of start.',
    )
    .option('--host <address>', 'address to listen on: in a container whose port is published on 127.0.0.1 alone', '127.0.0.1')
    .action(async ({ host }: { host: string }) => {
      const config = readConfig(process.env)
      const addresses = addressesIn(config.RESTATE_ADMIN_URL ?? 'none:')
      if (addresses.length > 1)
        throw new StartError('Name one address in RESTATE_ADMIN_URL: the guard stands before one Restate.')
      const { protocol, hostname, port } = new URL(addresses[0]!)
      if (protocol !== 'http:') throw new StartError('Set RESTATE_ADMIN_URL to an address of Restate that begins with http://.')
      const shutdown = waitForShutdown()
      const listener = { host: hostname, port: Number(port || 80) }
      const server = await guard({ host, port: config.RESTATE_ADMIN_PORT, listener, links: 'followed' })
      await shutdown
      server.closeAllConnections()
      process.exit(0)
    })
}
