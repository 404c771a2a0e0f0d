import type { ErrorBody } from '../../contract/error.ts'

/** What the REST API answered: its body, or its error. */
export type Answer<Body> = Body | ErrorBody

export function isProblem<Body extends object>(answer: Answer<Body>): answer is ErrorBody {
  return 'error' in answer
}

/** The data of an answer; undefined when the API refused, or has no such address. */
export function dataOf<Data>(answer: Answer<{ data: Data }>): Data | undefined {
  return 'error' in answer ? undefined : answer.data
}
