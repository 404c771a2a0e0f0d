import { createDatabase } from '../../harness/servers/database.ts'
import { formatted, type RowResult } from '../measure/claim.ts'
import { watchedDuring } from '../measure/health.ts'
import { startBenchGateway } from '../servers/bench-gateway.ts'
import { withServers } from '../servers/bench-stack.ts'
import { paymentSecretFile } from '../servers/payment-secret.ts'

const FULL = { connections: 2_000, seconds: 30 }
const QUICK = { connections: 500, seconds: 6 }
const MEBIBYTES_MAX = 450
const MEGABYTES_PER_MEBIBYTE = 1.048576

/** Payment callbacks whose bodies do not arrive: the memory of the gateway, and how long other requests wait. */
export function stalled(isQuick: boolean): Promise<RowResult> {
  const { connections, seconds } = isQuick ? QUICK : FULL
  return withServers(async ({ postgres, restate, load }, stopAtEnd) => {
    const { url: databaseUrl, drop } = await createDatabase(postgres.url)
    stopAtEnd({ stop: drop })
    const settings = { PAYMENT_SECRET_FILE: paymentSecretFile('the secret of the bench', stopAtEnd) }
    const gateway = stopAtEnd(await startBenchGateway({ databaseUrl, restate, settings }))
    const quiet = await watchedDuring(gateway, () => new Promise((resolve) => void setTimeout(resolve, 1_000)))
    const url = `${gateway.url}/api/v1/orders/payment/callback`
    const go = await load.prepare({ kind: 'stall', url, connections, secondsMax: seconds, areErrorsCounted: true })
    let statuses: Record<string, number> = {}
    const { health, memoryBefore, memoryMax } = await watchedDuring(gateway, async () => {
      statuses = (await go()).errors
    })
    const of = `${formatted(connections)} connections that send 2 MiB of a callback and stop`
    return {
      claims: [
        {
          what: `memory of the gateway with ${of}, the maximum`,
          measured: Math.round(memoryMax / MEGABYTES_PER_MEBIBYTE),
          unit: 'MiB',
          target: { max: MEBIBYTES_MAX },
          detail: `${formatted(Math.round(memoryBefore / MEGABYTES_PER_MEBIBYTE))} MiB before; ${formatted(statuses['503'] ?? 0)} were answered 503`,
        },
        {
          what: '— `/health` meanwhile, p99',
          measured: health.p99,
          unit: 'ms',
          target: { max: 100 },
          detail: `p50 ${formatted(health.p50)} ms, the longest ${formatted(health.max)} ms; before ${formatted(quiet.health.p50)} and ${formatted(quiet.health.p99)} ms`,
        },
      ],
      measured: { health, quiet, memoryBefore, memoryMax, statuses },
    }
  })
}
