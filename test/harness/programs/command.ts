import { type Command, CommanderError } from 'commander'
import { vi } from 'vitest'
import { linesOfError } from '../../../src/cli/terminal/error-lines.ts'
import { exitStatusOf, exitStatusOfParsing } from '../../../src/cli/terminal/exit-status.ts'
import { printError } from '../../../src/cli/terminal/output.ts'
import { StartError } from '../../../src/main/config/start-error.ts'

export interface Ran {
  code: number
  /** The output, of both streams. */
  text: string
}

/** Runs a command as `footfall` does, but without a process, which takes most of a second. */
export async function runCommand(command: Command, args: readonly string[], env: Record<string, string>): Promise<Ran> {
  let text = ''
  const print = (line: string) => void (text += `${line}\n`)
  const spies = [vi.spyOn(console, 'log').mockImplementation(print), vi.spyOn(console, 'error').mockImplementation(print)]
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
  for (const one of allOf(command)) one.exitOverride().configureOutput({ writeErr: (part) => (text += part) })
  const exitCodeBefore = process.exitCode
  process.exitCode = 0
  try {
    await command.parseAsync(args, { from: 'user' })
    return { code: exitCode(), text }
  } catch (error) {
    if (error instanceof CommanderError) return { code: exitStatusOfParsing(error), text }
    if (!(error instanceof StartError)) throw error
    printError(...linesOfError(error))
    return { code: exitStatusOf(error), text }
  } finally {
    process.exitCode = exitCodeBefore
    for (const spy of spies) spy.mockRestore()
    vi.unstubAllEnvs()
  }
}

function exitCode(): number {
  return Number(process.exitCode)
}

function allOf(command: Command): Command[] {
  return [command, ...command.commands.flatMap(allOf)]
}
