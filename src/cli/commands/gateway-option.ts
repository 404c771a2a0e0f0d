import { type Command, Option } from 'commander'
import { addressesOf } from '../../main/config/addresses.ts'
import { readConfig } from '../../main/config/config.ts'
import { connectGateway, type Gateway } from '../gateway/client.ts'
import { gatewayUrl } from './gateway-url.ts'

export interface GatewayOptions {
  gateway?: string
  key?: string
}

/** Adds the options of a command that calls the gateway with a key of this scope. */
export function withGatewayOptions(command: Command, scope: string): Command {
  return command
    .option('--gateway <url>', 'address of the gateway (default: the gateway of npm start)', gatewayUrl)
    .addOption(new Option('--key <key>', `a secret API key with the scope ${scope}, once there are keys`).env('FOOTFALL_KEY'))
}

/** The gateway that these options name. */
export function gatewayOf({ gateway, key }: GatewayOptions): Gateway {
  const url = gateway ?? addressesOf(readConfig(process.env)).gatewayUrl
  return connectGateway({ url, key: key === '' ? undefined : key })
}
