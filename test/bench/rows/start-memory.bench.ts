import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from '../../../src/store/database/connection.ts'
import { startProgram } from '../../harness/programs/program.ts'
import { startLoad } from '../client/start-load.ts'
import { type Claim, formatted, type RowResult } from '../measure/claim.ts'
import { type ProcessMemory, treeMemoryOf } from '../measure/tree-memory.ts'
import { GATEWAY_PATH } from '../ingest/ingest-run.ts'
import { isSettled, waitUntil } from '../measure/settled.ts'

const FULL = { events: 30_000 }
const QUICK = { events: 2_000 }
const CONNECTIONS = 256
const SECONDS_MAX = 600
const MEGABYTES_MAX = 400
/** Processes that become calm give memory back, at most 30 s after they did so last. */
const REST_MS = 40_000
/** The parts of `npm start` by their command lines; the first that matches. PostgreSQL is not counted, because its memory is a setting. */
const PARTS = {
  PostgreSQL: /postgres/,
  Restate: /restate-server/,
  gateway: /gateway\.ts/,
  endpoint: /endpoint\.ts/,
  guard: /guard\.ts/,
  start: / start$/,
}

type Part = keyof typeof PARTS

/** The memory of everything that `npm start` runs, after single events: when the last one is counted, and when all is at rest. */
export async function startMemory(isQuick: boolean): Promise<RowResult> {
  const { events } = isQuick ? QUICK : FULL
  const program = await startProgram()
  // The start before has written the compiled form of every module, without which processes load the program that strips types.
  await program.halt()
  await program.start()
  const load = startLoad()
  try {
    const job = {
      url: `${program.urlOf('GATEWAY_PORT')}${GATEWAY_PATH}`,
      connections: CONNECTIONS,
      secondsMax: SECONDS_MAX,
      requestEvents: 1,
      requestsMax: events,
    }
    const result = await (await load.prepare({ kind: 'ingest', ...job }))()
    const db = connect({ url: await program.databaseUrl(), name: 'bench', connectionsMax: 1 })
    await waitUntil(async () => isSettled(db))
    await db.destroy()
    const loaded = partsOf(await treeMemoryOf(program.pid()))
    await sleep(REST_MS)
    const atRest = partsOf(await treeMemoryOf(program.pid()))
    return { claims: claimsOf({ loaded, atRest }, result.events), measured: { loaded, atRest } }
  } finally {
    await load.stop()
    await program.stop()
  }
}

type Memory = Record<Part, { rss: number; pss: number }>

function partsOf(processes: readonly ProcessMemory[]): Memory {
  const memory = Object.fromEntries(Object.keys(PARTS).map((part) => [part, { rss: 0, pss: 0 }])) as Memory
  for (const { command, rss, pss } of processes) {
    const part = (Object.keys(PARTS) as Part[]).find((name) => PARTS[name].test(command))
    if (part === undefined) throw new Error(`unknown process: ${command}`)
    memory[part].rss += rss
    memory[part].pss += pss
  }
  return memory
}

function claimsOf({ loaded, atRest }: { loaded: Memory; atRest: Memory }, events: number): Claim[] {
  return [
    {
      what: `memory of all that npm start runs but PostgreSQL, at rest after ${formatted(events)} single events over ${CONNECTIONS} connections (PSS)`,
      ...sumOf(atRest),
      target: { max: MEGABYTES_MAX },
    },
    { what: '— when the last event is counted', ...sumOf(loaded) },
  ]
}

function sumOf(memory: Memory): Pick<Claim, 'measured' | 'unit' | 'detail'> {
  const counted = Object.entries(memory).filter(([part]) => part !== 'PostgreSQL')
  const total = (which: 'rss' | 'pss') => counted.reduce((sum, [, part]) => sum + part[which], 0)
  const parts = counted.map(([part, { pss }]) => `${part} ${formatted(Math.round(pss))}`).join(', ')
  return {
    measured: Math.round(total('pss')),
    unit: 'MB',
    detail: `${parts}; RSS ${formatted(Math.round(total('rss')))}; PostgreSQL ${formatted(Math.round(memory.PostgreSQL.pss))}`,
  }
}
