import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { addressesIn } from '../../src/ingress/addresses.ts'
import { readConfig } from '../../src/main/config/config.ts'
import { binariesFolder } from '../../src/main/embedded/postgres.ts'
import { databaseAddresses } from '../../src/store/database/addresses.ts'

const CHECKOUT = join(import.meta.dirname, '..', '..')
/** Reading the file needs no engine. */
const hasCompose = spawnSync('docker', ['compose', 'version']).status === 0
const hasHaproxy = spawnSync('haproxy', ['-v']).status === 0

interface Service {
  image: string
  restart?: string
  command: string[] | null
  environment?: Record<string, string | null>
  networks: Record<string, { aliases?: string[] } | null>
  secrets?: { source: string }[]
  volumes?: { type: string; source: string; target: string }[]
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'footfall-cluster-'))
  mkdirSync(join(folder, 'ops'))
  for (const file of ['docker-compose.cluster.yml', 'docker-compose.yml', 'ops/make-secrets.sh'])
    cpSync(join(CHECKOUT, file), join(folder, file))
  execFileSync('sh', [join(folder, 'ops', 'make-secrets.sh')])
})
afterAll(() => rmSync(folder, { recursive: true }))

const SNAPSHOTS = ['SNAPSHOTS=s3://bucket/x', 'SNAPSHOTS_ACCESS_KEY_ID=a', 'SNAPSHOTS_SECRET_ACCESS_KEY=b']

/** What compose reads with these lines in .env. */
function printed(file: string, env: readonly string[], ...options: string[]) {
  writeFileSync(join(folder, '.env'), env.join('\n'))
  return spawnSync('docker', ['compose', '--file', file, ...options, 'config', '--format', 'json'], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], ...(process.env['DOCKER_CONFIG'] && { DOCKER_CONFIG: process.env['DOCKER_CONFIG'] }) },
  })
}

function servicesOf(file: string, ...options: string[]): Record<string, Service> {
  const { status, stdout, stderr } = printed(file, SNAPSHOTS, ...options)
  if (status !== 0) throw new Error(stderr)
  return (JSON.parse(stdout) as { services: Record<string, Service> }).services
}

const named = (services: Record<string, Service>, pattern: RegExp) =>
  Object.entries(services).flatMap(([name, service]) => (pattern.test(name) ? [{ name, ...service }] : []))

test.skipIf(!hasCompose)('the cluster has three nodes, three servers and two of each process, with data of their own', () => {
  const services = servicesOf('docker-compose.cluster.yml')
  for (const [pattern, count] of [
    [/^restate-/, 3],
    [/^postgres-/, 3],
    [/^endpoint-/, 2],
    [/^gateway-/, 2],
  ] as const)
    expect(named(services, pattern)).toHaveLength(count)
  const kept = named(services, /^(restate|postgres)-/).flatMap(({ volumes = [] }) =>
    volumes.filter(({ type }) => type === 'volume'),
  )
  expect(new Set(kept.map(({ source }) => source)).size).toBe(6)
  const nodes = named(services, /^restate-/)
  expect(nodes.map(({ environment }) => environment!['RESTATE_NODE_NAME'])).toEqual(['restate-1', 'restate-2', 'restate-3'])
  expect(nodes.map(({ environment }) => environment!['RESTATE_AUTO_PROVISION'])).toEqual(['true', 'false', 'false'])
})

test.skipIf(!hasCompose)('every address of a process is that of a service on one of its networks', () => {
  const services = servicesOf('docker-compose.cluster.yml', '--profile', 'kafka')
  /** Names of the services on a network, with their aliases there. */
  const namesOn = (network: string) =>
    Object.entries(services).flatMap(([name, service]) =>
      network in service.networks ? [name, ...(service.networks[network]?.aliases ?? [])] : [],
    )
  for (const { name, environment = {}, networks } of named(services, /^(endpoint|gateway|register|migrate|consumer|ui)/)) {
    const reached = Object.keys(networks).flatMap(namesOn)
    const { RESTATE_INGRESS_URL: ingress, RESTATE_ADMIN_URL: admin, DATABASE_URL: database } = environment
    const addresses = [ingress, admin]
      .flatMap((text) => (text ? addressesIn(text) : []))
      .concat(database ? databaseAddresses(database) : [])
    expect(addresses.length).toBeGreaterThan(0)
    for (const address of addresses) expect([name, ...reached]).toContain(new URL(address).hostname)
  }
})

test.skipIf(!hasCompose)(
  'the processes of the cluster have the settings of those of docker-compose.yml, and Footfall takes them',
  () => {
    const [one, cluster] = [servicesOf('docker-compose.yml'), servicesOf('docker-compose.cluster.yml')]
    for (const [there, here] of [
      ['endpoint', 'endpoint-a'],
      ['gateway', 'gateway-1'],
      ['migrate', 'migrate'],
    ] as const) {
      const { environment = {}, secrets } = cluster[here]!
      expect(secrets).toEqual(one[there]!.secrets)
      expect(Object.keys(environment)).toEqual(expect.arrayContaining(Object.keys(one[there]!.environment!)))
      const { DATABASE_PASSWORD_FILE: _, ...set } = Object.fromEntries(
        Object.entries(environment).filter(([, value]) => value !== null),
      )
      expect(() => readConfig(set as Record<string, string>)).not.toThrow()
    }
  },
)

test.skipIf(!hasCompose)('the cluster does not start without a place for snapshots, and the sentence says what to set', () => {
  for (const missing of SNAPSHOTS) {
    const { status, stderr } = printed(
      'docker-compose.cluster.yml',
      SNAPSHOTS.filter((line) => line !== missing),
    )
    expect(status).not.toBe(0)
    expect(stderr).toContain(`required variable ${missing.split('=')[0]} is missing a value: set it`)
  }
})

test.skipIf(!hasCompose)(
  'the load balancer serves Restate, which has no passwords, on the network of its admin ports alone',
  () => {
    const { environment, networks } = servicesOf('docker-compose.cluster.yml')['haproxy']!
    const bound = environment!['RESTATE_BIND']!
    expect(Object.keys(networks).filter((name) => networks[name]?.aliases?.includes(bound))).toEqual(['admin'])
  },
)

test('the load balancer listens for others only where it serves the gateways', () => {
  const text = readFileSync(join(CHECKOUT, 'ops', 'cluster', 'haproxy.cfg'), 'utf8')
  const bound = [...text.matchAll(/^frontend (\w+)\n {2}bind (.*):\d+"?$/gm)].map(([, name, address]) => [name, address])
  expect(bound).toEqual([
    ['gateways', ''],
    ['restate_ingress', '"${RESTATE_BIND-127.0.0.1}'],
    ['restate_admin', '"${RESTATE_BIND-127.0.0.1}'],
  ])
})

test('the nodes of Restate have the same settings in containers and on machines of their own', () => {
  const settings = readFileSync(join(CHECKOUT, 'ops', 'systemd', 'restate.env'), 'utf8')
  const shared = [...settings.matchAll(/^(RESTATE_(?:DEFAULT|BIFROST)_\w+)=(.*)$/gm)].map(
    ([, name, value]) => `${name}: ${value}`,
  )
  const compose = readFileSync(join(CHECKOUT, 'docker-compose.cluster.yml'), 'utf8')
  expect(shared).toHaveLength(4)
  for (const line of shared) expect(compose).toContain(line)
})

test.skipIf(!hasHaproxy)('the configuration of the load balancer is one', () => {
  const { status, stderr } = spawnSync('haproxy', ['-c', '-f', join(CHECKOUT, 'ops', 'cluster', 'haproxy.cfg')], {
    encoding: 'utf8',
  })
  expect([status, stderr]).toEqual([0, expect.not.stringContaining('ALERT')])
})

test('PostgreSQL takes the options of its unit', () => {
  const unit = readFileSync(join(CHECKOUT, 'ops/systemd/footfall-postgres.service'), 'utf8').replaceAll('\\\n', ' ')
  const command = /^ExecStart=\S+ postgres -D \$\{PGDATA\} (.*)$/m.exec(unit)![1]!
  // systemd's quotes are those of sh here.
  writeFileSync(join(folder, 'postgresql.conf'), '')
  const ask = `set -f; "$0" -C synchronous_standby_names -D "$1" ${command}`
  const { stdout, stderr } = spawnSync('sh', ['-c', ask, join(binariesFolder(), 'postgres'), folder], { encoding: 'utf8' })
  expect([stdout.trim(), stderr]).toEqual(['ANY 1 (postgres_1, postgres_2, postgres_3)', expect.not.stringContaining('FATAL')])
})

test('PostgreSQL has the same options in containers and on plain machines', () => {
  const compose = readFileSync(join(CHECKOUT, 'docker-compose.cluster.yml'), 'utf8').replace('${POSTGRES_WAL_KEPT:-4GB}', '4GB')
  const unit = readFileSync(join(CHECKOUT, 'ops/systemd/footfall-postgres.service'), 'utf8').replaceAll('\\\n', ' ')
  const inContainers = [...compose.matchAll(/^ {4}- --(\w+=.*)$/gm)].map(([, option]) => option!)
  const onMachines = [...unit.matchAll(/(?:-c (\w+=\S+)|"--(\w+=[^"]+)")/g)].map(([, plain, quoted]) => plain ?? quoted!)
  expect(inContainers).toContain('wal_receiver_timeout=5s')
  // In containers the image sets where it listens.
  expect(onMachines.filter((option) => option !== 'listen_addresses=*').sort()).toEqual(inContainers.sort())
})

test('a shell and Footfall take the settings of the units', () => {
  const env = 'set -a; . "$0"; exec env'
  for (const name of ['postgres', 'restate', 'footfall']) {
    const { status, stdout, stderr } = spawnSync('sh', ['-euc', env, join(CHECKOUT, 'ops', 'systemd', `${name}.env`)], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] },
    })
    expect([name, status, stderr]).toEqual([name, 0, ''])
    const set = Object.fromEntries(stdout.split('\n').map((line) => line.split(/=(.*)/s).slice(0, 2)))
    if (name === 'footfall') expect(() => readConfig(set as Record<string, string>)).not.toThrow()
  }
})

test('every file that the cluster mounts or the units name is in the checkout', () => {
  const text = ['docker-compose.cluster.yml', 'ops/systemd/restate.service', 'ops/systemd/footfall-postgres.service']
    .map((file) => readFileSync(join(CHECKOUT, file), 'utf8'))
    .join('\n')
  const files = [...text.matchAll(/(?:\.|\/opt\/footfall)\/((?:ops\/|restate)[\w./-]+)/g)].map(([, file]) => file!)
  expect(files.length).toBeGreaterThan(4)
  expect(files.filter((file) => !existsSync(join(CHECKOUT, file)))).toEqual([])
})
