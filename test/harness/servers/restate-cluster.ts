import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { freePorts } from '../../../src/main/embedded/ports.ts'
import { exitOf, isProcessGone, stopProcess } from '../../../src/main/embedded/process.ts'
import { type RestatePorts, startRestate } from '../../../src/main/embedded/restate.ts'
import { queryRestate } from '../../../src/main/embedded/restate-queries.ts'
import { until } from '../../../src/main/embedded/until.ts'
import { makeDataFolder } from './data-folder.ts'
import { restatectl } from './restatectl.ts'

/*
 * Several restate-servers that are one cluster: replicated metadata, two copies of each record of a log, and a copy of each partition on
 * every node. Any one of three may be away.
 */

export interface ClusterNode {
  name: string
  ingressUrl: string
  adminUrl: string
  /** Its address for the other nodes and for restatectl. */
  nodeUrl: string
  logFile: string
  isRunning: () => boolean
  start: () => Promise<void>
  /** SIGKILL; resolves when it has ended. */
  kill: () => Promise<void>
  /** SIGTERM; resolves when it has ended by itself. */
  stop: () => Promise<void>
  /** Removes the data folder of a node that has ended, as when its disk is lost. */
  loseDisk: () => Promise<void>
}

export interface RestateCluster {
  nodes: ClusterNode[]
  /** The addresses of the first nodes, with commas between them. */
  ingressUrl: string
  adminUrl: string
  /** Starts one more node, with a name of its own and an empty folder. It uses the ports of a node whose disk is lost. */
  replace: (lost: ClusterNode) => Promise<ClusterNode>
  ports: number[]
  /**
   * Whether so many nodes run and know each other, each partition has one leader, and each of its copies has read what is in its log.
   * Only then another node may be lost.
   */
  isWhole: (living: number) => Promise<boolean>
  /** The nodes that lead partitions, each with how many. */
  leaders: () => Promise<{ node: ClusterNode; partitions: number }[]>
  /** Whether each partition has a leader. */
  hasLeaders: () => Promise<boolean>
  remove: () => Promise<void>
}

const CHECKOUT = join(import.meta.dirname, '..', '..', '..')
const CONFIG = join(CHECKOUT, 'restate.toml')
const NODES = 3
const PARTITIONS = 8
/** Records that a copy may be behind under load. */
const LAG_MAX = 100
const LEADERS_MS_MAX = 60_000

/** With the ports of a cluster that is lost it has the addresses of that one. */
export async function startRestateCluster(settings: Record<string, string> = {}, lost?: number[]): Promise<RestateCluster> {
  const ports = lost ?? (await freePorts(3 * NODES))
  const portsOf = (place: number): RestatePorts => ({
    ingress: ports[3 * place]!,
    admin: ports[3 * place + 1]!,
    node: ports[3 * place + 2]!,
  })
  const all = Array.from({ length: NODES }, (_, place) => portsOf(place))
  const common = {
    RESTATE_DEFAULT_NUM_PARTITIONS: String(PARTITIONS),
    RESTATE_DEFAULT_REPLICATION: '2',
    RESTATE_METADATA_CLIENT__TYPE: 'replicated',
    RESTATE_METADATA_CLIENT__ADDRESSES: JSON.stringify(all.map(({ node }) => `http://127.0.0.1:${node}`)),
    ...documentedSettings(),
    ...settings,
  }
  const nodes = all.map((own, place) => nodeOn(`n${place + 1}`, own, { ...common, RESTATE_AUTO_PROVISION: String(place === 0) }))
  const adminUrl = nodes.map((node) => node.adminUrl).join(',')
  const hasLeaders = () => queryRestate(adminUrl, 'select id from sys_invocation limit 1').then(Boolean, () => false)
  const remove = async () => {
    await Promise.all(nodes.map((node) => node.kill()))
    await Promise.all(nodes.map((node) => node.loseDisk()))
  }
  const views = async () => {
    const running = nodes.filter((node) => node.isRunning())
    const each = running.map(async (node) => ({ node, ...(await viewOf(node)) }))
    return (await Promise.allSettled(each)).flatMap((view) => (view.status === 'fulfilled' ? [view.value] : []))
  }
  const isWhole = async (living: number) => {
    const seen = await views()
    const leading = seen.reduce((sum, view) => sum + view.leading, 0)
    const isCaughtUp = (view: NodeView) =>
      view.alive === living && view.copies === PARTITIONS && view.unread === 0 && view.lag <= LAG_MAX
    return seen.length === living && leading === PARTITIONS && seen.every(isCaughtUp)
  }
  const leaders = async () =>
    (await views()).filter(({ leading }) => leading > 0).map(({ node, leading }) => ({ node, partitions: leading }))
  try {
    await Promise.all(nodes.map((node) => node.start()))
    if (!(await until(hasLeaders, LEADERS_MS_MAX))) throw new Error('the partitions of the cluster have no leaders after 60 s')
    await restatectl(nodes, ['config', 'set', '--partition-replication', String(NODES), '--yes'])
    if (!(await until(() => isWhole(NODES), LEADERS_MS_MAX)))
      throw new Error('not every node has a copy of each partition after 60 s')
  } catch (error) {
    await remove()
    throw error
  }
  const replace = async (lost: ClusterNode) => {
    const place = nodes.indexOf(lost)
    const name = `n${nodes.length + 1}`
    const node = nodeOn(name, all[place]!, { ...common, RESTATE_AUTO_PROVISION: 'false' })
    nodes.push(node)
    await node.start()
    return node
  }
  return {
    nodes,
    ingressUrl: nodes.map((node) => node.ingressUrl).join(','),
    adminUrl,
    ports,
    replace,
    isWhole,
    leaders,
    hasLeaders,
    remove,
  }
}

/** The settings for clusters that docs/cluster.md has for machines of one's own. */
function documentedSettings(): Record<string, string> {
  const lines = readFileSync(join(CHECKOUT, 'ops', 'systemd', 'restate.env'), 'utf8').matchAll(/^(RESTATE_BIFROST__\w+)=(.*)$/gm)
  return Object.fromEntries(Array.from(lines, ([, name, value]) => [name!, value!]))
}

/** What a node says about itself and the others. */
interface NodeView {
  alive: number
  /** Partitions that it has a copy of, and those that it leads. */
  copies: number
  leading: number
  /** Partitions of which it does not know how far it has read. */
  unread: number
  /** The most records that one of its partitions has not read yet. */
  lag: number
}

async function viewOf({ nodeUrl }: ClusterNode): Promise<NodeView> {
  const metrics = await fetch(`${nodeUrl}/metrics`).then((answer) => answer.text())
  const valueOf = (pattern: RegExp) => Number(pattern.exec(metrics)?.[1])
  return {
    alive: valueOf(/^restate_failure_detector_nodes_total\{.*state="alive".*\} (\d+)/m),
    copies: valueOf(/^restate_num_active_partitions\{.*\} (\d+)/m),
    leading: valueOf(/^restate_num_active_partition_leaders\{.*\} (\d+)/m),
    unread: valueOf(/^restate_partition_num_unknown_applied_lsn_lag\{.*\} (\d+)/m),
    lag: valueOf(/^restate_partition_applied_lsn_lag\{.*quantile="1.0".*\} (\d+)/m),
  }
}

function nodeOn(name: string, ports: RestatePorts, settings: Record<string, string>): ClusterNode {
  const folder = makeDataFolder(`restate-${name}`)
  const logFile = join(folder, 'restate.log')
  let child: ChildProcess | undefined
  const end = async (signal: NodeJS.Signals) => {
    if (child !== undefined) await stopProcess(child, signal)
  }
  return {
    name,
    ingressUrl: `http://127.0.0.1:${ports.ingress}`,
    adminUrl: `http://127.0.0.1:${ports.admin}`,
    nodeUrl: `http://127.0.0.1:${ports.node}`,
    logFile,
    isRunning: () => child !== undefined && !isProcessGone(child),
    start: async () => {
      const log = openSync(logFile, 'a')
      const onSpawn = (spawned: ChildProcess) => (child = spawned)
      await startRestate({ folder, configFile: CONFIG, ports, log, settings: { ...settings, RESTATE_NODE_NAME: name } }, onSpawn)
      closeSync(log)
    },
    kill: async () => {
      if (child === undefined) return
      const ended = exitOf(child)
      child.kill('SIGKILL')
      await ended
    },
    stop: () => end('SIGTERM'),
    loseDisk: () => rm(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }),
  }
}
