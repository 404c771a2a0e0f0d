import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'

const CHECKOUT = join(import.meta.dirname, '..', '..')
const NAMES = ['POSTGRES_IMAGE', 'RESTATE_IMAGE', 'NODE_IMAGE', 'PROMETHEUS_IMAGE', 'GRAFANA_IMAGE', 'HAPROXY_IMAGE']

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'footfall-pin-'))
  mkdirSync(join(folder, 'ops'))
  cpSync(join(CHECKOUT, 'ops', 'pin-images.sh'), join(folder, 'ops', 'pin-images.sh'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** The files of compose, as one text. */
const compose = ['docker-compose.yml', 'docker-compose.cluster.yml']
  .map((file) => readFileSync(join(CHECKOUT, file), 'utf8'))
  .join('\n')

/** Runs the script with a stand-in for docker that answers `inspect` with these lines. */
function pin(inspected: string): string {
  const bin = join(folder, 'bin')
  mkdirSync(bin, { recursive: true })
  writeFileSync(join(bin, 'docker'), `#!/bin/sh\n[ "$1" = pull ] || printf '${inspected}'\n`)
  chmodSync(join(bin, 'docker'), 0o755)
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}` }
  return execFileSync('sh', [join(folder, 'ops', 'pin-images.sh')], { env, encoding: 'utf8', stdio: 'pipe' })
}

const envLines = () => readFileSync(join(folder, '.env'), 'utf8').trim().split('\n')

test('the digest of each image is written into .env once, and other settings stay', () => {
  writeFileSync(join(folder, '.env'), 'FOOTFALL_RELEASE=2\nPOSTGRES_IMAGE=old\n')
  pin('name@sha256:1\\n\\n')
  pin('name@sha256:2\\nmirror@sha256:2\\n\\n')
  const imageOf = (name: string) => new RegExp(`\\$\\{${name}:-([^}]+)\\}`).exec(compose)![1]
  expect(envLines()).toEqual(['FOOTFALL_RELEASE=2', ...NAMES.map((name) => `${name}=${imageOf(name)}@sha256:2`)])
})

test('an image without a digest is an error, and changes nothing', () => {
  writeFileSync(join(folder, '.env'), 'FOOTFALL_RELEASE=2\n')
  expect(() => pin('')).toThrow(/postgres:18 has no digest/)
  expect(envLines()).toEqual(['FOOTFALL_RELEASE=2'])
})

test('every image of the files of compose can be pinned', () => {
  const images = [...compose.matchAll(/^ +image: (.*)$/gm)].map(([, image]) => image!)
  for (const image of images) expect(image).toMatch(/^\$\{[A-Z]+_IMAGE:-[^}]+\}/)
  const pinned = new Set(images.map((image) => /[A-Z]+_IMAGE/.exec(image)![0]))
  pinned.delete('FOOTFALL_IMAGE')
  expect([...pinned, 'NODE_IMAGE'].toSorted()).toEqual(NAMES.toSorted())
})
