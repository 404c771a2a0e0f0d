import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePorts } from '../../src/main/embedded/ports.ts'

const CHECKOUT = join(import.meta.dirname, '..', '..')

export interface ComposeProject {
  /** A copy of the files in git. */
  folder: string
  name: string
  gatewayUrl: string
  /** The address of Restate's UI and admin port. */
  adminUrl: string
  /** Runs commands in the folder. @returns their output. @throws with it when one fails. */
  shell: (commands: string) => Promise<string>
  /** Takes the project down with its data, and deletes the folder. */
  remove: () => Promise<void>
}

/** Prepares docker-compose.yml with a project name and ports of its own, without starting it. */
export async function composeProject(): Promise<ComposeProject> {
  const folder = await mkdtemp(join(tmpdir(), 'footfall-compose-'))
  const [gateway, admin] = (await freePorts(2)) as [number, number]
  const name = `footfall-${gateway}`
  const shell = async (commands: string, cwd = folder) => {
    const environment = {
      COMPOSE_PROJECT_NAME: name,
      FOOTFALL_IMAGE: name,
      GATEWAY_PORT: String(gateway),
      RESTATE_ADMIN_PORT: String(admin),
    }
    const child = spawn('sh', ['-ec', commands], { cwd, env: { ...process.env, ...environment } })
    let printed = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk.toString()))
    await once(child, 'close')
    if (child.exitCode === 0) return printed
    throw new Error(`exit ${child.exitCode}: ${printed}`)
  }
  await shell(`git ls-files -z | xargs -0 cp --parents --target-directory=${folder}`, CHECKOUT)
  return {
    folder,
    name,
    gatewayUrl: `http://127.0.0.1:${gateway}`,
    adminUrl: `http://127.0.0.1:${admin}`,
    shell: (commands) => shell(commands),
    remove: async () => {
      await shell('docker compose down --volumes --timeout 5')
      await shell(`docker image ls --quiet --filter 'reference=${name}' | sort -u | xargs -r docker image rm --force`)
      await rm(folder, { recursive: true, force: true })
    },
  }
}
