import { ACKNOWLEDGED_HEADER } from '../../contract/recorder.ts'
import { KEPT_SHORT_HEADER } from '../../contract/rejected.ts'
import { queryRestate } from '../embedded/restate-queries.ts'

/** What a call brought, as its journal has it. */
export interface KeptInput {
  body: Buffer
  headers: Record<string, string>
  /** When its handler began: the time of events that came without one. */
  receivedMs: number | undefined
}

/** The first entries: the input, and the step that reads the clock. */
const ENTRIES = 4
/** A body of 16 MiB takes Restate a second. */
const QUERY_MS_MAX = 60_000
/** Headers that say how the items are recorded. Everything else is of the caller's connection. */
const HEADERS = [KEPT_SHORT_HEADER, ACKNOWLEDGED_HEADER]

interface Entry {
  Command?: {
    Input?: { payload: number[]; headers: { name: string; value: string }[] }
    Run?: { completion_id: number; name: string }
  }
  Notification?: { Completion?: { Run?: { completion_id: number; result: { Success?: number[] } } } }
}

/** The input of a completed call; undefined when Restate keeps no journal of it. */
export async function inputOf(adminUrl: string, id: string): Promise<KeptInput | undefined> {
  const rows = await queryRestate<{ entry_json: string }>(
    adminUrl,
    `select entry_json from sys_journal where id = '${id}' and index < ${ENTRIES} order by index`,
    QUERY_MS_MAX,
  )
  const entries = rows.map((row) => JSON.parse(row.entry_json) as Entry)
  const input = entries[0]?.Command?.Input
  if (input === undefined) return undefined
  const headers = input.headers.filter(({ name }) => HEADERS.includes(name)).map(({ name, value }) => [name, value] as const)
  return { body: Buffer.from(input.payload), headers: Object.fromEntries(headers), receivedMs: receivedMsIn(entries) }
}

/** The result of the first step when it reads the clock, which has no name. */
function receivedMsIn([, command, ...others]: readonly Entry[]): number | undefined {
  const run = command?.Command?.Run
  if (run === undefined || run.name !== '') return undefined
  const results = others.map((entry) => entry.Notification?.Completion?.Run)
  const result = results.find((each) => each?.completion_id === run.completion_id)?.result.Success
  const receivedMs = Number(Buffer.from(result ?? []).toString())
  return receivedMs > 0 ? receivedMs : undefined
}
