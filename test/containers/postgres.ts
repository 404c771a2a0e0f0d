import { PostgreSqlContainer } from '@testcontainers/postgresql'

/** The same tag as in docker-compose.yml. */
const IMAGE = 'postgres:18'

export interface TestPostgres {
  url: string
  stop: () => Promise<void>
}

/** Starts PostgreSQL in a container, without durability because its data is thrown away. */
export async function startPostgresContainer(settings: Record<string, string>): Promise<TestPostgres> {
  const container = await new PostgreSqlContainer(IMAGE)
    .withUsername('postgres')
    .withDatabase('postgres')
    .withCommand(['postgres', ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])])
    .start()
  return { url: container.getConnectionUri().replace('localhost', '127.0.0.1'), stop: async () => void (await container.stop()) }
}
