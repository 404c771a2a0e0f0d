import { Command } from 'commander'

/** Runs one process of `start` alone. PostgreSQL, Restate and the other process run elsewhere. */
export function endpointCommand(): Command {
  return new Command('endpoint')
    .description('Run the service endpoint alone. It needs DATABASE_URL, and Restate calls it once it is registered (register).')
    .action(async () => void (await import('../../main/endpoint.ts')))
}

export function gatewayCommand(): Command {
  return new Command('gateway')
    .description(
      'Run the gateway alone. It needs DATABASE_URL and RESTATE_INGRESS_URL. With RESTATE_ADMIN_URL it says more about what is missing when it is not ready.',
    )
    .action(async () => void (await import('../../main/gateway.ts')))
}

export function consumerCommand(): Command {
  return new Command('consumer')
    .description(
      'Read the topics of Kafka into the database. It needs KAFKA_BROKERS and DATABASE_URL, and RESTATE_INGRESS_URL to have interactions counted at once. Several share the partitions.',
    )
    .action(async () => void (await import('../../main/consumer.ts')))
}
