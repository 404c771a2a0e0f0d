import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ClusterSite, endAndStart, flowing, problemsAfter, startClusterSite } from './cluster.ts'
import { startClusterLoad } from './cluster-load.ts'

/** A node that is gone is noticed after about 3 s on an idle machine; a busy one is no failure. */
const PAUSE_MS_MAX = 30_000

let site: ClusterSite | undefined
beforeAll(async () => {
  site = await startClusterSite()
}, 240_000)
afterAll(() => site?.stop(), 60_000)

test('the alerts of the cluster query metrics that Restate has', async () => {
  const alerts = readFileSync(join(import.meta.dirname, '..', '..', 'ops', 'cluster', 'alerts.yml'), 'utf8')
  const queried = new Set([...alerts.matchAll(/\brestate_\w+/g)].map(([name]) => name))
  const metrics = await fetch(`${site!.cluster.nodes[0]!.nodeUrl}/metrics`).then((answer) => answer.text())
  const exposed = new Set([...metrics.matchAll(/^(restate_\w+)/gm)].map(([, name]) => name!))
  expect(queried.size).toBe(5)
  expect([...queried].filter((name) => !exposed.has(name))).toEqual([])
})

test('a cluster loses nothing and fails no request while each node is killed, restarted, and loses its disk', async () => {
  const { cluster, gatewayUrls } = site!
  const { nodes } = cluster
  const load = startClusterLoad(gatewayUrls)
  await flowing(load)
  // Each of them leads partitions when it is killed, because those of the node before have moved to the other two.
  const pausesMs: Record<string, number> = {}
  for (const node of [...nodes]) pausesMs[`${node.name} killed`] = (await endAndStart(cluster, node, 'kill', load)).pauseMs
  for (const node of [...nodes]) pausesMs[`${node.name} stopped`] = (await endAndStart(cluster, node, 'stop', load)).pauseMs
  const lost = nodes[2]!
  load.longest()
  await lost.kill()
  await lost.loseDisk()
  await cluster.replace(lost)
  await flowing(load)
  pausesMs['disk lost'] = load.longest().pauseMs
  const report = await load.stop()
  const { acknowledged, ...figures } = report
  console.log(JSON.stringify({ ...figures, events: acknowledged.length, pausesMs }))
  expect(await problemsAfter(site!, report)).toEqual([])
  expect(report.longestPauseMs).toBeLessThan(PAUSE_MS_MAX)
}, 300_000)
