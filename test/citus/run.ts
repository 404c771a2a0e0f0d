import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { nodesOf } from '../harness/servers/citus-server.ts'

/**
 * `npm run test:citus`: the tests of PostgreSQL against the coordinator of DATABASE_URL, each file in a database of its own on all nodes, which is
 * prepared by `migrate --citus`. Arguments after `--` go to vitest, e.g. folders of tests.
 */
async function main(): Promise<number> {
  const url = process.env['DATABASE_URL']
  if (url === undefined) {
    console.log('Nothing was tested: DATABASE_URL names no coordinator of Citus.')
    return 0
  }
  const nodes = await nodesOf(url)
  if (nodes.length === 0) {
    console.log('Nothing was tested: the database of DATABASE_URL has no extension citus, or no nodes.')
    return 0
  }
  console.log(`Testing on ${nodes.map(({ host, port }) => `${host}:${port}`).join(', ')}.`)
  const vitest = join(import.meta.dirname, '..', '..', 'node_modules', 'vitest', 'vitest.mjs')
  const child = spawn(process.execPath, [vitest, 'run', '--project', 'postgres', ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, TEST_CITUS: 'server' },
  })
  await once(child, 'exit')
  return child.exitCode ?? 1
}

process.exitCode = await main()
