import type { RuleText } from '../mapping/rule.ts'
import type { Preset } from './preset.ts'
import { SEGMENT } from './segment.ts'

/** A session id is the second in which the session started, so other visitors may have the same one. */
const SESSION: RuleText = ['map', 'session_id=anonymousId + context.sessionId if anonymousId is not empty']

/**
 * The events that RudderStack writes to files. Its e-commerce spec has the names and the properties of Segment's, and its events
 * have the number of their session. https://www.rudderstack.com/docs/event-spec/ecommerce-events-spec/
 */
export const RUDDERSTACK: Preset = {
  ...SEGMENT,
  name: 'rudderstack',
  files: 'events of RudderStack as JSON lines, by its e-commerce spec',
  interactions: { ...SEGMENT.interactions, rules: [SESSION, ...SEGMENT.interactions.rules] },
}
