import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { openSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { freePorts, isListening } from '../../../../src/main/embedded/ports.ts'
import { stopProcess } from '../../../../src/main/embedded/process.ts'
import { until } from '../../../../src/main/embedded/until.ts'
import { makeDataFolder } from '../data-folder.ts'
import type { BrokerLogin, TestBroker } from './broker.ts'
import { JARS } from './jars.ts'
import { propertiesOf, START_MS_MAX } from './properties.ts'

/** Start-up is most of what a test with a broker takes, so nothing is compiled twice, and the heap is small. */
const JVM = ['-Xmx320m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto', '-Dlog4j2.level=WARN']

/** A Kafka of one node with its data in memory; with a login, a second listener takes it over TLS. */
export async function startJarBroker(login: BrokerLogin | undefined): Promise<TestBroker> {
  const folder = makeDataFolder('kafka')
  const [port, controllerPort, loginPort] = (await freePorts(3)) as [number, number, number]
  const file = join(folder, 'server.properties')
  const listeners = {
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
  }
  const common = { ...propertiesOf(controllerPort), 'log.dirs': join(folder, 'data') }
  const properties = { ...common, ...(login === undefined ? listeners : withLogin(listeners, login, loginPort)) }
  writeFileSync(
    file,
    Object.entries(properties)
      .map(([name, value]) => `${name}=${value.replaceAll('\n', '\\n')}`)
      .join('\n'),
  )
  const classPath = ['-cp', join(JARS, '*')]
  const scram = login === undefined ? [] : ['--add-scram', `SCRAM-SHA-512=[name=${login.username},password=${login.password}]`]
  const format = ['kafka.tools.StorageTool', 'format', '-t', 'MkU3OEVBNTcwNTJENDM2Qk', '-c', file, ...scram]
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
  const address = `127.0.0.1:${port}`
  return { address, loginAddress: login && `localhost:${loginPort}`, kill, start, stop }
}

function withLogin(
  { listeners, 'advertised.listeners': advertised }: Record<'listeners' | 'advertised.listeners', string>,
  { certFile, keyFile }: BrokerLogin,
  port: number,
): Record<string, string> {
  const own = `SASL_SSL://localhost:${port}`
  return {
    listeners: `${listeners},${own}`,
    'advertised.listeners': `${advertised},${own}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL',
    'inter.broker.listener.name': 'PLAINTEXT',
    'sasl.enabled.mechanisms': 'SCRAM-SHA-512',
    'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config': 'org.apache.kafka.common.security.scram.ScramLoginModule required;',
    'ssl.keystore.type': 'PEM',
    'ssl.keystore.certificate.chain': readFileSync(certFile, 'utf8'),
    'ssl.keystore.key': readFileSync(keyFile, 'utf8'),
  }
}
