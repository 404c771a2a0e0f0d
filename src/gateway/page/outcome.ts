import { STATUS_OF_CODE } from '../../contract/error.ts'
import { type Answer, isProblem } from '../../page/template/answer.ts'
import type { ActionResult } from './view.ts'

/** Where a browser goes after a change, or why nothing was changed. */
export function outcomeOf(answer: Answer<object>, goTo: string): ActionResult {
  if (!isProblem(answer)) return { goTo }
  const { code, message } = answer.error
  // The change may have been made all the same.
  if (code === 'unavailable') return { problem: `No answer came: ${message}.`, status: STATUS_OF_CODE.unavailable }
  return { problem: `Nothing was changed: ${message}.` }
}
