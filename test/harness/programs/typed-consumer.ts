import { execFile } from 'node:child_process'
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const CHECKOUT = join(import.meta.dirname, '..', '..', '..')
const MODULES = join(CHECKOUT, 'node_modules')
const TSC = join(MODULES, '.bin', 'tsc')

/** Another project that has the contract as a package. */
export async function makeConsumer(folder: string): Promise<void> {
  const installed = join(folder, 'node_modules', '@footfall', 'server')
  await mkdir(installed, { recursive: true })
  await run(TSC, ['-p', 'tsconfig.contract.json', '--outDir', join(installed, 'dist', 'contract')], { cwd: CHECKOUT })
  await copyFile(join(CHECKOUT, 'package.json'), join(installed, 'package.json'))
  for (const name of ['zod', '@restatedev', '@types', 'undici-types'])
    await symlink(join(MODULES, name), join(folder, 'node_modules', name))
  await writeFile(join(folder, 'package.json'), '{"type": "module"}')
}

/** Checks the types of a program in such a project and runs it. @throws the output of the compiler or the program. */
export async function runTyped(folder: string, program: string): Promise<string> {
  await writeFile(join(folder, 'program.ts'), program)
  const options = ['--strict', '--module', 'nodenext', '--target', 'es2024', '--types', 'node', '--outDir', 'out', 'program.ts']
  await run(TSC, options, { cwd: folder }).catch((error: { stdout: string }) => {
    throw new Error(error.stdout)
  })
  return (await run(process.execPath, [join('out', 'program.js')], { cwd: folder })).stdout
}
