import { type Answer, isProblem } from '../../page/template/answer.ts'
import type { ActionResult } from './view.ts'

/** Where a browser goes after a change, or why nothing was changed. */
export function outcomeOf(answer: Answer<object>, goTo: string): ActionResult {
  if (!isProblem(answer)) return { goTo }
  const { message } = answer.error
  return { problem: `Nothing was changed: ${message}.` }
}
