import { type ChildProcess, execFile, spawn, type SpawnOptions } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { chown } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { StartError } from '../config/start-error.ts'

const run = promisify(execFile)

/** Runs programs as the user of PostgreSQL. */
export interface Account {
  spawn: (file: string, args: string[], options: SpawnOptions) => ChildProcess
  run: (file: string, args: string[]) => Promise<unknown>
  takeOwnership: (paths: string[]) => Promise<void>
}

/**
 * The user of PostgreSQL: this user, or the user `postgres` under root, because PostgreSQL refuses to run as root. That user cannot
 * pass folders that only root may enter (a home, a temporary folder), so it gets the one capability to pass them.
 */
export async function postgresAccount(paths: string[]): Promise<Account> {
  if (process.getuid?.() !== 0) return { spawn, run, takeOwnership: async () => undefined }
  const user = await postgresUser()
  const takeOwnership = async (owned: string[]) => {
    for (const path of owned) await chown(path, user.uid, user.gid)
  }
  const programs = paths.every((path) => isReachable(path, user)) ? programsAs(user) : await privilegedProgramsAs(user, paths)
  return { ...programs, takeOwnership }
}

interface User {
  uid: number
  gid: number
}

type Programs = Pick<Account, 'spawn' | 'run'>

function programsAs({ uid, gid }: User): Programs {
  return {
    spawn: (file, args, options) => spawn(file, args, { ...options, uid, gid }),
    run: (file, args) => run(file, args, { uid, gid, cwd: '/' }),
  }
}

/** With the capability to enter every folder. @throws StartError on a system without setpriv or capabilities. */
async function privilegedProgramsAs({ uid, gid }: User, paths: string[]): Promise<Programs> {
  const options = [
    `--reuid=${uid}`,
    `--regid=${gid}`,
    '--clear-groups',
    '--inh-caps=+dac_override',
    '--ambient-caps=+dac_override',
    // Without it access(2), by which initdb looks for the other binaries, ignores the capability.
    '--securebits=+no_setuid_fixup',
  ]
  await run('setpriv', [...options, 'true']).catch((cause: unknown) => {
    throw new StartError(
      `PostgreSQL does not run as root, and its user postgres cannot reach ${paths.join(' or ')}: move the checkout to a folder that every user may enter, or start it as an ordinary user.`,
      { cause },
    )
  })
  return {
    spawn: (file, args, spawnOptions) => spawn('setpriv', [...options, file, ...args], spawnOptions),
    run: (file, args) => run('setpriv', [...options, file, ...args], { cwd: '/' }),
  }
}

/** The user `postgres`, which is added when it is missing. */
async function postgresUser(): Promise<User> {
  const id = async (flag: string) => Number((await run('id', [flag, 'postgres'])).stdout)
  try {
    await run('id', ['postgres'])
  } catch {
    await run('useradd', ['--system', '--user-group', '--no-create-home', 'postgres']).catch((cause: unknown) => {
      throw new StartError(
        'PostgreSQL does not run as root and there is no user postgres: make one, or start as an ordinary user.',
        { cause },
      )
    })
  }
  return { uid: await id('-u'), gid: await id('-g') }
}

/** Whether a user may enter every existing folder above a path. */
function isReachable(path: string, user: User): boolean {
  const parent = dirname(path)
  if (parent === path) return true
  if (!existsSync(parent)) return isReachable(parent, user)
  const { mode, uid: owner, gid: group } = statSync(parent)
  const bits = owner === user.uid ? mode >> 6 : group === user.gid ? mode >> 3 : mode
  return (bits & 1) === 1 && isReachable(parent, user)
}
