import { openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { stopProcess } from '../../../src/main/embedded/process.ts'
import { makeDataFolder } from './data-folder.ts'
import { startRestate } from '../../../src/main/embedded/restate.ts'
import { queryRestate } from '../../../src/main/embedded/restate-queries.ts'
import { freePorts } from '../../../src/main/embedded/ports.ts'
import { until } from '../../../src/main/embedded/until.ts'

export interface TestRestate {
  ingressUrl: string
  adminUrl: string
  /** Where an endpoint must listen so that this Restate reaches it. */
  endpointHost: string
  /** How this Restate reaches an endpoint of this machine. */
  urlOfEndpoint: (port: number) => string
  stop: () => Promise<void>
}

export const IDENTITY_KEY_SETTING = 'RESTATE_WORKER__INVOKER__REQUEST_IDENTITY_PRIVATE_KEY_PEM_FILE'
const CONFIG = join(import.meta.dirname, '..', '..', '..', 'restate.toml')

/**
 * A restate-server of its own: the embedded one on free ports, or one in a container when the run asks for those. With a file of a
 * private key it signs its calls.
 */
export async function startTestRestate(identityKeyFile?: string): Promise<TestRestate> {
  const replay = process.env['ALWAYS_REPLAY'] ? { RESTATE_WORKER__INVOKER__INACTIVITY_TIMEOUT: '0s' } : {}
  if (process.env['TEST_SERVERS'] === 'containers') {
    const { startRestateContainer } = await import('../../containers/restate.ts')
    return startRestateContainer(CONFIG, replay, identityKeyFile)
  }
  const settings = { ...replay, ...(identityKeyFile !== undefined && { [IDENTITY_KEY_SETTING]: identityKeyFile }) }
  const folder = makeDataFolder('restate')
  const [ingress, admin, node] = (await freePorts(3)) as [number, number, number]
  const log = openSync(join(folder, 'restate.log'), 'a')
  const server = await startRestate({ folder, configFile: CONFIG, ports: { ingress, admin, node }, log, settings })
  const adminUrl = `http://127.0.0.1:${admin}`
  // Its admin port answers some tenths of a second before its partitions have leaders, and until then each query fails.
  const answers = () => queryRestate(adminUrl, 'select id from sys_invocation limit 1').then(Boolean, () => false)
  if (!(await until(answers, 30_000))) throw new Error('the partitions of restate-server have no leaders after 30 s')
  return {
    ingressUrl: `http://127.0.0.1:${ingress}`,
    adminUrl,
    endpointHost: '127.0.0.1',
    urlOfEndpoint: (port) => `http://127.0.0.1:${port}`,
    stop: async () => {
      await stopProcess(server, 'SIGTERM')
      await rm(folder, { recursive: true, force: true })
    },
  }
}
