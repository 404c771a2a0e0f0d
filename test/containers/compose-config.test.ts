import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { kafkaSettings } from '../../src/main/config/kafka.ts'

const CHECKOUT = join(import.meta.dirname, '..', '..')
/** Reading docker-compose.yml needs no engine. */
const hasCompose = spawnSync('docker', ['compose', 'version']).status === 0

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'footfall-compose-'))
  mkdirSync(join(folder, 'ops'))
  for (const file of ['docker-compose.yml', 'restate.toml', 'ops/make-secrets.sh'])
    cpSync(join(CHECKOUT, file), join(folder, file))
  execFileSync('sh', [join(folder, 'ops', 'make-secrets.sh')])
})
afterAll(() => rmSync(folder, { recursive: true }))

interface Service {
  environment: Record<string, string | null>
  secrets: { source: string; target: string }[]
}

/** The services as compose reads them with these lines in .env. */
function servicesWith(env: readonly string[], ...options: string[]): Record<string, Service> {
  writeFileSync(join(folder, '.env'), env.join('\n'))
  const args = ['compose', ...options, 'config', '--format', 'json']
  const printed = execFileSync('docker', args, {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], ...(process.env['DOCKER_CONFIG'] && { DOCKER_CONFIG: process.env['DOCKER_CONFIG'] }) },
    stdio: 'pipe',
  })
  return (JSON.parse(printed) as { services: Record<string, Service> }).services
}

/** The lines of .env that docs/containers.md has for brokers with a login. */
function documented(): string[] {
  const page = readFileSync(join(CHECKOUT, 'docs', 'containers.md'), 'utf8')
  return [...page.matchAll(/^ {4}(KAFKA_\w+=.*)$/gm)].map(([, line]) => line!)
}

test.skipIf(!hasCompose)('the consumer gets the settings of Kafka from .env, and its secrets as files', () => {
  const lines = documented()
  expect(lines.length).toBeGreaterThan(4)
  const { consumer } = servicesWith([...lines, 'KAFKA_TOPIC_UPDATED=shop.updates'], '--profile', 'kafka')
  const expected = Object.fromEntries(lines.map((line) => line.split('=')))
  expect(consumer!.environment).toMatchObject({ ...expected, KAFKA_TOPIC_UPDATED: 'shop.updates' })
  const files = Object.values(consumer!.environment).flatMap((value) => /^\/run\/secrets\/(\w+)$/.exec(value ?? '')?.[1] ?? [])
  expect(consumer!.secrets.map(({ source }) => source)).toEqual(expect.arrayContaining(files))
  expect(consumer!.secrets.map(({ source }) => source)).not.toContain('manage_key')
})

test.skipIf(!hasCompose)('every setting of Kafka can be set, and the consumer runs only with its profile', () => {
  const names = Object.keys(kafkaSettings).filter((name) => name !== 'KAFKA_CONSUMER_URL')
  const { consumer } = servicesWith(
    names.map((name) => `${name}=x`),
    ...['--profile', 'kafka'],
  )
  expect(Object.keys(consumer!.environment)).toEqual(expect.arrayContaining(names))
  expect(Object.keys(servicesWith([]))).not.toContain('consumer')
})
