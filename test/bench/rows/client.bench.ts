import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { stopProcess } from '../../../src/main/embedded/process.ts'
import { withParts } from '../servers/bench-stack.ts'
import { formatted, type RowResult } from '../measure/claim.ts'
import type { LoadResult } from '../client/job.ts'
import { startLoad } from '../client/start-load.ts'
import { interleaved, series, median } from '../measure/rounds.ts'

const FULL = { seconds: 3, rounds: 5 }
const QUICK = { seconds: 1, rounds: 1 }
const CONNECTIONS = 256
const REQUESTS_PER_SECOND_MAX = 60_000

/** The cost of the load generator of all other rows: single events to a server that only answers. */
export function client(isQuick: boolean): Promise<RowResult> {
  const { seconds, rounds } = isQuick ? QUICK : FULL
  return withParts(async (stopAtEnd) => {
    const load = stopAtEnd(startLoad())
    const echo = fork(join(import.meta.dirname, '..', 'servers', 'echo.ts'))
    stopAtEnd({ stop: () => stopProcess(echo, 'SIGTERM') })
    const [port] = (await once(echo, 'message')) as [number]
    const way = async (): Promise<Omit<LoadResult, 'sightings'>> => {
      const requestsMax = seconds * REQUESTS_PER_SECOND_MAX
      const entrance = { url: `http://127.0.0.1:${port}/`, connections: CONNECTIONS, secondsMax: seconds }
      const run = await load.prepare({ kind: 'ingest', ...entrance, requestEvents: 1, requestsMax })
      const { sightings: _none, ...result } = await run()
      return result
    }
    const { alone } = await interleaved({ alone: way }, rounds)
    const claim = {
      what: 'CPU time of the load generator per request, on the cores that it shares with the measured servers',
      measured: median(series(alone, (run) => (run.cpuSeconds / run.requests) * 1e6)),
      unit: 'µs',
      detail: `${formatted(median(series(alone, (run) => run.requests / run.seconds)))} requests/s at ${CONNECTIONS} connections, to a server that only answers`,
    }
    return { claims: [claim], measured: alone }
  })
}
