import { spawnSync } from 'node:child_process'
import { freePorts, isListening } from '../../../../src/main/embedded/ports.ts'
import { until } from '../../../../src/main/embedded/until.ts'
import type { TestBroker } from './broker.ts'
import { propertiesOf, START_MS_MAX } from './properties.ts'

const IMAGE = 'apache/kafka:4.1.0'
const ASK_MS_MAX = 10_000
const PULL_MS_MAX = 180_000
const [PORT, CONTROLLER_PORT] = [9092, 9093]

const docker = (args: readonly string[], timeout = ASK_MS_MAX) => spawnSync('docker', [...args], { encoding: 'utf8', timeout })

/** Why no Kafka runs in a container here; undefined when an engine answers and has the image, or pulls it now. */
export function dockerProblem(): string | undefined {
  if (docker(['info']).status !== 0) return 'no Docker engine answers'
  if (docker(['image', 'inspect', IMAGE]).status === 0 || docker(['pull', '-q', IMAGE], PULL_MS_MAX).status === 0)
    return undefined
  return `Docker cannot pull ${IMAGE}`
}

/** A Kafka of one node in a container. */
export async function startDockerBroker(): Promise<TestBroker> {
  const [port] = (await freePorts(1)) as [number]
  const properties = {
    ...propertiesOf(CONTROLLER_PORT),
    listeners: `PLAINTEXT://0.0.0.0:${PORT},CONTROLLER://127.0.0.1:${CONTROLLER_PORT}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
  }
  const settings = Object.entries(properties).flatMap(([name, value]) => [
    '--env',
    `KAFKA_${name.replaceAll('.', '_').toUpperCase()}=${value}`,
  ])
  const made = docker(['create', '--publish', `127.0.0.1:${port}:${PORT}`, ...settings, IMAGE])
  if (made.status !== 0) throw new Error(`the container of Kafka cannot be made: ${made.stderr}`)
  const container = made.stdout.trim()
  const start = async () => {
    docker(['start', container])
    if (!(await until(() => isListening(`http://127.0.0.1:${port}`), START_MS_MAX))) throw new Error('Kafka does not listen')
  }
  await start()
  return {
    address: `127.0.0.1:${port}`,
    loginAddress: undefined,
    kill: async () => void docker(['kill', container]),
    start,
    stop: async () => void docker(['rm', '--force', '--volumes', container]),
  }
}
