import { confirm, isCancel, text } from '@clack/prompts'
import { UsageError } from '../../main/config/start-error.ts'
import { harmless } from './harmless.ts'

/**
 * Asks before something is done that cannot be undone, e.g. "Delete 3 rejected events?". @returns false when the answer is no.
 * @throws UsageError where no person can answer, because the command then needs --yes.
 */
export async function isConfirmed(question: string, { yes }: { yes?: boolean | undefined }): Promise<boolean> {
  if (yes) return true
  if (!process.stdin.isTTY || !process.stdout.isTTY) throw new UsageError(`${question} Give --yes to do it without a terminal.`)
  const answer = await confirm({ message: harmless(question), initialValue: false })
  return !isCancel(answer) && answer
}

/** Asks for a text at the terminal; a symbol when the question was cancelled. */
export type AskForText = (question: { message: string; placeholder: string }) => Promise<string | symbol>

/**
 * The same for what concerns one thing: it is confirmed by typing its id. @returns false when something else was typed.
 * @throws UsageError where no person can answer.
 */
export async function isConfirmedById(
  question: string,
  id: string,
  { yes, ask = text }: { yes?: boolean | undefined; ask?: AskForText },
): Promise<boolean> {
  if (yes) return true
  if (!process.stdin.isTTY || !process.stdout.isTTY) throw new UsageError(`${question} Give --yes to do it without a terminal.`)
  const answer = await ask({ message: harmless(`${question} Type its id to confirm:`), placeholder: harmless(id) })
  return answer === id
}
