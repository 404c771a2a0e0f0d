import { type RejectedKey, rejectedKeyOf } from '../../contract/rejected.ts'
import { StartError } from '../../main/config/start-error.ts'

/** What an id of the list names. @throws StartError for a text that is no id. */
export function keyOf(id: string): RejectedKey {
  const key = rejectedKeyOf(id)
  if (key === undefined) {
    throw new StartError(`"${id}" is not the id of a refused interaction, such as 12.0: footfall rejected list shows them.`)
  }
  return key
}
