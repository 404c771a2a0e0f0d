import { PostgreSqlContainer } from '@testcontainers/postgresql'

/** The tag that docker-compose.yml has too. */
const IMAGE = 'postgres:18'

export interface TestPostgres {
  url: string
  stop: () => Promise<void>
}

/** PostgreSQL in a container. Its data is thrown away: nothing has to survive a power cut. */
export async function startPostgresContainer(settings: Record<string, string>): Promise<TestPostgres> {
  const container = await new PostgreSqlContainer(IMAGE)
    .withUsername('postgres')
    .withDatabase('postgres')
    .withCommand(['postgres', ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])])
    .start()
  return { url: container.getConnectionUri().replace('localhost', '127.0.0.1'), stop: async () => void (await container.stop()) }
}
