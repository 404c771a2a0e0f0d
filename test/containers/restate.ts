import { RestateContainer } from '@restatedev/restate-sdk-testcontainers'
import { Wait } from 'testcontainers'
import { IDENTITY_KEY_SETTING, type TestRestate } from '../harness/servers/restate.ts'

/** The same tag as in docker-compose.yml. */
const VERSION = '1.7'
const INGRESS = 8080
const ADMIN = 9070

/** Starts Restate in a container with the configuration of the embedded one. */
export async function startRestateContainer(
  configFile: string,
  settings: Record<string, string>,
  identityKeyFile?: string,
): Promise<TestRestate> {
  const files = [{ source: configFile, target: '/etc/footfall/restate.toml' }]
  const signing = identityKeyFile === undefined ? {} : { [IDENTITY_KEY_SETTING]: '/etc/footfall/identity_key' }
  if (identityKeyFile !== undefined) files.push({ source: identityKeyFile, target: '/etc/footfall/identity_key' })
  const container = await new RestateContainer(VERSION)
    .withCopyFilesToContainer(files)
    .withCommand(['--config-file', '/etc/footfall/restate.toml'])
    .withEnvironment({ RESTATE_BIND_IP: '0.0.0.0', ...settings, ...signing })
    .withTmpFs({ '/restate-data': 'rw' })
    .withExposedPorts(INGRESS, ADMIN)
    .withExtraHosts([{ host: 'host.docker.internal', ipAddress: 'host-gateway' }])
    .withWaitStrategy(Wait.forAll([Wait.forHttp('/restate/health', INGRESS), Wait.forHttp('/health', ADMIN)]))
    .start()
  const urlOf = (port: number) => `http://127.0.0.1:${container.getMappedPort(port)}`
  return {
    ingressUrl: urlOf(INGRESS),
    adminUrl: urlOf(ADMIN),
    endpointHost: '0.0.0.0',
    urlOfEndpoint: (port) => `http://host.docker.internal:${port}`,
    stop: async () => void (await container.stop()),
  }
}
