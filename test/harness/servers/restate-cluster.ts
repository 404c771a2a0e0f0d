import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { freePorts } from '../../../src/main/embedded/ports.ts'
import { exitOf, isProcessGone, stopProcess } from '../../../src/main/embedded/process.ts'
import { queryRestate, type RestatePorts, startRestate } from '../../../src/main/embedded/restate.ts'
import { until } from '../../../src/main/embedded/until.ts'
import { makeDataFolder } from './data-folder.ts'

/*
 * Several restate-servers that are one cluster: replicated metadata, and two copies of each partition and its log. Any one of three may be
 * away.
 */

export interface ClusterNode {
  name: string
  ingressUrl: string
  adminUrl: string
  /** Its address for the other nodes and for restatectl. */
  nodeUrl: string
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
  /** Whether every node knows so many living ones, and how far each of its partitions has read. Only then another node may be lost. */
  isWhole: (living: number) => Promise<boolean>
  /** Whether each partition has a leader. */
  hasLeaders: () => Promise<boolean>
  remove: () => Promise<void>
}

const CONFIG = join(import.meta.dirname, '..', '..', '..', 'restate.toml')
const NODES = 3
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
    RESTATE_DEFAULT_NUM_PARTITIONS: '8',
    RESTATE_DEFAULT_REPLICATION: '2',
    RESTATE_METADATA_CLIENT__TYPE: 'replicated',
    RESTATE_METADATA_CLIENT__ADDRESSES: JSON.stringify(all.map(({ node }) => `http://127.0.0.1:${node}`)),
    ...settings,
  }
  const nodes = all.map((own, place) => nodeOn(`n${place + 1}`, own, { ...common, RESTATE_AUTO_PROVISION: String(place === 0) }))
  const adminUrl = nodes.map((node) => node.adminUrl).join(',')
  const hasLeaders = () => queryRestate(adminUrl, 'select id from sys_invocation limit 1').then(Boolean, () => false)
  const remove = async () => {
    await Promise.all(nodes.map((node) => node.kill()))
    await Promise.all(nodes.map((node) => node.loseDisk()))
  }
  try {
    await Promise.all(nodes.map((node) => node.start()))
    if (!(await until(hasLeaders, LEADERS_MS_MAX))) throw new Error('the partitions of the cluster have no leaders after 60 s')
  } catch (error) {
    await remove()
    throw error
  }
  const isWhole = async (living: number) => {
    const running = nodes.filter((node) => node.isRunning())
    const each = running.map((node) => isWholeFor(node, living).catch(() => false))
    return running.length === living && (await Promise.all(each)).every(Boolean)
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
    hasLeaders,
    remove,
  }
}

async function isWholeFor({ nodeUrl }: ClusterNode, living: number): Promise<boolean> {
  const metrics = await fetch(`${nodeUrl}/metrics`).then((answer) => answer.text())
  const valueOf = (pattern: RegExp) => Number(pattern.exec(metrics)?.[1])
  return (
    valueOf(/^restate_failure_detector_nodes_total\{.*state="alive".*\} (\d+)/m) === living &&
    valueOf(/^restate_partition_num_unknown_applied_lsn_lag\{.*\} (\d+)/m) === 0
  )
}

function nodeOn(name: string, ports: RestatePorts, settings: Record<string, string>): ClusterNode {
  const folder = makeDataFolder(`restate-${name}`)
  let child: ChildProcess | undefined
  const end = async (signal: NodeJS.Signals) => {
    if (child !== undefined) await stopProcess(child, signal)
  }
  return {
    name,
    ingressUrl: `http://127.0.0.1:${ports.ingress}`,
    adminUrl: `http://127.0.0.1:${ports.admin}`,
    nodeUrl: `http://127.0.0.1:${ports.node}`,
    isRunning: () => child !== undefined && !isProcessGone(child),
    start: async () => {
      const log = openSync(join(folder, 'restate.log'), 'a')
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
