import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { getContainerRuntimeClient } from 'testcontainers'

/**
 * `npm run test:containers`: the tests of PostgreSQL and Restate against containers, and the tests of docker-compose.yml. Arguments
 * after `--` go to vitest.
 */
async function main(): Promise<number> {
  if (!(await isDockerThere())) {
    console.error('There is no Docker engine here that answers: start one, or run npm test, which needs none.')
    return 2
  }
  const projects = ['postgres', 'restate', 'containers'].flatMap((name) => ['--project', name])
  const vitest = join(import.meta.dirname, '..', '..', 'node_modules', 'vitest', 'vitest.mjs')
  const child = spawn(process.execPath, [vitest, 'run', ...projects, ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, TEST_SERVERS: 'containers' },
  })
  await once(child, 'exit')
  return child.exitCode ?? 1
}

async function isDockerThere(): Promise<boolean> {
  try {
    await getContainerRuntimeClient()
    return true
  } catch {
    return false
  }
}

process.exitCode = await main()
