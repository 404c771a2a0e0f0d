import { execFile } from 'node:child_process'
import { mkdtemp, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect } from 'vitest'
import { restateTest as test } from '../harness/fixtures.ts'

const run = promisify(execFile)
const CHECKOUT = join(import.meta.dirname, '..', '..')
const MODULES = join(CHECKOUT, 'node_modules')

const CONSUMER = `
import { analyticApi, popularityApi, newEvent } from './typed.js'
import * as clients from '@restatedev/restate-sdk-clients'
const footfall = clients.connect({ url: process.argv[2]! })
const answer = await footfall.client(analyticApi).CreateInteraction({ interactions: [newEvent('packed'), { nonsense: 1 }] })
const top = await footfall.client(popularityApi).Top({ limit: 1 })
const accepted: number = answer.accepted
console.log(JSON.stringify({ accepted, fields: answer.rejected.map(({ field }) => field), top: top.data.length <= 1 }))
`
const TYPED = `
import { type Interaction, Interaction as Schema } from '@footfall/server/contract'
export { analyticApi, popularityApi } from '@footfall/server/contract'
export const newEvent = (ref_id: string): Interaction => Schema.parse({ session_id: 's', event_type: 'view', ref_type: 'Product', ref_id })
`

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'footfall-consumer-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

test('another project imports the packed contract and calls the ingress with its types', async ({ stack }) => {
  const installed = join(folder, 'node_modules', '@footfall', 'server')
  await mkdir(installed, { recursive: true })
  await run('npm', ['pack', '--pack-destination', folder], { cwd: CHECKOUT })
  const archive = (await readdir(folder)).find((name) => name.endsWith('.tgz'))!
  await run('tar', ['xzf', join(folder, archive), '-C', installed, '--strip-components=1'])
  for (const name of ['zod', '@restatedev', '@types', 'undici-types'])
    await symlink(join(MODULES, name), join(folder, 'node_modules', name))

  await writeFile(join(folder, 'package.json'), '{"type": "module"}')
  await writeFile(join(folder, 'typed.ts'), TYPED)
  await writeFile(join(folder, 'consumer.ts'), CONSUMER)
  const options = ['--strict', '--module', 'nodenext', '--target', 'es2024', '--types', 'node', '--outDir', 'out', 'consumer.ts']
  await run(join(MODULES, '.bin', 'tsc'), options, { cwd: folder })
  const { stdout } = await run(process.execPath, [join(folder, 'out', 'consumer.js'), stack.ingressUrl], { cwd: folder })
  expect(JSON.parse(stdout)).toEqual({ accepted: 1, fields: ['event_type'], top: true })
  // Only the contract is published: no SQL, no services.
  const packed = await run('tar', ['tzf', join(folder, archive)])
  const stray = packed.stdout
    .split('\n')
    .filter(
      (name) =>
        name !== '' && !/^package\/(dist\/contract\/|package\.json|README\.md|LICENSE|src\/main\/footfall\.js)/.test(name),
    )
  expect(stray).toEqual([])
})
