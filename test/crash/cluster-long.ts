import { parseArgs } from 'node:util'
import { endAndStart, flowing, problemsAfter, startClusterSite } from './cluster.ts'
import { startClusterLoad } from './cluster-load.ts'

/**
 * `npm run test:cluster -- --kills 100`: kills the nodes of a cluster of Restate in turn under load. Prints what came of it, and ends with
 * status 1 when a request failed, or an event is lost, doubled or counted wrong. A signal ends it after the next kill.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { kills: { type: 'string', default: '100' } } })
  const site = await startClusterSite()
  const pausesMs: number[] = []
  try {
    const load = startClusterLoad(site.gatewayUrls)
    await flowing(load)
    const { nodes } = site.cluster
    // The partitions of a node move to the other two, so each node leads some when its turn comes again.
    for (let kill = 0; kill < Number(values.kills) && !isToldToEnd; kill++) {
      pausesMs.push(await endAndStart(site.cluster, nodes[kill % nodes.length]!, 'kill', load))
      if (kill % 10 === 9) console.log(`${kill + 1} kills, ${load.answered()} requests`)
    }
    const report = await load.stop()
    const problems = await problemsAfter(site, report)
    const { acknowledged, ...figures } = report
    const sorted = pausesMs.toSorted((a, b) => a - b)
    const [median, longest] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)]
    console.log(
      JSON.stringify(
        { kills: pausesMs.length, ...figures, events: acknowledged.length, median, longest, problems },
        undefined,
        2,
      ),
    )
    process.exitCode = problems.length === 0 ? 0 : 1
  } finally {
    await site.stop()
  }
}

let isToldToEnd = false
process.once('SIGINT', () => (isToldToEnd = true))
process.once('SIGTERM', () => (isToldToEnd = true))
await main()
