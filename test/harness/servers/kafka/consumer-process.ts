import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { join } from 'node:path'
import { freePorts } from '../../../../src/main/embedded/ports.ts'
import { exitOf } from '../../../../src/main/embedded/process.ts'
import type { TestTopics } from './topics.ts'

const MAIN = join(import.meta.dirname, '..', '..', '..', '..', 'src', 'main', 'consumer.ts')

export interface ConsumerProcess {
  child: ChildProcess
  metricsUrl: string
}

/** Starts the consumer as a process of its own. Resolves when it serves its metrics. */
export async function startConsumerProcess(
  { settings, nameOf, groupId }: TestTopics,
  env: Record<string, string>,
  logFile: string,
): Promise<ConsumerProcess> {
  const [port] = (await freePorts(1)) as [number]
  const log = openSync(logFile, 'a')
  const child = spawn(process.execPath, [MAIN], {
    env: {
      PATH: process.env['PATH'],
      NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'],
      KAFKA_BROKERS: settings.brokers.join(','),
      KAFKA_GROUP: groupId,
      KAFKA_TOPIC_CREATED: nameOf.ProductCreated,
      KAFKA_TOPIC_UPDATED: nameOf.ProductUpdated,
      KAFKA_TOPIC_DELETED: nameOf.ProductDeleted,
      KAFKA_TOPIC_INTERACTIONS: nameOf.interaction,
      CONSUMER_METRICS_PORT: String(port),
      ...env,
    },
    stdio: ['ignore', log, log, 'ipc'],
  })
  const isReady = await Promise.race([once(child, 'message').then(() => true), exitOf(child).then(() => false)])
  if (!isReady) throw new Error(`the consumer ended before it was ready: ${logFile}`)
  return { child, metricsUrl: `http://127.0.0.1:${port}` }
}
