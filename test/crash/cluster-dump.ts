import { mkdirSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { queryRestate } from '../../src/main/embedded/restate-queries.ts'
import type { ClusterNode } from '../harness/servers/restate-cluster.ts'
import { restatectl } from '../harness/servers/restatectl.ts'
import type { ClusterLoad } from './cluster-load.ts'
import type { ClusterSite } from './cluster.ts'

const LOG_BYTES_MAX = 64 * 1024 ** 2

/** What restatectl is asked. The tables are those of `restatectl sql`. */
const QUESTIONS: Record<string, string[]> = {
  status: ['status'],
  partitions: ['partitions', 'list'],
  logs: ['logs', 'list'],
  partition_state: ['sql', '--json', 'select * from partition_state order by partition_id'],
  read_streams: ['sql', '--json', 'select * from bifrost_read_streams order by log_id'],
  tail_segments: ['sql', '--json', 'select * from logs_tail_segments order by log_id'],
  loglet_workers: ['sql', '--json', 'select * from loglet_workers order by log_id, segment_index'],
  metadata_servers: ['metadata-server', 'status'],
}

/** Writes what a cluster does, and what its clients wait for, into a folder: the first thing to read when requests get no answer. */
export async function dumpCluster(site: ClusterSite, load: ClusterLoad, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text)
  write('waiting-requests.json', JSON.stringify(load.waiting(), undefined, 2))
  write('processes.log', site.output())
  const { nodes, adminUrl } = site.cluster
  const running = nodes.filter((node) => node.isRunning())
  const asked = Object.entries(QUESTIONS).map(async ([name, args]) =>
    write(`${name}.txt`, await restatectl(running, args).catch(String)),
  )
  const invocations = queryRestate(adminUrl, "select * from sys_invocation where status <> 'completed'").then(
    (rows) => JSON.stringify(rows, undefined, 2),
    String,
  )
  const ofNodes = nodes.map(async (node) => {
    write(`${node.name}.metrics`, await fetch(`${node.nodeUrl}/metrics`).then((answer) => answer.text(), String))
    write(`${node.name}.log`, await endOfLog(node))
  })
  await Promise.all([...asked, ...ofNodes, invocations.then((text) => write('sys_invocation.json', text))])
}

async function endOfLog({ logFile }: ClusterNode): Promise<string> {
  const file = await open(logFile)
  try {
    const { size } = await file.stat()
    const length = Math.min(size, LOG_BYTES_MAX)
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length)
    return buffer.toString()
  } finally {
    await file.close()
  }
}
