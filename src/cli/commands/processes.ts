import { Command } from 'commander'

/** One process of `start` alone, with everything that it needs elsewhere. */
export function endpointCommand(): Command {
  return new Command('endpoint')
    .description('Run the service endpoint alone. It needs DATABASE_URL, and Restate, which register tells of it.')
    .action(async () => void (await import('../../main/endpoint.ts')))
}

export function gatewayCommand(): Command {
  return new Command('gateway')
    .description('Run the gateway alone. It needs DATABASE_URL, RESTATE_INGRESS_URL and RESTATE_ADMIN_URL.')
    .action(async () => void (await import('../../main/gateway.ts')))
}
