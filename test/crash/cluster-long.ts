import { appendFileSync, mkdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { dumpCluster } from './cluster-dump.ts'
import { type ClusterLoad, startClusterLoad } from './cluster-load.ts'
import { type ClusterSite, endAndStart, flowing, problemsAfter, startClusterSite } from './cluster.ts'

/**
 * `npm run test:cluster -- --kills 100`: again and again kills a random node of a cluster of Restate that leads partitions, under load,
 * starts it again, and waits until the cluster is whole. Prints the pause of each kill, and ends with status 1 when a request failed, or an
 * event is lost, doubled or counted wrong. When a request waits too long, what the cluster does is written into a folder. Variables of the
 * environment such as RESTATE_GOSSIP_FAILURE_THRESHOLD are settings of each node. A signal ends it after the next kill.
 */
const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    /** A request without an answer for so long is a stall. */
    stall: { type: 'string', default: '15' },
    folder: { type: 'string', default: join(tmpdir(), `footfall-cluster-${process.pid}`) },
  },
})
const DEBUG =
  'info,restate_bifrost=debug,restate_admin=debug,restate_worker::partition_processor_manager=debug,restate_metadata_server=debug,restate_node=debug,restate_log_server=debug'
const LOOK_MS = 500

interface Kill {
  number: number
  node: string
  partitions: number
  pauseMs: number
  answerMs: number
  /** From the kill until the cluster was whole again. */
  wholeMs: number
}

async function main(): Promise<void> {
  mkdirSync(values.folder, { recursive: true })
  const site = await startClusterSite({ RESTATE_LOG_FILTER: DEBUG })
  const load = startClusterLoad(site.gatewayUrls)
  const watch = watchStalls(site, load)
  const kills: Kill[] = []
  try {
    await flowing(load)
    for (let number = 1; number <= Number(values.kills) && !isToldToEnd; number++) {
      const kill = await killLeader(site, load, number)
      kills.push(kill)
      record(JSON.stringify(kill))
    }
    const report = await load.stop()
    const problems = await problemsAfter(site, report)
    const { acknowledged, ...figures } = report
    const stalls = watch.stalls()
    record(
      JSON.stringify({ kills: kills.length, ...figures, events: acknowledged.length, stalls, ...summaryOf(kills), problems }),
    )
    process.exitCode = problems.length === 0 ? 0 : 1
  } finally {
    watch.stop()
    await site.stop()
  }
}

/** Kills a random leader. What it leads moves to the other two, so each node leads when the next one is chosen. */
async function killLeader(site: ClusterSite, load: ClusterLoad, number: number): Promise<Kill> {
  const leaders = await site.cluster.leaders()
  const { node, partitions } = leaders[Math.floor(Math.random() * leaders.length)]!
  const startedMs = performance.now()
  const { pauseMs, answerMs } = await endAndStart(site.cluster, node, 'kill', load)
  const wholeMs = performance.now() - startedMs
  return {
    ...{ number, node: node.name, partitions, pauseMs: Math.round(pauseMs), answerMs: Math.round(answerMs) },
    wholeMs: Math.round(wholeMs),
  }
}

function summaryOf(kills: readonly Kill[]): Record<string, Record<string, number>> {
  const of = (name: 'pauseMs' | 'answerMs' | 'wholeMs') => {
    const sorted = kills.map((kill) => kill[name]).toSorted((a, b) => a - b)
    const at = (share: number) => sorted[Math.ceil(sorted.length * share) - 1] ?? 0
    return { median: at(0.5), p90: at(0.9), p99: at(0.99), longest: at(1) }
  }
  return { pauseMs: of('pauseMs'), answerMs: of('answerMs'), wholeMs: of('wholeMs') }
}

/** Writes what the cluster does when a request waits too long, once until all are answered again. */
function watchStalls(site: ClusterSite, load: ClusterLoad): { stalls: () => number; stop: () => void } {
  let [stalls, isStalled] = [0, false]
  const look = async () => {
    const waits = load.waiting().some(({ ms }) => ms > Number(values.stall) * 1_000)
    if (waits && !isStalled) {
      const folder = join(values.folder, `stall-${(stalls += 1)}`)
      record(`a request has waited for ${values.stall} s: ${folder}`)
      isStalled = true
      await dumpCluster(site, load, folder).catch((error: unknown) => record(String(error)))
    }
    isStalled = waits
  }
  let isLooking = false
  const timer = setInterval(() => {
    if (isLooking) return
    isLooking = true
    void look().finally(() => (isLooking = false))
  }, LOOK_MS)
  return { stalls: () => stalls, stop: () => clearInterval(timer) }
}

function record(line: string): void {
  const dated = `${new Date().toISOString()} ${line}`
  console.log(dated)
  appendFileSync(join(values.folder, 'kills.log'), `${dated}\n`)
}

let isToldToEnd = false
process.once('SIGINT', () => (isToldToEnd = true))
process.once('SIGTERM', () => (isToldToEnd = true))
await main()
