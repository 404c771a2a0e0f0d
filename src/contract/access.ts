import { z } from 'zod'
import { storableText } from './fields/text.ts'
import { handler } from './handler.ts'

const REQUEST_CHARACTERS_MAX = 200_000

/** A change of keys or sessions, which only the gateway can ask for. */
export const SignedChange = z.strictObject({
  request: storableText(REQUEST_CHARACTERS_MAX).describe('The change as JSON, with its time and the caller who asks for it.'),
  signature: z
    .string()
    .regex(/^[0-9a-f]{64}$/, { error: 'must be 64 hexadecimal digits' })
    .describe('The HMAC-SHA256 of `request`, in hex, with a secret that only the gateway reads.'),
})
export type SignedChange = z.infer<typeof SignedChange>

export const AccessChanged = z.object({
  id: z.string().describe('Of the key or the session.'),
  at: z.iso.datetime(),
  is_new: z.boolean().describe('False when the same change was made before.'),
})
export type AccessChanged = z.infer<typeof AccessChanged>

export const accessHandlers = {
  Change: handler({
    input: SignedChange,
    output: AccessChanged,
    isForOperators: true,
    description:
      'Makes or revokes a key, or starts or ends a session, as the gateway signed it; 403 without its signature, or for more than its caller may do.',
  }),
}
