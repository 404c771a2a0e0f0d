import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { openSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { freePorts, isListening } from '../../../../src/main/embedded/ports.ts'
import { stopProcess } from '../../../../src/main/embedded/process.ts'
import { until } from '../../../../src/main/embedded/until.ts'
import { makeDataFolder } from '../data-folder.ts'
import { JARS, kafkaProblem } from './jars.ts'

/** A running broker: KAFKA_BROKERS, which cannot be killed, or one of its own. */
export const GIVEN = process.env['KAFKA_BROKERS']

/** Why tests with a Kafka are skipped; undefined where there is one. */
export const NO_KAFKA = GIVEN === undefined ? kafkaProblem() : undefined

export interface TestBroker {
  address: string
  kill: () => Promise<void>
  start: () => Promise<void>
  stop: () => Promise<void>
}

/** Start-up is most of what a test with a broker takes, so nothing is compiled twice, and the heap is small. */
const JVM = ['-Xmx320m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto', '-Dlog4j2.level=WARN']
const START_MS_MAX = 60_000

/** A Kafka of one node, which is broker and controller, with its data in memory. */
export async function startBroker(): Promise<TestBroker> {
  if (GIVEN !== undefined) {
    const nothing = async () => undefined
    return { address: GIVEN, kill: nothing, start: nothing, stop: nothing }
  }
  const folder = makeDataFolder('kafka')
  const [port, controllerPort] = (await freePorts(2)) as [number, number]
  const file = join(folder, 'server.properties')
  writeFileSync(file, propertiesOf(folder, port, controllerPort))
  const classPath = ['-cp', join(JARS, '*')]
  const format = ['kafka.tools.StorageTool', 'format', '-t', 'MkU3OEVBNTcwNTJENDM2Qk', '-c', file]
  const formatted = spawnSync('java', [...JVM, ...classPath, ...format], { encoding: 'utf8' })
  if (formatted.status !== 0) throw new Error(`Kafka's folder cannot be made: ${formatted.stderr}`)
  const log = openSync(join(folder, 'kafka.log'), 'a')
  let child: ChildProcess | undefined
  const start = async () => {
    child = spawn('java', [...JVM, ...classPath, 'kafka.Kafka', file], { stdio: ['ignore', log, log] })
    if (!(await until(() => isListening(`http://127.0.0.1:${port}`), START_MS_MAX))) throw new Error('Kafka does not listen')
  }
  const kill = async () => {
    if (child !== undefined) await stopProcess(child, 'SIGKILL')
    child = undefined
  }
  await start()
  const stop = async () => {
    await kill()
    await rm(folder, { recursive: true, force: true })
  }
  return { address: `127.0.0.1:${port}`, kill, start, stop }
}

function propertiesOf(folder: string, port: number, controllerPort: number): string {
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(folder, 'data'),
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    'auto.create.topics.enable': 'false',
    'message.max.bytes': String(4 * 1024 * 1024),
    'log.cleaner.enable': 'false',
  })
    .map(([name, value]) => `${name}=${value}`)
    .join('\n')
}
