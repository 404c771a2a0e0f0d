import type { FastifyRequest } from 'fastify'
import type { AccessChanged } from '../../contract/access.ts'
import { accessApi } from '../../contract/services.ts'
import type { Ingress } from '../../ingress/clients.ts'
import type { AccessChange, ChangeCaller, SignChange } from '../../store/access/change.ts'
import { type Caller, callerIdOf, hangUpOf } from '../access/caller.ts'
import { unknownOutcome } from './unknown-outcome.ts'
import type { Recording } from './ways.ts'

/** What of a caller says who it is. */
export type Asking = Pick<Caller, 'keyId' | 'sellerId' | 'isOfToken'>

/** Has a change of keys or sessions made for a caller, or for that of the request. @throws DecidedError when it may not be made. */
export type ChangeAccess = (request: FastifyRequest, change: AccessChange, caller?: Asking | null) => Promise<AccessChanged>

interface Deps {
  ingress: Ingress
  recording: Pick<Recording, 'gate'>
  signChange: SignChange
}

/** A kilobyte. */
const NO_BODY = new Uint8Array()

export function createChangeAccess({ ingress, recording, signChange }: Deps): ChangeAccess {
  return async (request, change, caller = request.apiKey) => {
    const signed = await signChange(change, changeCallerOf(caller))
    const call = { caller: caller?.keyId ?? callerIdOf(request), signal: hangUpOf(request), body: NO_BODY }
    const made = recording.gate(call, () => ingress.call(accessApi, 'Change', signed))
    return made.catch((error: unknown) => {
      throw unknownOutcome(error, 'look whether it was done, and then try again')
    })
  }
}

function changeCallerOf(caller: Asking | null): ChangeCaller {
  if (caller === null) return {}
  return caller.isOfToken ? { seller_id: caller.sellerId! } : { key_id: caller.keyId }
}
